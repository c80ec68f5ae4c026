"""Namespaces: a delete only marks them; they go when their content is gone."""

from typing_extensions import override

from appliance.api.kinds.core.namespace import Namespace
from appliance.control.registry.strategy import Strategy

TERMINATING = "Terminating"


class NamespaceStrategy(Strategy):
    """spec.finalizers stands for the content; the namespace controller clears it (/finalize)."""

    @override
    def begin_delete(self, obj: Namespace) -> None:
        obj.status.phase = TERMINATING
        obj.metadata.deletionGracePeriodSeconds = None

    @override
    def is_finished(self, obj: Namespace) -> bool:
        return not obj.spec.finalizers
