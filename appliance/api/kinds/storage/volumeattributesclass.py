"""VolumeAttributesClass: attributes that a volume can change to."""

from typing import Annotated, Any

from appliance.api import faults
from appliance.api.errors import Cause
from appliance.api.kind import Column, Kind
from appliance.api.kinds import checks
from appliance.api.kinds.cells import age
from appliance.api.meta import KubeObject
from appliance.api.schema import F, always


class VolumeAttributesClass(KubeObject):
    """Attributes that a volume can change to."""

    driverName: Annotated[str, F(2, "Driver that knows them.", required=True)] = always(str)
    parameters: Annotated[dict[str, str], F(3, "The attributes.")] = {}


def _cells(obj: VolumeAttributesClass, now: float) -> list[Any]:
    return [obj.metadata.name, obj.driverName, age(obj, now)]


def _validate(obj: VolumeAttributesClass) -> list[Cause]:
    found = list(checks.required(obj.driverName, "driverName"))
    if not obj.parameters:
        found.append(faults.required("parameters", "must contain at least one key/value pair"))
    return found


def _validate_update(new: VolumeAttributesClass, old: VolumeAttributesClass) -> list[Cause]:
    found = list(checks.same(new.driverName, old.driverName, "driverName"))
    if new.parameters != old.parameters:
        found.append(faults.forbidden("parameters", "updates to parameters are forbidden."))
    return found


VOLUME_ATTRIBUTES_CLASS = Kind(
    group="storage.k8s.io",
    version="v1",
    kind="VolumeAttributesClass",
    plural="volumeattributesclasses",
    singular="volumeattributesclass",
    namespaced=False,
    type=VolumeAttributesClass,
    short_names=("vac",),
    columns=(Column("Name", format="name"), Column("DriverName"), Column("Age")),
    cells=_cells,
    validate=_validate,
    validate_update=_validate_update,
    has_generation=False,
)
