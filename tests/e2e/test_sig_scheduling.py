"""What conformance asks of scheduling, by the numbers of the suite of 1.36, in our words.

On the tests' one node; what is scarce is a resource of the test's own, put into the node's status.
"""

import json
from collections.abc import Iterator

import pytest

from tests.lab import shell_image
from tests.lab.cluster import Cluster, eventually
from tests.lab.pods import Json, many
from tests.lab.shell_image import SHELL

pytestmark = pytest.mark.slow  # `make e2e`: CI has no room for both engines
SCARCE = "example.org/scarce"
LABEL = {"appliance.test/scheduling": "here"}


@pytest.fixture(scope="module", autouse=True)
def image(cluster: Cluster) -> None:
    shell_image.load(cluster.runtime)


@pytest.fixture
def scarce(cluster: Cluster) -> Iterator[Cluster]:
    """Five pieces of a resource on the node, and four classes of priority."""
    status = {"capacity": {SCARCE: "5"}, "allocatable": {SCARCE: "5"}}
    patch_node(cluster, {"status": status}, "--subresource=status")
    for value in (1, 2, 3, 4):
        body = {"apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass", "value": value * 10}
        cluster.apply(json.dumps(body | {"metadata": {"name": f"p{value}"}}))
    yield cluster
    clear(cluster)
    nothing = {"capacity": {SCARCE: None}, "allocatable": {SCARCE: None}}
    patch_node(cluster, {"status": nothing}, "--subresource=status")
    cluster.kubectl("delete", "priorityclass", "p1", "p2", "p3", "p4")


@pytest.fixture
def clean(cluster: Cluster) -> Iterator[Cluster]:
    yield cluster
    clear(cluster)


def test_344_limit_ranges_give_defaults_and_bounds(clean: Cluster) -> None:
    limits = {
        "type": "Container",
        "default": {"cpu": "100m"},
        "defaultRequest": {"cpu": "10m"},
        "max": {"cpu": "200m"},
        "min": {"cpu": "5m"},
    }
    body: Json = {"apiVersion": "v1", "kind": "LimitRange", "metadata": {"name": "sched"}}
    clean.apply(json.dumps(body | {"spec": {"limits": [limits]}}))
    try:
        clean.apply(json.dumps(waiting("sched-plain")))
        (container,) = clean.get("pod", "sched-plain")["spec"]["containers"]
        assert container["resources"] == {"limits": {"cpu": "100m"}, "requests": {"cpu": "10m"}}
        partly = waiting("sched-partly", resources={"requests": {"cpu": "50m"}})
        clean.apply(json.dumps(partly))
        (container,) = clean.get("pod", "sched-partly")["spec"]["containers"]
        assert container["resources"] == {"limits": {"cpu": "100m"}, "requests": {"cpu": "50m"}}
        too_much = waiting(
            "sched-much", resources={"requests": {"cpu": "1"}, "limits": {"cpu": "1"}}
        )
        refused = clean.run("create", "-f", "-", stdin=json.dumps(too_much))
        assert "maximum cpu usage per Container is 200m, but limit is 1" in refused.stderr
        clean.apply(json.dumps(body | {"spec": {"limits": [limits | {"max": {"cpu": "2"}}]}}))
        clean.kubectl("create", "-f", "-", stdin=json.dumps(too_much))
    finally:
        clean.kubectl("delete", "limitrange", "sched")
    clean.apply(json.dumps(waiting("sched-free")))
    (container,) = clean.get("pod", "sched-free")["spec"]["containers"]
    assert container["resources"] == {}


