"""A pod's row in a table: how many containers are ready, and its state in one word.

Called through the `POD` kind. The word is what users go by: `CrashLoopBackOff`, `Init:0/2`,
`Completed`, `Terminating`. Source: kubernetes `pkg/printers/internalversion/printers.go`.
"""

from dataclasses import dataclass
from typing import Any

from appliance.api.ages import seconds_of, since
from appliance.api.kind import Column
from appliance.api.kinds.cells import NONE, age
from appliance.api.kinds.core.pod.object import Pod
from appliance.api.kinds.core.pod.status import ContainerStateTerminated, ContainerStatus

COLUMNS = (
    Column("Name", format="name"),
    Column("Ready"),
    Column("Status"),
    Column("Restarts"),
    Column("Age"),
    Column("IP", wide=True),
    Column("Node", wide=True),
    Column("Nominated Node", wide=True),
    Column("Readiness Gates", wide=True),
)
NODE_LOST = "NodeLost"
"""status.reason of a pod on a node that went away."""


@dataclass(slots=True)
class _Count:
    """Restarts so far, and when the last ended."""

    restarts: int = 0
    last: str | None = None

    def add(self, status: ContainerStatus) -> None:
        self.restarts += status.restartCount
        ended = status.lastState.terminated and status.lastState.terminated.finishedAt
        if ended and (self.last is None or seconds_of(self.last) < seconds_of(ended)):
            self.last = ended

    def show(self, now: float) -> str:
        if self.restarts and self.last:
            return f"{self.restarts} ({since(self.last, now)} ago)"
        return str(self.restarts)


@dataclass(slots=True)
class _Summary:
    word: str
    ready: int
    restarts: _Count


def cells(obj: Pod, now: float) -> list[Any]:
    """Give the row of `kubectl get pods -o wide`."""
    summary = _summarise(obj)
    total = len(obj.spec.containers) + len(_sidecars(obj))
    ips = [p.ip for p in obj.status.podIPs] or [obj.status.podIP]
    return [
        obj.metadata.name,
        f"{summary.ready}/{total}",
        summary.word,
        summary.restarts.show(now),
        age(obj, now),
        ips[0] or NONE,
        obj.spec.nodeName or NONE,
        obj.status.nominatedNodeName or NONE,
        _gates(obj),
    ]


def state_word(obj: Pod) -> str:
    """Give the STATUS of a pod, as `kubectl get` prints it."""
    return _summarise(obj).word


def _sidecars(obj: Pod) -> set[str]:
    return {c.name for c in obj.spec.initContainers if c.restartPolicy == "Always"}


def _gates(obj: Pod) -> str:
    gates = [g.conditionType for g in obj.spec.readinessGates]
    if not gates:
        return NONE
    true = {c.type for c in obj.status.conditions if c.status == "True"}
    return f"{sum(g in true for g in gates)}/{len(gates)}"


def _summarise(obj: Pod) -> _Summary:
    status = obj.status
    word = status.reason or status.phase
    if any(c.type == "PodScheduled" and c.reason == "SchedulingGated" for c in status.conditions):
        word = "SchedulingGated"
    summary = _Summary(word, 0, _Count())
    stuck = _go_through_init(obj, summary)
    initialized = any(c.type == "Initialized" and c.status == "True" for c in status.conditions)
    if not stuck or initialized:
        _go_through_containers(obj, summary)
    if obj.metadata.deletionTimestamp:
        if status.reason == NODE_LOST:
            summary.word = "Unknown"
        elif status.phase not in ("Succeeded", "Failed"):
            summary.word = "Terminating"
    return summary


def _go_through_init(obj: Pod, summary: _Summary) -> bool:
    """Count init containers up to the first that is not through; True if there is one."""
    sidecars = _sidecars(obj)
    for index, status in enumerate(obj.status.initContainerStatuses):
        summary.restarts.add(status)
        ended = status.state.terminated
        if ended and ended.exitCode == 0:
            continue
        if status.name in sidecars and status.started:
            summary.ready += status.ready
            continue
        waiting = status.state.waiting
        if ended:
            summary.word = f"Init:{_end(ended)}"
        elif waiting and waiting.reason not in ("", "PodInitializing"):
            summary.word = f"Init:{waiting.reason}"
        else:
            summary.word = f"Init:{index}/{len(obj.spec.initContainers)}"
        return True
    return False


def _end(ended: ContainerStateTerminated) -> str:
    if ended.reason:
        return ended.reason
    return f"Signal:{ended.signal}" if ended.signal else f"ExitCode:{ended.exitCode}"


def _go_through_containers(obj: Pod, summary: _Summary) -> None:
    """Once init is over only sidecars and containers count; the first in trouble gives the word."""
    sidecars = _sidecars(obj)
    summary.restarts = _Count()
    for status in obj.status.initContainerStatuses:
        if status.name in sidecars:
            summary.restarts.add(status)
    running = False
    for status in reversed(obj.status.containerStatuses):
        summary.restarts.add(status)
        state = status.state
        if state.waiting and state.waiting.reason:
            summary.word = state.waiting.reason
        elif state.terminated:
            summary.word = _end(state.terminated)
        elif status.ready and state.running:
            running = True
            summary.ready += 1
    if summary.word == "Completed" and running:
        ready = any(c.type == "Ready" and c.status == "True" for c in obj.status.conditions)
        summary.word = "Running" if ready else "NotReady"
