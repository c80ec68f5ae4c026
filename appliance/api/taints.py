"""Taints of nodes and the tolerations of pods, as pure functions.

The scheduler asks which taints keep a pod off a node; the node life-cycle asks how long a pod may
stay on one. Source: Kubernetes documentation, "Taints and Tolerations".
"""

from collections.abc import Iterable, Sequence

from appliance.api.kinds.core.node import Taint
from appliance.api.kinds.core.pod.affinity import Toleration

NO_SCHEDULE = "NoSchedule"
PREFER_NO_SCHEDULE = "PreferNoSchedule"
NO_EXECUTE = "NoExecute"

UNSCHEDULABLE = "node.kubernetes.io/unschedulable"
NOT_READY = "node.kubernetes.io/not-ready"
UNREACHABLE = "node.kubernetes.io/unreachable"


def tolerates(toleration: Toleration, taint: Taint) -> bool:
    """Whether one toleration covers one taint; empty effect and key cover all."""
    if toleration.effect and toleration.effect != taint.effect:
        return False
    if toleration.key and toleration.key != taint.key:
        return False
    if toleration.operator == "Exists":
        return True
    # Without a key only Exists has a meaning; Equal is what an empty operator says.
    return bool(toleration.key) and toleration.value == taint.value


def is_tolerated(taint: Taint, tolerations: Iterable[Toleration]) -> bool:
    """Whether any toleration covers the taint."""
    return any(tolerates(toleration, taint) for toleration in tolerations)


def untolerated(
    taints: Iterable[Taint], tolerations: Sequence[Toleration], effects: Sequence[str]
) -> list[Taint]:
    """Taints with one of the effects that no toleration covers."""
    return [t for t in taints if t.effect in effects and not is_tolerated(t, tolerations)]


def may_stay_s(taints: Iterable[Taint], tolerations: Sequence[Toleration]) -> float | None:
    """Seconds that a pod may stay under NoExecute taints: None for ever, 0 not at all.

    The shortest of the tolerations that cover a taint counts, as upstream has it.
    """
    shortest: float | None = None
    for taint in taints:
        if taint.effect != NO_EXECUTE:
            continue
        covering = [t for t in tolerations if tolerates(t, taint)]
        if not covering:
            return 0.0
        limits = [max(0, t.tolerationSeconds) for t in covering if t.tolerationSeconds is not None]
        if limits:
            shortest = min([*limits, *([] if shortest is None else [shortest])])
    return shortest
