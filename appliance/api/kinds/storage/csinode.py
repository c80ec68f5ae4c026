"""CSINode: the CSI drivers of a node."""

from typing import Annotated, Any

from appliance.api import faults
from appliance.api.errors import Cause
from appliance.api.kind import Column, Kind
from appliance.api.kinds import checks
from appliance.api.kinds.cells import age
from appliance.api.meta import KubeObject
from appliance.api.schema import F, Int32, Message, always


class VolumeNodeResources(Message):
    """How much a node can take."""

    count: Annotated[Int32 | None, F(1, "How many volumes; no bound unless said.")] = None


class CSINodeDriver(Message):
    """A CSI driver on a node."""

    name: Annotated[str, F(1, "Name of the driver.", required=True)] = always(str)
    nodeID: Annotated[str, F(2, "The driver's name of the node.", required=True)] = always(str)
    topologyKeys: Annotated[
        list[str], F(3, "Labels that the driver puts on the node.", list_type="atomic")
    ] = always(list)
    allocatable: Annotated[VolumeNodeResources | None, F(4, "How much the node can take.")] = None


class CSINodeSpec(Message):
    """The CSI drivers of a node."""

    drivers: Annotated[
        list[CSINodeDriver],
        F(
            1,
            "The drivers.",
            required=True,
            merge=True,
            merge_key="name",
            list_type="map",
            list_keys=("name",),
        ),
    ] = always(list)


class CSINode(KubeObject):
    """The CSI drivers of a node."""

    spec: Annotated[CSINodeSpec, F(2, "What is wanted.", required=True)] = always(CSINodeSpec)


NODE_ID_MAX = 192


def _cells(obj: CSINode, now: float) -> list[Any]:
    return [obj.metadata.name, len(obj.spec.drivers), age(obj, now)]


def _validate(obj: CSINode) -> list[Cause]:
    found: list[Cause] = []
    seen: set[str] = set()
    for index, driver in enumerate(obj.spec.drivers):
        here = f"spec.drivers[{index}]"
        found += checks.required(driver.name, f"{here}.name")
        found += checks.required(driver.nodeID, f"{here}.nodeID")
        if len(driver.nodeID) > NODE_ID_MAX:
            why = f"must be {NODE_ID_MAX} characters or less"
            found.append(faults.wrong(f"{here}.nodeID", driver.nodeID, why))
        if driver.name in seen:
            found.append(faults.duplicate(f"{here}.name", driver.name))
        seen.add(driver.name)
    return found


def _validate_update(new: CSINode, _old: CSINode) -> list[Cause]:
    return _validate(new)


CSI_NODE = Kind(
    group="storage.k8s.io",
    version="v1",
    kind="CSINode",
    plural="csinodes",
    singular="csinode",
    namespaced=False,
    type=CSINode,
    columns=(Column("Name", format="name"), Column("Drivers", "integer"), Column("Age")),
    cells=_cells,
    validate=_validate,
    validate_update=_validate_update,
    has_generation=False,
    unconditional_update=False,
)
