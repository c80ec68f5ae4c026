"""Pods: grace on a node."""

from typing_extensions import override

from appliance.api.kinds.core.pod.kind import Pod
from appliance.api.meta import DeleteOptions
from appliance.control.registry.strategy import LEAST_GRACE_S, Strategy

_DEFAULT_GRACE_S = 30
FINISHED = frozenset({"Succeeded", "Failed"})


class PodStrategy(Strategy):
    """A pod that a node may be running is stopped by the node first."""

    is_graceful = True

    @override
    def grace_s(self, obj: Pod, options: DeleteOptions) -> int:
        if not obj.spec.nodeName or obj.status.phase in FINISHED:
            return 0  # nobody runs it
        wanted = options.gracePeriodSeconds
        if wanted is None:
            wanted = obj.spec.terminationGracePeriodSeconds
        if wanted is None:
            return _DEFAULT_GRACE_S
        return wanted if wanted >= 0 else LEAST_GRACE_S

    @override
    def is_finished(self, obj: Pod) -> bool:
        return obj.metadata.deletionGracePeriodSeconds == 0
