"""RuntimeClass: a way to run containers that pods can ask for by name."""

from typing import Annotated, Any

from appliance.api import names
from appliance.api.errors import Cause
from appliance.api.kind import Column, Kind
from appliance.api.kinds import checks
from appliance.api.kinds.cells import age
from appliance.api.kinds.core.pod.affinity import Toleration
from appliance.api.kinds.core.pod.validate_resources import resource_amount
from appliance.api.kinds.core.pod.validate_scheduling import tolerations
from appliance.api.meta import KubeObject
from appliance.api.schema import F, Message, Quantity, always
from appliance.api.validate_meta import labels


class Overhead(Message):
    """What a pod takes beside its containers."""

    podFixed: Annotated[dict[str, Quantity], F(1, "Fixed amounts for each pod.")] = {}


class Scheduling(Message):
    """Which nodes pods of a class may go to."""

    nodeSelector: Annotated[
        dict[str, str], F(1, "Labels that such nodes have.", map_type="atomic")
    ] = {}
    tolerations: Annotated[
        list[Toleration], F(2, "Tolerations that the pods get.", list_type="atomic")
    ] = []


class RuntimeClass(KubeObject):
    """A way to run containers that pods can ask for by name."""

    handler: Annotated[str, F(2, "Name of the way as nodes know it.", required=True)] = always(str)
    overhead: Annotated[Overhead | None, F(3, "What a pod takes beside its containers.")] = None
    scheduling: Annotated[
        Scheduling | None, F(4, "Which nodes know this way; all unless said.")
    ] = None


def _cells(obj: RuntimeClass, now: float) -> list[Any]:
    return [obj.metadata.name, obj.handler, age(obj, now)]


def _validate(obj: RuntimeClass) -> list[Cause]:
    found = list(checks.named(names.dns_label, obj.handler, "handler"))
    if obj.overhead:
        for name, amount in obj.overhead.podFixed.items():
            found += resource_amount(name, amount, f"overhead.podFixed[{name}]")
    if obj.scheduling:
        found += labels(obj.scheduling.nodeSelector, "scheduling.nodeSelector")
        found += tolerations(obj.scheduling.tolerations, "scheduling.tolerations")
    return found


def _validate_update(new: RuntimeClass, old: RuntimeClass) -> list[Cause]:
    return list(checks.same(new.handler, old.handler, "handler"))


RUNTIME_CLASS = Kind(
    group="node.k8s.io",
    version="v1",
    kind="RuntimeClass",
    plural="runtimeclasses",
    singular="runtimeclass",
    namespaced=False,
    type=RuntimeClass,
    columns=(Column("Name", format="name"), Column("Handler"), Column("Age")),
    cells=_cells,
    validate=_validate,
    validate_update=_validate_update,
    has_generation=False,
    unconditional_update=False,
    create_on_update=True,
)
