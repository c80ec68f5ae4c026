"""metrics.k8s.io out of what nodes tell."""

from typing import Any

from appliance.api.kinds.core.node import Node
from appliance.api.kinds.core.pod.kind import Pod
from appliance.api.meta import ObjectMeta
from appliance.control.http.usage import by_uid, local_uid, node_metrics, pod_metrics

CPU = {"time": "2026-01-01T00:00:00Z", "usageNanoCores": 250_000_000, "windowSeconds": 2.5}
MEMORY = {"workingSetBytes": 64 << 20}
SUMMARY: dict[str, Any] = {
    "node": {"cpu": CPU, "memory": MEMORY},
    "pods": [
        {
            "podRef": {"uid": "u1"},
            "cpu": CPU,
            "containers": [
                {"name": "a", "cpu": CPU, "memory": MEMORY},
                {"name": "b", "cpu": {"time": CPU["time"]}, "memory": MEMORY},
            ],
        }
    ],
}
USAGE = {"cpu": "250000000n", "memory": "65536Ki"}


def test_a_node() -> None:
    node = Node(metadata=ObjectMeta(name="n1", labels={"disk": "ssd"}))
    assert node_metrics(node, SUMMARY) == {
        "metadata": {
            "name": "n1", "labels": {"disk": "ssd"}, "creationTimestamp": "2026-01-01T00:00:00Z",
        },
        "timestamp": "2026-01-01T00:00:00Z", "window": "2.500s", "usage": USAGE,
    }  # fmt: skip
    assert node_metrics(node, {}) is None


def test_a_container_without_a_rate_is_left_out() -> None:
    pod = Pod(metadata=ObjectMeta(name="p", namespace="default", uid="u1"))
    used = by_uid([SUMMARY])
    found = pod_metrics(pod, used[local_uid(pod)])
    assert found is not None
    assert found["containers"] == [{"name": "a", "usage": USAGE}]
    assert pod_metrics(pod, used.get("u2")) is None


def test_a_mirror_has_the_usage_of_what_it_shows() -> None:
    mirror = Pod(metadata=ObjectMeta(uid="u9", annotations={"kubernetes.io/config.mirror": "u1"}))
    assert local_uid(mirror) == "u1"
