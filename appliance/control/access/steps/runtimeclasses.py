"""Runtime classes: pods may name one that exists.

Source: kubernetes `plugin/pkg/admission/runtimeclass`.
"""

from appliance.api.kinds.core.pod.kind import POD, Pod
from appliance.api.kinds.node.runtimeclass import RUNTIME_CLASS, Scheduling
from appliance.control.access.steps.base import Attempt
from appliance.control.registry.base import Lookup


class RuntimeClasses:
    """Refuses pods that name a class that is not there, and adds what the class says."""

    def __init__(self, lookup: Lookup) -> None:
        self._lookup = lookup

    async def admit(self, attempt: Attempt) -> None:
        """See the class."""
        if attempt.kind is not POD or attempt.verb != "create":
            return
        pod: Pod = attempt.obj
        name = pod.spec.runtimeClassName
        if not name:
            return
        found = await self._lookup.find(RUNTIME_CLASS, "", name)
        if found is None:
            raise attempt.forbid(f'pod rejected: RuntimeClass "{name}" not found')
        if found.overhead:
            if pod.spec.overhead and pod.spec.overhead != found.overhead.podFixed:
                raise attempt.forbid(
                    "pod rejected: Pod's Overhead doesn't match RuntimeClass's defined Overhead"
                )
            pod.spec.overhead = dict(found.overhead.podFixed)
        if found.scheduling:
            _schedule(attempt, pod, found.scheduling)


def _schedule(attempt: Attempt, pod: Pod, wanted: Scheduling) -> None:
    for key, value in wanted.nodeSelector.items():
        if pod.spec.nodeSelector.get(key, value) != value:
            raise attempt.forbid(
                "pod rejected: conflict: runtimeClass.scheduling.nodeSelector"
                f"[{key}] = {value}; pod.spec.nodeSelector[{key}] = {pod.spec.nodeSelector[key]}"
            )
    pod.spec.nodeSelector = pod.spec.nodeSelector | wanted.nodeSelector
    present = pod.spec.tolerations
    pod.spec.tolerations = [*present, *(t for t in wanted.tolerations if t not in present)]