def test_345_limit_ranges_are_listed_patched_and_deleted_as_a_collection(clean: Cluster) -> None:
    for name in ("sched-a", "sched-b"):
        spec = {"limits": [{"type": "Pod", "max": {"memory": "64Gi"}}]}
        meta = {"name": name, "labels": {"lot": "sched"}}
        body = {"apiVersion": "v1", "kind": "LimitRange", "metadata": meta, "spec": spec}
        clean.apply(json.dumps(body))
    assert len(clean.get("limitranges", "-A", "-l", "lot=sched")["items"]) == 2
    clean.kubectl("patch", "limitrange", "sched-a", "-p", '{"metadata":{"labels":{"lot":"own"}}}')
    clean.kubectl("delete", "limitrange", "-l", "lot=sched")
    assert [one["metadata"]["name"] for one in clean.get("limitranges")["items"]] == ["sched-a"]
    clean.kubectl("delete", "limitrange", "sched-a")


def test_346_what_exceeds_the_room_that_is_left_stays_unscheduled(scarce: Cluster) -> None:
    scarce.apply(many(wants("sched-fill", 3), wants("sched-over", 3)))
    eventually(
        lambda: "Insufficient example.org/scarce" in said(scarce, "sched-over", "sched-fill")
    )
    scarce.apply(json.dumps(wants("sched-fits", 2)))
    eventually(lambda: node_of(scarce, "sched-fits"))


def test_347_a_node_selector_that_matches_leads_to_the_node(clean: Cluster) -> None:
    patch_node(clean, {"metadata": {"labels": LABEL}})
    try:
        clean.apply(json.dumps(waiting("sched-here", nodeSelector=LABEL)))
        eventually(lambda: node_of(clean, "sched-here") == clean.node)
    finally:
        patch_node(clean, {"metadata": {"labels": dict.fromkeys(LABEL)}})


def test_348_a_node_selector_that_matches_nothing_keeps_the_pod(clean: Cluster) -> None:
    clean.apply(json.dumps(waiting("sched-nowhere", nodeSelector={"label": "nonempty"})))
    words = "1 node(s) didn't match Pod's node affinity/selector"
    eventually(lambda: words in said(clean, "sched-nowhere"))
    events = clean.kubectl("get", "events", "--field-selector", "involvedObject.name=sched-nowhere")
    assert "FailedScheduling" in events


def test_349_one_host_port_on_all_addresses_and_on_one_clash(clean: Cluster) -> None:
    def publishing(name: str, address: str) -> Json:
        port = {"containerPort": 80, "hostPort": 54322, "hostIP": address}
        return waiting(name, ports=[port])

    clean.apply(json.dumps(publishing("sched-all", "0.0.0.0")))  # noqa: S104 - no bind
    eventually(lambda: node_of(clean, "sched-all"))
    clean.apply(json.dumps(publishing("sched-one", "127.0.0.1")))
    eventually(lambda: "free ports for the requested pod ports" in said(clean, "sched-one"))


def test_350_replica_sets_of_four_priorities_push_one_another_out(scarce: Cluster) -> None:
    for level, replicas in ((1, 5), (2, 4), (3, 4)):
        name = f"sched-rs{level}"
        body = {
            "apiVersion": "apps/v1",
            "kind": "ReplicaSet",
            "metadata": {"name": name},
            "spec": {
                "replicas": replicas,
                "selector": {"matchLabels": {"rs": name}},
                "template": {
                    "metadata": {"labels": {"rs": name}},
                    "spec": wants(name, 1, priorityClassName=f"p{level}")["spec"],
                },
            },
        }
        scarce.apply(json.dumps(body))
        eventually(lambda: len(scarce.running(f"rs={name}")) == replicas)  # noqa: B023 - at once
    assert len(scarce.running("rs=sched-rs2")) <= 1
    scarce.apply(json.dumps(wants("sched-top", 2, priorityClassName="p4")))
    eventually(lambda: scarce.running("pod=sched-top"))
    eventually(lambda: len(scarce.running("rs=sched-rs3")) == 3)
    assert scarce.running("rs=sched-rs1") == []
    scarce.kubectl("delete", "rs", "sched-rs1", "sched-rs2", "sched-rs3")


