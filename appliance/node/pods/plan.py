"""Pure: what to do about a pod now, why nothing is done about the rest, and when to look again.

The worker calls `plan` after each look and carries out what it says; then it looks again, until
there is nothing to do. Nothing here is remembered: the same view gives the same plan, whether the
pod is new, was adopted after an agent restart, or lost a container a moment ago.

    volumes → sandbox → address → init containers, one after the other → containers
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from appliance.api.kinds.core.pod.container import Container as ContainerWish
from appliance.api.kinds.core.pod.kind import Pod
from appliance.node.pods import actions as do
from appliance.node.pods import restarts
from appliance.node.pods.everyone import debuggers, every_wish, target_of
from appliance.node.pods.outcome import (
    LOST_EXIT_CODE,
    deadline_of,
    init_is_done,
    is_over,
    policy_of,
)
from appliance.node.pods.view import (
    Fault,
    Hook,
    ImageReady,
    ImageUnderway,
    View,
    grace_of,
    is_sidecar,
    wish_hash,
)
from appliance.node.runtimes import marks
from appliance.node.runtimes.base import Container, State

ERR_SHOWN_S = 2.0
"""How long a failed pull is shown as ErrImagePull before it becomes ImagePullBackOff."""
SANDBOX_CHANGED = "Pod sandbox changed, it will be killed and re-created."
BACKOFF_REASONS = {"ErrImagePull": "ImagePullBackOff", "ErrImageNeverPull": "ErrImageNeverPull"}


@dataclass(frozen=True, slots=True)
class Waiting:
    """Why a container does not run: reason and message of its status."""

    reason: str
    message: str = ""


@dataclass(slots=True)
class Plan:
    """Actions to carry out now, reasons for what waits, and the next deadline."""

    actions: list[do.Action] = field(default_factory=list)
    waiting: dict[str, Waiting] = field(default_factory=dict)
    wake_at: float | None = None

    def wake(self, at: float) -> None:
        """Look again at `at`, or earlier."""
        self.wake_at = at if self.wake_at is None else min(self.wake_at, at)


def plan(view: View, now: float) -> Plan:
    """Decide."""
    result = Plan()
    if view.ending is not None:
        _wind_down(view, now, result)
    elif is_over(view, now):
        _put_to_rest(view, now, result)
    else:
        _bring_up(view, now, result)
    return result


def _wind_down(view: View, now: float, out: Plan) -> None:
    """The pod goes: end everything, then remove every trace."""
    ending = view.ending
    assert ending is not None  # noqa: S101 - the caller looked
    deadline = ending.since + ending.grace_s
    running = view.running()
    _stop_all(view, running, now, out, deadline=deadline, why="")
    if running:
        return
    if view.sandbox is not None:
        out.actions.append(do.KillContainer(view.sandbox.id))
    out.actions.append(do.DetachNetwork())
    for gone in (*view.all_containers(), *view.sandboxes):
        out.actions.append(do.RemoveContainer(gone.id))
    out.actions.append(do.TearDown())
    if ending.confirm:
        out.actions.append(do.ConfirmDeletion())


def _put_to_rest(view: View, now: float, out: Plan) -> None:
    """All is done: free the address, keep the dead containers for their logs."""
    running = view.running()
    deadline = deadline_of(view)
    late = deadline is not None and now >= deadline
    why = "Pod was active on the node longer than the specified deadline" if late else ""
    grace_s = grace_of(view.pod)
    if view.memory.grace_s is not None:
        grace_s = min(grace_s, view.memory.grace_s)
    _stop_all(view, running, now, out, deadline=now + grace_s, why=why)
    if running:
        return
    if view.sandbox is not None:
        out.actions.append(do.KillContainer(view.sandbox.id))
    if view.memory.address:
        out.actions.append(do.DetachNetwork())


def _stop_all(
    view: View, running: Iterable[Container], now: float, out: Plan, *, deadline: float, why: str
) -> None:
    for container in running:
        ends = view.memory.stopping.get(container.id)
        if ends is None:
            out.actions.append(_stop(container, max(0.0, deadline - now), why))
        elif now >= deadline:
            out.actions.append(do.KillContainer(container.id))
        elif deadline < ends:  # a later delete may shorten the grace
            out.wake(deadline)


def _bring_up(view: View, now: float, out: Plan) -> None:
    """Make what is wanted and missing, one floor after the other."""
    deadline = deadline_of(view)
    if deadline is not None:
        out.wake(deadline)
    _sweep(view, out)
    if not _has_floor(view, now, out):
        return
    todo = _next_wishes(view)
    for wish, role in todo:
        _container(view, wish, role, now, out)
    for wish in debuggers(view.pod):
        target = target_of(view.pod, wish.name)
        seen = view.newest(target)
        if not target or (seen is not None and seen.state is State.RUNNING):
            _container(view, wish, marks.ROLE_DEBUG, now, out)


def _has_floor(view: View, now: float, out: Plan) -> bool:
    """Whether volumes, sandbox and address are there; else plan the one that is missing."""
    memory = view.memory
    fault = memory.faults.get(marks.SANDBOX_NAME)
    sandbox = view.sandbox
    step: do.Action | None = None
    if not memory.volumes_ready:
        step = do.SetUpVolumes()
    elif sandbox is None:
        lost = view.running()
        for orphan in lost:  # their network namespace is gone
            if orphan.id not in memory.stopping:
                out.actions.append(_stop(orphan, 0.0, SANDBOX_CHANGED))
        if lost:
            return False
        if memory.address:
            out.actions.append(do.DetachNetwork())
        step = do.StartSandbox(_sandbox_attempt(view))
    elif not memory.address:
        step = do.AttachNetwork(sandbox.id, sandbox.pid)
    if step is None:
        return True
    if fault is not None and now < fault.retry_at:
        out.wake(fault.retry_at)
    else:
        out.actions.append(step)
    return False


def _sandbox_attempt(view: View) -> int:
    if view.sandboxes:
        return 1 + marks.restart_count(view.sandboxes[0].marks)
    # somebody removed it: the address in the last status tells that there was one
    return 1 if view.memory.last.podIP else 0


def _next_wishes(view: View) -> list[tuple[ContainerWish, str]]:
    """Which containers may be started or watched now: the init container whose turn it is and
    the sidecars before it, or everything when the init containers are done.
    """
    sandbox = view.sandbox
    assert sandbox is not None  # noqa: S101 - _has_floor says so
    begun = any(
        c.marks.get(marks.SANDBOX) == sandbox.id
        for wish in view.pod.spec.containers
        for c in view.containers.get(wish.name, ())
    )
    wishes: list[tuple[ContainerWish, str]] = []
    for wish in view.pod.spec.initContainers:
        if is_sidecar(wish):
            wishes.append((wish, marks.ROLE_INIT))
            if not begun and not _sidecar_is_up(view, wish):
                return wishes
        elif not begun and not init_is_done(view, wish):
            return [*wishes, (wish, marks.ROLE_INIT)]
    return [*wishes, *((wish, marks.ROLE_APP) for wish in view.pod.spec.containers)]


def _sidecar_is_up(view: View, wish: ContainerWish) -> bool:
    newest = view.newest(wish.name)
    if newest is None or newest.state is not State.RUNNING or newest.id in view.memory.hooks:
        return False
    return wish.startupProbe is None or view.health(newest).started is True


def _container(view: View, wish: ContainerWish, role: str, now: float, out: Plan) -> None:  # noqa: PLR0917
    newest = view.newest(wish.name)
    if newest is not None and newest.state is State.RUNNING:
        _running(view, wish, newest, out)
        return
    turn = _next_turn(view, wish, role, now)
    if isinstance(turn, _Turn):
        if newest is not None and newest.state is State.CREATED:
            out.actions.append(do.RemoveContainer(newest.id))
        start = do.StartContainer(
            wish=wish,
            role=role,
            sandbox_id=view.sandbox.id if view.sandbox is not None else "",
            attempt=turn.attempt,
            streak=turn.streak,
            sees=_seen_by(view, wish.name) if role == marks.ROLE_DEBUG else "",
        )
        _start_when_ready(view, start, now, out)
    elif turn is not None:
        out.wake(turn)
        assert newest is not None  # noqa: S101 - only an ended container has to wait
        out.waiting[wish.name] = Waiting("CrashLoopBackOff", _crash_text(view.pod, newest))


def _seen_by(view: View, name: str) -> str:
    seen = view.newest(target_of(view.pod, name))
    return seen.id if seen is not None else ""


@dataclass(frozen=True, slots=True)
class _Turn:
    """A container may start, with these numbers."""

    attempt: int = 0
    streak: int = 0


def _next_turn(view: View, wish: ContainerWish, role: str, now: float) -> _Turn | float | None:
    """The next start of a container that does not run: now, at a later time, or never."""
    policy = policy_of(view.pod, wish, role)
    newest = view.newest(wish.name)
    if newest is None:
        before = view.last_of(wish.name)
        if before is None or not before.containerID:
            return _Turn()
        # somebody removed it behind our back: that is a death like any other
        again = restarts.runs_again(policy, LOST_EXIT_CODE)
        return _Turn(before.restartCount + 1, streak=1) if again else None
    if newest.state is State.CREATED:
        # made but never started: the agent died between, or the start failed
        return _Turn(
            marks.restart_count(newest.marks), streak=marks.number(newest.marks, marks.STREAK)
        )
    return _successor(wish, role, newest, policy=policy, now=now)


def _successor(
    wish: ContainerWish, role: str, ended: Container, *, policy: str, now: float
) -> _Turn | float | None:
    attempt = marks.restart_count(ended.marks) + 1
    if role == marks.ROLE_INIT and not is_sidecar(wish) and ended.exit_code == 0:
        return _Turn(attempt)  # it is its turn again: the sandbox is new
    if not restarts.runs_again(policy, ended.exit_code):
        return None
    if ended.marks.get(marks.HASH) != wish_hash(wish):
        return _Turn(attempt)
    due = restarts.due_at(ended)
    return due if now < due else _Turn(attempt, restarts.streak(ended) + 1)


def _start_when_ready(view: View, start: do.StartContainer, now: float, out: Plan) -> None:
    """Start it if its image is here and nothing that failed before has to be waited out."""
    name = start.wish.name
    fault = view.memory.faults.get(name)
    if fault is not None and now < fault.retry_at:
        out.wake(fault.retry_at)
        out.waiting[name] = Waiting(fault.reason, fault.message)
        return
    match view.memory.images.get(name):
        case ImageReady():
            out.actions.append(start)
        case ImageUnderway():
            pass
        case Fault() as failed if now < failed.retry_at:
            out.waiting[name] = _image_waiting(start.wish, failed, now, out)
        case _:
            out.actions.append(do.FetchImage(start.wish))


def _image_waiting(wish: ContainerWish, failed: Fault, now: float, out: Plan) -> Waiting:
    out.wake(failed.retry_at)
    if now < failed.at + ERR_SHOWN_S or failed.reason not in BACKOFF_REASONS:
        out.wake(failed.at + ERR_SHOWN_S)
        return Waiting(failed.reason, failed.message)
    reason = BACKOFF_REASONS[failed.reason]
    if reason == failed.reason:
        return Waiting(reason, failed.message)
    return Waiting(reason, f'Back-off pulling image "{wish.image}": {failed.message}')


def _running(view: View, wish: ContainerWish, container: Container, out: Plan) -> None:
    if container.id in view.memory.stopping:
        return
    health = view.health(container)
    why = ""
    if view.sandbox is None or container.marks.get(marks.SANDBOX) != view.sandbox.id:
        why = SANDBOX_CHANGED
    elif container.marks.get(marks.HASH) != wish_hash(wish):
        why = f"Container {wish.name} definition changed, will be restarted"
    elif view.memory.hooks.get(container.id) is Hook.FAILED:
        why = "FailedPostStartHook"
    elif health.started is False:
        why = f"Container {wish.name} failed startup probe, will be restarted"
    elif health.live is False:
        why = f"Container {wish.name} failed liveness probe, will be restarted"
    if why:
        out.actions.append(_stop(container, _grace_after(view, wish, container), why))


def _grace_after(view: View, wish: ContainerWish, container: Container) -> float:
    """A probe may bring its own grace period."""
    health = view.health(container)
    probe = wish.startupProbe if health.started is False else wish.livenessProbe
    failed = health.started is False or health.live is False
    if failed and probe is not None and probe.terminationGracePeriodSeconds is not None:
        return float(probe.terminationGracePeriodSeconds)
    return grace_of(view.pod)


def _sweep(view: View, out: Plan) -> None:
    """Keep the newest dead containers (for their logs and counts), stop what no name wants."""
    names = {w.name for w in every_wish(view.pod)}
    for name, group in view.containers.items():
        if name not in names:
            for unknown in group:
                out.actions.append(_drop(unknown))
            continue
        dead = [c for c in group if c.state is State.EXITED]
        out.actions.extend(do.RemoveContainer(c.id) for c in dead[view.dead_kept :])
    used = {c.marks.get(marks.SANDBOX) for c in view.all_containers()}
    for old in view.sandboxes[0 if view.sandbox is None else 1 :]:
        if old.id not in used and not (view.sandbox is None and old is view.sandboxes[0]):
            out.actions.append(do.RemoveContainer(old.id))


def _drop(unknown: Container) -> do.Action:
    if unknown.state is State.RUNNING:
        return do.KillContainer(unknown.id)
    return do.RemoveContainer(unknown.id)


def _stop(container: Container, grace_s: float, why: str) -> do.StopContainer:
    return do.StopContainer(
        container_id=container.id,
        name=container.marks.get(marks.CONTAINER_NAME, ""),
        grace_s=grace_s,
        why=why,
    )


def _crash_text(pod: Pod, ended: Container) -> str:
    pause = restarts.pause_s(ended)
    minutes, seconds = divmod(int(pause), 60)
    text = f"{minutes}m{seconds}s" if minutes else f"{seconds}s"
    name = ended.marks.get(marks.CONTAINER_NAME, "")
    meta = pod.metadata
    return (
        f"back-off {text} restarting failed container={name} "
        f"pod={meta.name}_{meta.namespace}({meta.uid})"
    )
