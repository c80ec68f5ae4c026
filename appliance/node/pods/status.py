"""Pure: what was seen of a pod → the `PodStatus` to report.

Called by the worker after each look; compared with the last one so that only changes are sent.
Conditions that others set (readiness gates, PodScheduled) are kept as they are.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from appliance.api.kinds.core.pod.container import Container as ContainerWish
from appliance.api.kinds.core.pod.container import VolumeMount
from appliance.api.kinds.core.pod.qos import qos_class
from appliance.api.kinds.core.pod.status import (
    ContainerState,
    ContainerStateRunning,
    ContainerStateTerminated,
    ContainerStateWaiting,
    ContainerStatus,
    HostIP,
    PodIP,
    PodStatus,
    VolumeMountStatus,
)
from appliance.kit.clock import rfc3339
from appliance.node.pods.conditions import conditions
from appliance.node.pods.everyone import debuggers
from appliance.node.pods.outcome import (
    LOST_EXIT_CODE,
    TERMINAL,
    deadline_of,
    init_failed,
    init_is_done,
    is_lost,
    is_over,
)
from appliance.node.pods.plan import Plan
from appliance.node.pods.view import View, is_sidecar
from appliance.node.runtimes import marks
from appliance.node.runtimes.base import Container, State


@dataclass(frozen=True, slots=True)
class Place:
    """Where the pod runs: the node's address and the engine's name for container ids."""

    host_ip: str
    engine: str


def status(view: View, plan: Plan, place: Place, now: float) -> PodStatus:
    """Say what is."""
    pod, last = view.pod, view.memory.last
    init = [_container(view, plan, place, w) for w in pod.spec.initContainers]
    apps = [_container(view, plan, place, w) for w in pod.spec.containers]
    address = place.host_ip if pod.spec.hostNetwork else view.memory.address or last.podIP
    if not pod.spec.hostNetwork and not view.memory.address and not is_over(view, now):
        address = ""  # the sandbox is new: the old address is no longer this pod's
    made = PodStatus(
        phase=_phase(view, init, apps, now),
        hostIP=place.host_ip,
        hostIPs=[HostIP(ip=place.host_ip)] if place.host_ip else [],
        podIP=address,
        podIPs=[PodIP(ip=address)] if address else [],
        startTime=last.startTime or rfc3339(now),
        initContainerStatuses=init,
        containerStatuses=apps,
        ephemeralContainerStatuses=[_ephemeral(view, plan, place, wish) for wish in debuggers(pod)],
        qosClass=last.qosClass or pod.status.qosClass or qos_class(pod.spec),
        observedGeneration=pod.metadata.generation,
        reason=last.reason,
        message=last.message,
    )
    deadline = deadline_of(view)
    if deadline is not None and now >= deadline and last.phase not in TERMINAL:
        made.reason = "DeadlineExceeded"
        made.message = "Pod was active on the node longer than the specified deadline"
    made.conditions = conditions(view, made, now)
    return made


def _phase(
    view: View, init: Sequence[ContainerStatus], apps: Sequence[ContainerStatus], now: float
) -> str:
    last = view.memory.last
    if last.phase in TERMINAL:
        return last.phase
    if view.ending is None and is_over(view, now):
        failed = init_failed(view) or _is_late(view, now) or _any_failed(apps)
        return "Failed" if failed else "Succeeded"
    if _init_pending(view, init):
        return "Pending"
    begun = all(s.state.running or s.state.terminated or s.lastState.terminated for s in apps)
    return "Running" if begun and apps else "Pending"


def _is_late(view: View, now: float) -> bool:
    deadline = deadline_of(view)
    return deadline is not None and now >= deadline


def _any_failed(apps: Sequence[ContainerStatus]) -> bool:
    return any(s.state.terminated is None or s.state.terminated.exitCode != 0 for s in apps)


def _init_pending(view: View, init: Sequence[ContainerStatus]) -> bool:
    """Whether some init container has its turn still before it, and no app container began."""
    begun = any(view.containers.get(w.name) for w in view.pod.spec.containers)
    return (
        bool(init)
        and not begun
        and not all(
            _init_ready(view, wish, state)
            for wish, state in zip(view.pod.spec.initContainers, init, strict=True)
        )
    )


def _init_ready(view: View, wish: ContainerWish, state: ContainerStatus) -> bool:
    if is_sidecar(wish):
        return state.started is True
    return init_is_done(view, wish)


def _ephemeral(view: View, plan: Plan, place: Place, wish: ContainerWish) -> ContainerStatus:
    """Never ready: nobody waits for it."""
    made = _container(view, plan, place, wish)
    made.ready, made.started = False, None
    return made


def _container(view: View, plan: Plan, place: Place, wish: ContainerWish) -> ContainerStatus:
    group = view.containers.get(wish.name, ())
    newest = group[0] if group else None
    made = ContainerStatus(name=wish.name, image=wish.image, started=False)
    made.volumeMounts = [_mount(mount) for mount in wish.volumeMounts]
    made.resources = wish.resources
    if newest is None:
        _absent(view, plan, wish, made)
        return made
    made.image = newest.image or wish.image
    made.imageID = _image_id(newest, place)
    made.containerID = _id(newest, place)
    made.restartCount = marks.restart_count(newest.marks)
    dead = [c for c in group if c.state is State.EXITED]
    waits = plan.waiting.get(wish.name)
    if newest.state is State.RUNNING and newest.id in view.memory.hooks:
        made.state.waiting = ContainerStateWaiting(reason="ContainerCreating")
    elif newest.state is State.RUNNING:
        made.state.running = ContainerStateRunning(startedAt=rfc3339(newest.started_at))
        _judge(view, wish, newest, made)
    elif newest.state is State.CREATED or waits is not None:
        reason = waits.reason if waits is not None else "ContainerCreating"
        message = waits.message if waits is not None else ""
        made.state.waiting = ContainerStateWaiting(reason=reason, message=message)
    else:
        made.state.terminated = _ended(view, newest, place)
        made.ready = wish.name in {w.name for w in view.pod.spec.initContainers} and (
            newest.exit_code == 0
        )
    before = dead if made.state.terminated is None else dead[1:]
    if before:
        made.lastState.terminated = _ended(view, before[0], place)
    else:
        made.lastState = _remembered(view, wish, made)
    return made


def _mount(mount: VolumeMount) -> VolumeMountStatus:
    return VolumeMountStatus(
        name=mount.name,
        mountPath=mount.mountPath,
        readOnly=mount.readOnly,
        recursiveReadOnly="Disabled" if mount.readOnly else None,
    )


def _remembered(view: View, wish: ContainerWish, made: ContainerStatus) -> ContainerState:
    """The last state of a container whose dead predecessor is no longer there to be asked."""
    before = view.last_of(wish.name)
    if before is None or made.restartCount == 0:
        return ContainerState()
    if before.restartCount == made.restartCount:
        return before.lastState
    return ContainerState(terminated=before.state.terminated or before.lastState.terminated)


def _absent(view: View, plan: Plan, wish: ContainerWish, made: ContainerStatus) -> None:
    """No container of this name is there: it was never made, or somebody removed it."""
    before = view.last_of(wish.name)
    waits = plan.waiting.get(wish.name)
    if is_lost(view, wish) and before is not None:
        made.restartCount = before.restartCount
        made.containerID, made.imageID = before.containerID, before.imageID
        if before.state.terminated is not None:
            made.state, made.lastState = before.state, before.lastState
            return
        lost = ContainerStateTerminated(
            exitCode=LOST_EXIT_CODE,
            reason="ContainerStatusUnknown",
            message="The container could not be located when the pod was looked at",
            containerID=before.containerID,
        )
        made.state.terminated = lost
        return
    if waits is not None:
        made.state.waiting = ContainerStateWaiting(reason=waits.reason, message=waits.message)
        return
    is_app = any(w.name == wish.name for w in view.pod.spec.containers)
    initializing = is_app and bool(view.pod.spec.initContainers)
    reason = "PodInitializing" if initializing else "ContainerCreating"
    if not is_app and not view.containers:
        reason = "PodInitializing"
    made.state.waiting = ContainerStateWaiting(reason=reason)


def _judge(view: View, wish: ContainerWish, running: Container, made: ContainerStatus) -> None:
    """Started and ready, by its probes; without a probe running is enough."""
    health = view.health(running)
    made.started = True if wish.startupProbe is None else health.started is True
    going = running.id in view.memory.stopping
    ready = True if wish.readinessProbe is None else health.ready is True
    made.ready = made.started and ready and not going


def _ended(view: View, dead: Container, place: Place) -> ContainerStateTerminated:
    code = dead.exit_code
    reason = "OOMKilled" if dead.oom_killed else "Completed" if code == 0 else "Error"
    return ContainerStateTerminated(
        exitCode=code,
        reason=reason,
        message=view.messages.get(dead.id, ""),
        startedAt=rfc3339(dead.started_at) if dead.started_at else None,
        finishedAt=rfc3339(dead.finished_at) if dead.finished_at else None,
        containerID=_id(dead, place),
    )


def _id(container: Container, place: Place) -> str:
    return f"{place.engine}://{container.id}"


def _image_id(container: Container, place: Place) -> str:
    """`docker://sha256:…`: an image without a registry has no digest of its own."""
    return f"{place.engine}://{container.image_id}" if container.image_id else ""
