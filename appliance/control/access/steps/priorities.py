"""Priority of pods, from the name of their class.

Source: kubernetes `plugin/pkg/admission/priority`.
"""

from appliance.api.kinds.core.pod.kind import POD, Pod
from appliance.api.kinds.scheduling.priorityclass import (
    PRIORITY_CLASS,
    SYSTEM_CLASSES,
    PriorityClass,
)
from appliance.control.access.steps.base import Attempt
from appliance.control.registry.base import Lookup

PREEMPTS = "PreemptLowerPriority"


class Priorities:
    """Sets spec.priority and spec.preemptionPolicy; users may only name a class."""

    def __init__(self, lookup: Lookup) -> None:
        self._lookup = lookup

    async def admit(self, attempt: Attempt) -> None:
        """See the module."""
        if attempt.kind is PRIORITY_CLASS:
            await self._check_class(attempt)
            return
        if attempt.kind is not POD or attempt.subresource or attempt.obj is None:
            return
        pod: Pod = attempt.obj
        if attempt.verb == "update":
            _keep(pod, attempt.old)
            return
        value, policy = await self._value(attempt, pod)
        if pod.spec.priority not in (None, value):
            raise attempt.forbid(
                f"the integer value of priority ({pod.spec.priority}) must not be provided in pod "
                f"spec; priority admission controller computed {value} from the given "
                "PriorityClass name"
            )
        if pod.spec.preemptionPolicy not in (None, policy):
            raise attempt.forbid(
                f"the string value of PreemptionPolicy ({pod.spec.preemptionPolicy}) must not be "
                f"provided in pod spec; priority admission controller computed {policy} from the "
                "given PriorityClass name"
            )
        pod.spec.priority, pod.spec.preemptionPolicy = value, policy

    async def _value(self, attempt: Attempt, pod: Pod) -> tuple[int, str]:
        name = pod.spec.priorityClassName
        if name in SYSTEM_CLASSES:
            return SYSTEM_CLASSES[name], PREEMPTS
        if name:
            found = await self._lookup.find(PRIORITY_CLASS, "", name)
            if found is None:
                raise attempt.forbid(f"no PriorityClass with name {name} was found")
        else:
            found = await self._default()
            if found is None:
                return 0, PREEMPTS
            pod.spec.priorityClassName = found.metadata.name
        return found.value, found.preemptionPolicy or PREEMPTS

    async def _default(self) -> PriorityClass | None:
        """The class that says it is for all; of several the lowest, as upstream has it."""
        every = await self._lookup.every(PRIORITY_CLASS)
        return min((c for c in every if c.globalDefault), key=lambda c: c.value, default=None)

    async def _check_class(self, attempt: Attempt) -> None:
        if attempt.verb == "delete":
            if attempt.name in SYSTEM_CLASSES:
                raise attempt.forbid("this is a system priority class and cannot be deleted")
            return
        default = await self._default() if attempt.obj.globalDefault else None
        if default is not None and default.metadata.name != attempt.name:
            why = (
                f"PriorityClass {default.metadata.name} is already marked as default."
                " Only one default can exist"
            )
            raise attempt.forbid(why)


def _keep(new: Pod, old: Pod) -> None:
    """A manifest that is applied again does not say what was worked out at its creation."""
    if new.spec.priority is None:
        new.spec.priority = old.spec.priority
    if new.spec.preemptionPolicy is None:
        new.spec.preemptionPolicy = old.spec.preemptionPolicy
