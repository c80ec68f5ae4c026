"""Whose pods are whose, and which go first."""

from typing import Any

import msgspec
import pytest

from appliance.api.kinds.core.pod.kind import Pod
from appliance.api.labels import from_map
from appliance.control.controllers import replicas

LABELS = {"app": "web"}


def test_pods_are_mine_to_adopt_to_release_or_none_of_my_business() -> None:
    found = replicas.claims(
        "me",
        from_map(LABELS),
        [
            pod("mine", owner="me"),
            pod("relabelled", owner="me", labels={"app": "debug"}),
            pod("free"),
            pod("free but other", labels={"app": "db"}),
            pod("other's", owner="you"),
            pod("ended", owner="me", phase="Succeeded"),
            pod("going", owner="me", deletionTimestamp="2026-01-01T00:00:00Z"),
        ],
    )
    assert names(found.mine) == ["mine"]
    assert names(found.adopt) == ["free"]
    assert names(found.release) == ["relabelled"]


ORDER: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("unscheduled before scheduled", {"node": ""}, {}),
    ("pending before running", {"phase": "Pending"}, {}),
    ("unready before ready", {"ready": False}, {}),
    ("cheap before dear", {"cost": "-5"}, {}),
    ("ready for a shorter time", {"since": "2026-01-02T00:00:00Z"}, {}),
    ("oftener restarted", {"restarts": 3}, {"restarts": 1}),
    ("younger", {"created": "2026-01-02T00:00:00Z"}, {}),
    ("readiness weighs more than restarts", {"ready": False}, {"restarts": 9}),
]


@pytest.mark.parametrize(("name", "first", "second"), ORDER, ids=[o[0] for o in ORDER])
@pytest.mark.seed("K02")
def test_the_cheaper_loss_goes_first(
    name: str, first: dict[str, Any], second: dict[str, Any]
) -> None:
    pods = [pod("stays", **second), pod("goes", **first)]
    assert names(replicas.victims(pods, 1)) == ["goes"], name


def test_the_crowded_node_loses_one_first() -> None:
    pods = [pod("alone", node="a"), pod("b1", node="b"), pod("b2", node="b")]
    assert names(replicas.victims(pods, 1)) == ["b1"]


@pytest.mark.parametrize(
    ("total", "sizes"), [(0, []), (1, [1]), (3, [1, 2]), (20, [1, 2, 4, 8, 5])]
)
def test_creation_starts_slowly(total: int, sizes: list[int]) -> None:
    assert list(replicas.batches(total)) == sizes


def test_available_is_ready_for_long_enough() -> None:
    pods = [
        pod("old", since="2023-11-14T22:00:00Z"),
        pod("new", since="2023-11-14T22:13:15Z"),
        pod("unready", ready=False),
    ]
    now = 1_700_000_000.0  # 2023-11-14T22:13:20Z
    seen = replicas.counts(pods, LABELS, min_ready_s=30, now=now)
    assert (seen.replicas, seen.labelled, seen.ready, seen.available) == (3, 3, 2, 1)
    assert seen.changes_in_s == 25
    later = replicas.counts(pods, LABELS, min_ready_s=30, now=now + 25)
    assert (later.available, later.changes_in_s) == (2, None)


def names(pods: Any) -> list[str]:
    return [p.metadata.name for p in pods]


def pod(
    name: str,
    *,
    owner: str = "",
    labels: dict[str, str] | None = None,
    node: str = "n",
    phase: str = "Running",
    ready: bool = True,
    since: str = "2026-01-01T00:00:00Z",
    created: str = "2026-01-01T00:00:00Z",
    restarts: int = 0,
    cost: str = "0",
    **meta: Any,
) -> Pod:
    ref = {"apiVersion": "v1", "kind": "ReplicationController", "name": "rc", "uid": owner}
    return msgspec.convert(
        {
            "metadata": {
                "name": name,
                "uid": name,
                "namespace": "ns",
                "creationTimestamp": created,
                "labels": LABELS if labels is None else labels,
                "ownerReferences": [{**ref, "controller": True}] if owner else [],
                "annotations": {"controller.kubernetes.io/pod-deletion-cost": cost},
                **meta,
            },
            "spec": {"nodeName": node, "containers": []},
            "status": {
                "phase": phase,
                "conditions": [
                    {
                        "type": "Ready",
                        "status": "True" if ready else "False",
                        "lastTransitionTime": since,
                    }
                ],
                "containerStatuses": [
                    {
                        "name": "c",
                        "ready": ready,
                        "restartCount": restarts,
                        "image": "",
                        "imageID": "",
                    }
                ],
            },
        },
        Pod,
    )
