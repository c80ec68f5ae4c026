"""Quality-of-service class of a pod: who is stopped first when memory runs short.

Called when a pod is created and by the node agent.
Source: kubernetes `pkg/apis/core/v1/helper/qos`.
"""

from collections.abc import Iterable, Mapping

from appliance.api.kinds.core.pod.container import ResourceRequirements
from appliance.api.kinds.core.pod.spec import PodSpec

COUNTED = ("cpu", "memory")


def qos_class(spec: PodSpec) -> str:
    """`Guaranteed` where limits equal requests throughout, `BestEffort` where nothing is said."""
    if spec.resources and (spec.resources.limits or spec.resources.requests):
        wants = [spec.resources]
    else:
        wants = [c.resources for c in (*spec.containers, *spec.initContainers)]
    if not any(_counted(r.requests) or _counted(r.limits) for r in wants):
        return "BestEffort"
    return "Guaranteed" if _all_pinned(wants) else "Burstable"


def _counted(amounts: Mapping[str, str | int | float]) -> dict[str, str]:
    shown = {name: str(amounts[name]) for name in COUNTED if name in amounts}
    return {name: amount for name, amount in shown.items() if amount != "0"}


def _all_pinned(wants: Iterable[ResourceRequirements]) -> bool:
    for want in wants:
        limits = _counted(want.limits)
        if len(limits) < len(COUNTED) or _counted(want.requests) != limits:
            return False
    return True
