"""CSIStorageCapacity: how much can be made of a storage class in some place."""

from typing import Annotated, Any

from appliance.api import faults, names, quantity
from appliance.api.errors import Cause
from appliance.api.kind import Column, Kind
from appliance.api.kinds import checks
from appliance.api.kinds.cells import age
from appliance.api.meta import KubeObject, LabelSelector
from appliance.api.schema import F, Quantity, always


class CSIStorageCapacity(KubeObject):
    """How much can be made of a storage class in some place."""

    nodeTopology: Annotated[LabelSelector | None, F(2, "The place, by labels of nodes.")] = None
    storageClassName: Annotated[str, F(3, "The class.", required=True)] = always(str)
    capacity: Annotated[Quantity | None, F(4, "How much is left.")] = None
    maximumVolumeSize: Annotated[Quantity | None, F(5, "How large one volume can be.")] = None


def _cells(obj: CSIStorageCapacity, now: float) -> list[Any]:
    capacity = "<unset>" if obj.capacity is None else str(obj.capacity)
    return [obj.metadata.name, obj.storageClassName, capacity, age(obj, now)]


def _validate(obj: CSIStorageCapacity) -> list[Cause]:
    found = [
        *checks.named(names.dns_subdomain, obj.storageClassName, "storageClassName"),
        *checks.selector(obj.nodeTopology, "nodeTopology"),
    ]
    for name in ("capacity", "maximumVolumeSize"):
        amount = getattr(obj, name)
        if amount is not None and quantity.read(amount).value < 0:
            found.append(faults.wrong(name, str(amount), checks.NOT_NEGATIVE))
    return found


def _validate_update(new: CSIStorageCapacity, old: CSIStorageCapacity) -> list[Cause]:
    found = _validate(new)
    if new.nodeTopology != old.nodeTopology:
        found.append(faults.wrong("nodeTopology", new.nodeTopology, "field is immutable"))
    return [*found, *checks.same(new.storageClassName, old.storageClassName, "storageClassName")]


CSI_STORAGE_CAPACITY = Kind(
    group="storage.k8s.io",
    version="v1",
    kind="CSIStorageCapacity",
    plural="csistoragecapacities",
    singular="csistoragecapacity",
    namespaced=True,
    type=CSIStorageCapacity,
    columns=(
        Column("Name", format="name"),
        Column("StorageClassName"),
        Column("Capacity"),
        Column("Age"),
    ),
    cells=_cells,
    validate=_validate,
    validate_update=_validate_update,
    has_generation=False,
    unconditional_update=False,
)
