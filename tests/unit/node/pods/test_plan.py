"""One decision at a time: what is seen → what is done, what waits, when to look again."""

from dataclasses import replace

import pytest

from appliance.api.kinds.core.pod.handlers import Probe
from appliance.node.pods import actions as do
from appliance.node.pods.plan import Plan, Waiting, plan
from appliance.node.pods.view import (
    Ending,
    Fault,
    Health,
    ImageReady,
    ImageUnderway,
    Memory,
    View,
    wish_hash,
)
from appliance.node.runtimes import marks
from appliance.node.runtimes.base import Container, State
from tests.unit.node.stage import pod, wish

NOW = 1000.0
SANDBOX = Container(
    id="s0",
    name="s",
    image="pause",
    image_id="",
    marks={marks.ROLE: marks.ROLE_SANDBOX, marks.CONTAINER_NAME: "POD"},
    state=State.RUNNING,
    pid=7,
)


def container(state: State = State.RUNNING, *, attempt: int = 0, **fields: object) -> Container:
    labels = {
        marks.CONTAINER_NAME: "web",
        marks.ROLE: marks.ROLE_APP,
        marks.SANDBOX: "s0",
        marks.HASH: wish_hash(wish()),
        marks.RESTART_COUNT: str(attempt),
        marks.STREAK: str(attempt),
    }
    made = Container(
        id=f"c{attempt}", name="c", image="web:1", image_id="", marks=labels, state=state
    )
    return replace(made, **fields)  # type: ignore[arg-type]


def dead(attempt: int = 0, code: int = 1) -> Container:
    return container(
        State.EXITED, attempt=attempt, exit_code=code, started_at=NOW - 6, finished_at=NOW - 5
    )


def up() -> Memory:
    return Memory(address="10.42.0.2", volumes_ready=True)


def look(
    *containers: Container, memory: Memory | None = None, **fields: object
) -> tuple[View, Plan]:
    view = View(
        pod=pod(),
        memory=memory or up(),
        sandboxes=(SANDBOX,),
        containers={"web": containers} if containers else {},
    )
    view = replace(view, **fields)  # type: ignore[arg-type]
    return view, plan(view, NOW)


def acts(result: Plan) -> list[type]:
    return [type(action) for action in result.actions]


@pytest.mark.parametrize(
    ("memory", "sandboxes", "first"),
    [
        (Memory(), (), do.SetUpVolumes),
        (Memory(volumes_ready=True), (), do.StartSandbox),
        (Memory(volumes_ready=True), (SANDBOX,), do.AttachNetwork),
        (up(), (SANDBOX,), do.FetchImage),
    ],
)
def test_one_floor_after_the_other(
    memory: Memory, sandboxes: tuple[Container, ...], first: type
) -> None:
    assert acts(look(memory=memory, sandboxes=sandboxes)[1]) == [first]


def test_a_floor_that_failed_is_waited_for() -> None:
    fault = Fault("FailedMount", "no", 1, NOW - 1, NOW + 3)
    memory = Memory(faults={marks.SANDBOX_NAME: fault})
    assert look(memory=memory)[1] == Plan([], {}, NOW + 3)
    assert acts(plan(look(memory=memory)[0], NOW + 3)) == [do.SetUpVolumes]


def test_nothing_is_done_twice() -> None:
    memory = up()
    memory.images["web"] = ImageUnderway()
    assert look(memory=memory)[1].actions == []
    memory.images["web"] = ImageReady("i")
    assert acts(look(memory=memory)[1]) == [do.StartContainer]
    assert look(container(), memory=memory)[1] == Plan()


def test_a_container_that_ended_is_started_again_with_the_next_number() -> None:
    memory = up()
    memory.images["web"] = ImageReady("i")
    (start,) = look(dead(), memory=memory)[1].actions
    assert isinstance(start, do.StartContainer)
    assert (start.attempt, start.streak) == (1, 1)


