"""Pure: the conditions of a pod's status, out of its container statuses.

Called by `status` only. `lastTransitionTime` moves when the status of a condition changes, not
when its message does.
"""

from collections.abc import Sequence

from appliance.api.kinds.core.pod.status import ContainerStatus, PodCondition, PodStatus
from appliance.kit.clock import rfc3339
from appliance.node.pods.view import View, is_sidecar

OURS = (
    "PodReadyToStartContainers",
    "Initialized",
    "Ready",
    "ContainersReady",
    "PodScheduled",
)


DISRUPTION = "DisruptionTarget"


def disruption(message: str, now: float) -> PodCondition:
    """Says that the node had to end the pod."""
    return PodCondition(
        type=DISRUPTION,
        status="True",
        reason="TerminationByKubelet",
        message=message,
        lastTransitionTime=rfc3339(now),
    )


def conditions(view: View, made: PodStatus, now: float) -> list[PodCondition]:
    """All conditions of a pod: ours in the order of `OURS`, then those of others."""
    known = {c.type: c for c in (*view.pod.status.conditions, *view.memory.last.conditions)}
    others = [c for c in view.pod.status.conditions if c.type not in OURS]
    if not any(c.type == DISRUPTION for c in others):  # said, but not heard back yet
        others += [c for c in view.memory.last.conditions if c.type == DISRUPTION]
    containers = _containers_ready(view, made)
    wanted = [
        _flag("PodReadyToStartContainers", is_true=_floor_is_there(view)),
        _initialized(view, made),
        _ready(view, containers, others),
        containers,
        known.get("PodScheduled") or _flag("PodScheduled", is_true=True),
    ]
    for condition in wanted:
        before = known.get(condition.type)
        same = before is not None and before.status == condition.status
        kept = before.lastTransitionTime if before is not None and same else None
        condition.lastTransitionTime = kept or rfc3339(now)
        condition.observedGeneration = view.pod.metadata.generation
    return [*wanted, *others]


def _floor_is_there(view: View) -> bool:
    address = view.memory.address or view.pod.spec.hostNetwork
    return view.sandbox is not None and bool(address)


def _initialized(view: View, made: PodStatus) -> PodCondition:
    if made.phase == "Succeeded":
        return _flag("Initialized", is_true=True, reason="PodCompleted")
    begun = any(view.containers.get(w.name) for w in view.pod.spec.containers)
    sidecars = {w.name for w in view.pod.spec.initContainers if is_sidecar(w)}
    missing = [
        s.name
        for s in made.initContainerStatuses
        if not (s.started if s.name in sidecars else s.ready)
    ]
    if not missing or begun:
        return _flag("Initialized", is_true=True)
    return PodCondition(
        type="Initialized",
        status="False",
        reason="ContainersNotInitialized",
        message=f"containers with incomplete status: [{' '.join(missing)}]",
    )


def _containers_ready(view: View, made: PodStatus) -> PodCondition:
    if made.phase == "Succeeded":
        return _flag("ContainersReady", is_true=False, reason="PodCompleted")
    if made.phase == "Failed":
        return _flag("ContainersReady", is_true=False, reason="PodFailed")
    sidecars = {w.name for w in view.pod.spec.initContainers if is_sidecar(w)}
    watched: Sequence[ContainerStatus] = [
        *(s for s in made.initContainerStatuses if s.name in sidecars),
        *made.containerStatuses,
    ]
    unready = [s.name for s in watched if not s.ready]
    if not unready:
        return _flag("ContainersReady", is_true=True)
    return PodCondition(
        type="ContainersReady",
        status="False",
        reason="ContainersNotReady",
        message=f"containers with unready status: [{' '.join(unready)}]",
    )


def _ready(view: View, containers: PodCondition, others: Sequence[PodCondition]) -> PodCondition:
    gates = {g.conditionType for g in view.pod.spec.readinessGates}
    passed = {c.type for c in others if c.status == "True"}
    if containers.status == "True" and gates - passed:
        missing = sorted(gates - passed)
        return PodCondition(
            type="Ready",
            status="False",
            reason="ReadinessGatesNotReady",
            message=f'the status of pod readiness gates is not "True": {missing}',
        )
    return PodCondition(
        type="Ready",
        status=containers.status,
        reason=containers.reason,
        message=containers.message,
    )


def _flag(name: str, *, is_true: bool, reason: str = "") -> PodCondition:
    return PodCondition(type=name, status="True" if is_true else "False", reason=reason)
