"""Runtime classes: there are none yet, so nobody can ask for one.

Source: kubernetes `plugin/pkg/admission/runtimeclass`.
"""

from appliance.api.kinds.core.pod.kind import POD, Pod
from appliance.control.access.steps.base import Attempt


class RuntimeClasses:
    """Refuses pods that name a class; every container runs under the node's one runtime."""

    async def admit(self, attempt: Attempt) -> None:
        """See the class."""
        if attempt.kind is not POD or attempt.verb != "create":
            return
        pod: Pod = attempt.obj
        if name := pod.spec.runtimeClassName:
            raise attempt.forbid(f'pod rejected: RuntimeClass "{name}" not found')