def test_a_quick_end_has_to_wait() -> None:
    result = look(dead(attempt=1))[1]
    assert result.actions == []
    assert result.wake_at == NOW + 5
    assert result.waiting["web"] == Waiting(
        "CrashLoopBackOff", "back-off 10s restarting failed container=web pod=p_default(u1)"
    )


@pytest.mark.parametrize(
    ("at", "reason", "wake_at"),
    [
        (NOW - 1, "ErrImagePull", NOW + 1),
        (NOW - 3, "ImagePullBackOff", NOW + 7),
    ],
)
def test_a_failed_pull_is_first_shown_and_then_waited_out(
    at: float, reason: str, wake_at: float
) -> None:
    memory = up()
    memory.images["web"] = Fault("ErrImagePull", "no", 1, at, at + 10)
    result = look(memory=memory)[1]
    assert result.waiting["web"].reason == reason
    assert result.wake_at == wake_at


@pytest.mark.parametrize(
    ("health", "grace_s"),
    [(Health(live=False), 5.0), (Health(started=False), 30.0)],
)
def test_a_probe_may_bring_its_own_grace(health: Health, grace_s: float) -> None:
    probe = Probe(terminationGracePeriodSeconds=5)
    memory = up()
    memory.health["c0"] = health
    one = pod(wish(livenessProbe=probe, startupProbe=Probe()))
    (stop,) = look(container(), memory=memory, pod=one)[1].actions
    assert isinstance(stop, do.StopContainer)
    assert stop.grace_s == grace_s
    memory.stopping["c0"] = NOW + 5
    assert look(container(), memory=memory, pod=one)[1].actions == []


def test_a_container_of_another_sandbox_is_ended() -> None:
    lost = replace(container(), marks={**container().marks, marks.SANDBOX: "old"})
    (stop,) = look(lost)[1].actions
    assert isinstance(stop, do.StopContainer)
    assert "sandbox changed" in stop.why


def test_without_a_sandbox_everything_is_ended_first() -> None:
    result = look(container(), sandboxes=())[1]
    assert acts(result) == [do.StopContainer]
    after = look(dead(), sandboxes=())[1]
    assert acts(after) == [do.DetachNetwork, do.StartSandbox]


def test_an_ending_goes_step_by_step() -> None:
    ending = Ending(since=NOW - 10, grace_s=30, confirm=True)
    (stop,) = look(container(), ending=ending)[1].actions
    assert isinstance(stop, do.StopContainer)
    assert stop.grace_s == 20
    memory = up()
    memory.stopping["c0"] = NOW + 20
    assert look(container(), ending=ending, memory=memory)[1].actions == []
    assert acts(look(dead(), ending=ending)[1]) == [
        do.KillContainer,
        do.DetachNetwork,
        do.RemoveContainer,
        do.RemoveContainer,
        do.TearDown,
        do.ConfirmDeletion,
    ]


def test_a_pod_that_nobody_confirms_just_goes() -> None:
    ending = Ending(since=NOW, grace_s=0, confirm=False)
    assert acts(look(ending=ending, sandboxes=())[1]) == [do.DetachNetwork, do.TearDown]


def test_a_pod_that_is_over_stays_over() -> None:
    memory = up()
    memory.last.phase = "Failed"
    assert acts(look(container(), memory=memory)[1]) == [do.StopContainer]
    assert acts(look(dead(), memory=memory)[1]) == [do.KillContainer, do.DetachNetwork]
    memory.address = ""
    assert look(dead(), memory=memory, sandboxes=())[1].actions == []


def test_older_dead_containers_and_sandboxes_are_swept() -> None:
    old_box = replace(SANDBOX, id="s-old", state=State.EXITED)
    result = look(container(attempt=3), dead(2), dead(1), sandboxes=(SANDBOX, old_box))[1]
    assert result.actions == [do.RemoveContainer("c1"), do.RemoveContainer("s-old")]