def test_351_priority_classes_take_every_verb_but_keep_their_value(scarce: Cluster) -> None:
    refused = scarce.run("patch", "priorityclass", "p1", "--type=merge", "-p", '{"value":99}')
    assert "may not be changed in an update" in refused.stderr
    scarce.kubectl("patch", "priorityclass", "p1", "--type=merge", "-p", '{"description":"d"}')
    body = scarce.get("priorityclass", "p1")
    assert (body["value"], body["description"]) == (10, "d")
    scarce.kubectl("replace", "-f", "-", stdin=json.dumps(body | {"description": "e"}))
    assert {"p1", "p2"} <= {p["metadata"]["name"] for p in scarce.get("priorityclasses")["items"]}


@pytest.mark.parametrize("by", ["p3", "system-cluster-critical"])
def test_352_353_354_a_lower_pod_goes_for_a_higher_one_and_says_why(
    scarce: Cluster, by: str
) -> None:
    low = wants("sched-low", 2, priorityClassName="p1")
    low["metadata"]["finalizers"] = ["example.org/look"]  # so that it can be looked at
    scarce.apply(many(low, wants("sched-mid", 3, priorityClassName="p2")))
    eventually(lambda: len(scarce.running("pod in (sched-low,sched-mid)")) == 2)
    where = "kube-system" if by.startswith("system") else "default"
    high = wants("sched-high", 2, priorityClassName=by)
    scarce.kubectl("create", "-n", where, "-f", "-", stdin=json.dumps(high))
    try:
        eventually(lambda: scarce.get("pod", "sched-low")["metadata"].get("deletionTimestamp"))
        conditions = scarce.get("pod", "sched-low")["status"]["conditions"]
        (target,) = (c for c in conditions if c["type"] == "DisruptionTarget")
        assert (target["status"], target["reason"]) == ("True", "PreemptionByScheduler")
        free = '{"metadata":{"finalizers":null}}'
        scarce.kubectl("patch", "pod", "sched-low", "--type=merge", "-p", free)
        eventually(lambda: scarce.get("pod", "sched-high", "-n", where)["spec"].get("nodeName"))
        assert "deletionTimestamp" not in scarce.get("pod", "sched-mid")["metadata"]
    finally:
        scarce.kubectl("delete", "pod", "sched-high", "-n", where)


def waiting(name: str, **fields: object) -> Json:
    """A pod that does nothing; fields of its container by their names, others are the pod's."""
    container: Json = {"name": "c", "image": SHELL, "imagePullPolicy": "IfNotPresent"}
    container["command"] = ["sleep", "100000"]
    for mine in ("resources", "ports"):
        if mine in fields:
            container[mine] = fields.pop(mine)
    spec = {"containers": [container], "terminationGracePeriodSeconds": 1, **fields}
    meta: Json = {"name": name, "labels": {"pod": name, "lot": "sched"}}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec}


def wants(name: str, pieces: int, **fields: object) -> Json:
    """A pod that takes some of what is scarce."""
    some = {SCARCE: str(pieces)}
    return waiting(name, resources={"requests": some, "limits": some}, **fields)


def patch_node(cluster: Cluster, body: Json, *how: str) -> None:
    cluster.kubectl("patch", "node", cluster.node, "--type=merge", "-p", json.dumps(body), *how)


def node_of(cluster: Cluster, name: str) -> str:
    return str(cluster.get("pod", name)["spec"].get("nodeName", ""))


def said(cluster: Cluster, *names: str) -> str:
    """Why these pods are not scheduled."""
    return " ".join(
        c.get("message", "")
        for name in names
        for c in cluster.get("pod", name)["status"].get("conditions", [])
        if c["type"] == "PodScheduled"
    )


def clear(cluster: Cluster) -> None:
    cluster.kubectl("delete", "pods", "-l", "lot=sched", "--wait=false")
    eventually(lambda: cluster.get("pods", "-l", "lot=sched")["items"] == [])
