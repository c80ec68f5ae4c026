"""The word that `kubectl get pods` shows."""

from typing import Any

import msgspec
import pytest

from appliance.api.ages import seconds_of
from appliance.api.kinds.core.pod.kind import POD, Pod
from appliance.api.kinds.core.pod.spec import PodReadinessGate

NOW = seconds_of("2026-01-01T01:00:00Z")

RUNNING = {"running": {"startedAt": "2026-01-01T00:00:00Z"}}
DONE = {"terminated": {"exitCode": 0, "reason": "Completed"}}
READY = {"type": "Ready", "status": "True"}


def test_a_pod_that_was_never_seen_by_a_node() -> None:
    assert row(pod(phase="Pending")) == ["p", "0/1", "Pending", "0", "10m"]


@pytest.mark.parametrize(
    ("states", "ready", "word"),
    [
        ([RUNNING], "1/1", "Running"),
        ([{"waiting": {"reason": "CrashLoopBackOff"}}], "0/1", "CrashLoopBackOff"),
        ([{"waiting": {"reason": "ImagePullBackOff"}}], "0/1", "ImagePullBackOff"),
        ([DONE], "0/1", "Completed"),
        ([{"terminated": {"exitCode": 1, "reason": "Error"}}], "0/1", "Error"),
        ([{"terminated": {"exitCode": 137, "reason": "OOMKilled"}}], "0/1", "OOMKilled"),
        ([{"terminated": {"exitCode": 3}}], "0/1", "ExitCode:3"),
        ([{"terminated": {"exitCode": 0, "signal": 9}}], "0/1", "Signal:9"),
        ([DONE, RUNNING], "1/2", "NotReady"),
    ],
)
def test_containers_give_the_word(states: list[Any], ready: str, word: str) -> None:
    found = pod(phase="Running", containers=[container(s) for s in states])
    assert row(found)[1:3] == [ready, word]


def test_one_done_and_one_running_is_running_when_the_pod_is_ready() -> None:
    found = pod(
        phase="Running", containers=[container(DONE), container(RUNNING)], conditions=[READY]
    )
    assert row(found)[2] == "Running"


@pytest.mark.parametrize(
    ("states", "word"),
    [
        ([DONE, {"waiting": {"reason": "PodInitializing"}}], "Init:1/2"),
        ([{"running": {}}, {"waiting": {}}], "Init:0/2"),
        ([{"waiting": {"reason": "CrashLoopBackOff"}}, {}], "Init:CrashLoopBackOff"),
        ([{"terminated": {"exitCode": 1, "reason": "Error"}}, {}], "Init:Error"),
        ([{"terminated": {"exitCode": 2}}, {}], "Init:ExitCode:2"),
        ([{"terminated": {"exitCode": 2, "signal": 15}}, {}], "Init:Signal:15"),
        ([DONE, DONE], "PodInitializing"),
    ],
)
def test_init_containers_come_first(states: list[Any], word: str) -> None:
    found = pod(
        phase="Pending",
        init=[container(s, ready=False) for s in states],
        containers=[container({"waiting": {"reason": "PodInitializing"}})],
    )
    assert row(found)[2] == word


def test_a_sidecar_counts_among_the_ready() -> None:
    found = pod(
        phase="Running",
        init=[container(RUNNING) | {"started": True}],
        containers=[container(RUNNING)],
        sidecars=True,
    )
    assert row(found)[1:3] == ["2/2", "Running"]


def test_restarts_say_when_the_last_one_was() -> None:
    crashed = container(RUNNING) | {
        "restartCount": 3,
        "lastState": {"terminated": {"exitCode": 1, "finishedAt": "2026-01-01T00:58:00Z"}},
    }
    assert row(pod(phase="Running", containers=[crashed]))[3] == "3 (2m ago)"


@pytest.mark.parametrize(
    ("status", "word"),
    [
        ({"phase": "Running"}, "Terminating"),
        ({"phase": "Succeeded"}, "Succeeded"),
        ({"phase": "Running", "reason": "NodeLost"}, "Unknown"),
    ],
)
def test_a_pod_that_is_going_away(status: dict[str, Any], word: str) -> None:
    found = pod(**status)
    found.metadata.deletionTimestamp = "2026-01-01T00:59:00Z"
    assert row(found)[2] == word


def test_a_reason_of_the_pod_wins_over_its_phase() -> None:
    assert row(pod(phase="Failed", reason="Evicted"))[2] == "Evicted"


def test_a_gated_pod_says_so() -> None:
    gated = {"type": "PodScheduled", "status": "False", "reason": "SchedulingGated"}
    assert row(pod(phase="Pending", conditions=[gated]))[2] == "SchedulingGated"


def test_wide_columns() -> None:
    found = pod(phase="Running", podIP="10.42.0.9", conditions=[{"type": "a/b", "status": "True"}])
    found.spec.nodeName = "n1"
    found.spec.readinessGates = [
        PodReadinessGate(conditionType="a/b"),
        PodReadinessGate(conditionType="c"),
    ]
    assert cells(found)[5:] == ["10.42.0.9", "n1", "<none>", "1/2"]


def cells(obj: Pod) -> list[Any]:
    assert POD.cells
    found = POD.cells(obj, NOW)
    assert len(found) == len(POD.columns)
    return found


def row(obj: Pod) -> list[Any]:
    return cells(obj)[:5]


def container(state: dict[str, Any], *, ready: bool = True) -> dict[str, Any]:
    return {
        "name": "",
        "state": state,
        "ready": ready,
        "restartCount": 0,
        "image": "",
        "imageID": "",
    }


def pod(
    *,
    containers: list[dict[str, Any]] | None = None,
    init: list[dict[str, Any]] | None = None,
    sidecars: bool = False,
    **status: Any,
) -> Pod:
    """A pod of which the node has said this much; containers are named by their place."""
    main = [s | {"name": f"c{n}"} for n, s in enumerate(containers or [])]
    first = [s | {"name": f"i{n}"} for n, s in enumerate(init or [])]
    policy = {"restartPolicy": "Always"} if sidecars else {}
    return msgspec.convert(
        {
            "metadata": {"name": "p", "creationTimestamp": "2026-01-01T00:50:00Z"},
            "spec": {
                "containers": [{"name": s["name"]} for s in main] or [{"name": "c0"}],
                "initContainers": [{"name": s["name"]} | policy for s in first],
            },
            "status": {"containerStatuses": main, "initContainerStatuses": first} | status,
        },
        Pod,
    )
