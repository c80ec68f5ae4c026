"""Priority of pods, from the name of their class.

Source: kubernetes `plugin/pkg/admission/priority`.
"""

from appliance.api.kinds.core.pod.kind import POD, Pod
from appliance.control.access.steps.base import Attempt

SYSTEM_CLASSES = {"system-cluster-critical": 2_000_000_000, "system-node-critical": 2_000_001_000}
"""Two classes that every cluster has; their values are upstream's."""
PREEMPTS = "PreemptLowerPriority"


class Priorities:
    """Sets spec.priority and spec.preemptionPolicy; users may only name a class."""

    async def admit(self, attempt: Attempt) -> None:
        """See the module."""
        if attempt.kind is not POD or attempt.subresource or attempt.obj is None:
            return
        pod: Pod = attempt.obj
        if attempt.verb == "update":
            _keep(pod, attempt.old)
            return
        value = _value(attempt, pod.spec.priorityClassName)
        if pod.spec.priority not in (None, value):
            raise attempt.forbid(
                f"the integer value of priority ({pod.spec.priority}) must not be provided in pod "
                f"spec; priority admission controller computed {value} from the given "
                "PriorityClass name"
            )
        if pod.spec.preemptionPolicy not in (None, PREEMPTS):
            raise attempt.forbid(
                f"the string value of PreemptionPolicy ({pod.spec.preemptionPolicy}) must not be "
                f"provided in pod spec; priority admission controller computed {PREEMPTS} from the "
                "given PriorityClass name"
            )
        pod.spec.priority, pod.spec.preemptionPolicy = value, PREEMPTS


def _keep(new: Pod, old: Pod) -> None:
    """A manifest that is applied again does not say what was worked out at its creation."""
    if new.spec.priority is None:
        new.spec.priority = old.spec.priority
    if new.spec.preemptionPolicy is None:
        new.spec.preemptionPolicy = old.spec.preemptionPolicy


def _value(attempt: Attempt, name: str) -> int:
    if not name:
        return 0
    value = SYSTEM_CLASSES.get(name)
    if value is None:
        raise attempt.forbid(f"no PriorityClass with name {name} was found")
    return value
