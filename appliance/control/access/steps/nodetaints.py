"""What pods and nodes get so that a node that is not ready is neither used nor fled at once.

Source: kubernetes `plugin/pkg/admission/{defaulttolerationseconds,nodetaint}`.
"""

from appliance.api import taints
from appliance.api.kinds.core.node import NODE, Node, Taint
from appliance.api.kinds.core.pod.affinity import Toleration
from appliance.api.kinds.core.pod.kind import POD, Pod
from appliance.control.access.steps.base import Attempt


class DefaultTolerations:
    """Pods stay for a while on a node that is not ready or unreachable."""

    def __init__(self, *, not_ready_s: int, unreachable_s: int) -> None:
        self._stay_s = {taints.NOT_READY: not_ready_s, taints.UNREACHABLE: unreachable_s}

    async def admit(self, attempt: Attempt) -> None:
        """See the class."""
        if attempt.kind is not POD or attempt.subresource or attempt.obj is None:
            return
        pod: Pod = attempt.obj
        for key, stay_s in self._stay_s.items():
            if not any(_covers(t, key) for t in pod.spec.tolerations):
                added = Toleration(
                    key=key,
                    operator="Exists",
                    effect=taints.NO_EXECUTE,
                    tolerationSeconds=stay_s,
                )
                pod.spec.tolerations = [*pod.spec.tolerations, added]


class TaintNewNodes:
    """A new node takes no pods until the node controller has seen it ready."""

    async def admit(self, attempt: Attempt) -> None:
        """See the class."""
        if attempt.kind is not NODE or attempt.verb != "create":
            return
        node: Node = attempt.obj
        taint = Taint(key=taints.NOT_READY, effect=taints.NO_SCHEDULE)
        if not any(t.key == taint.key and t.effect == taint.effect for t in node.spec.taints):
            node.spec.taints = [*node.spec.taints, taint]


def _covers(toleration: Toleration, key: str) -> bool:
    return toleration.key in ("", key) and toleration.effect in ("", taints.NO_EXECUTE)
