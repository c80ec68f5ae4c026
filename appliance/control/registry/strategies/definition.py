"""Definitions of custom kinds: their objects go before they do."""

from typing_extensions import override

from appliance.api.kinds.apiextensions.customresourcedefinition import (
    CustomResourceDefinition,
    CustomResourceDefinitionCondition,
)
from appliance.api.kinds.apiextensions.definition_rules import FINALIZER
from appliance.api.objects import set_condition
from appliance.control.registry.strategy import Strategy

_PENDING = "CustomResourceDefinition marked for deletion; CustomResource deletion will begin soon"


class DefinitionStrategy(Strategy):
    """A delete marks; the keeper of definitions empties the kind, then lets it go."""

    @override
    def begin_delete(self, obj: CustomResourceDefinition) -> None:
        meta = obj.metadata
        meta.deletionGracePeriodSeconds = None
        meta.generation -= 1  # upstream does not count this as a change of the definition
        if FINALIZER not in meta.finalizers:
            meta.finalizers = [*meta.finalizers, FINALIZER]
        conditions = list(obj.status.conditions or ())
        _ = set_condition(
            conditions,
            CustomResourceDefinitionCondition(
                type="Terminating",
                status="True",
                lastTransitionTime=meta.deletionTimestamp,
                reason="InstanceDeletionPending",
                message=_PENDING,
            ),
        )
        obj.status.conditions = conditions
