"""ControllerRevision: one past state of the template of a daemon set or stateful set."""

from typing import Annotated, Any

from appliance.api import faults
from appliance.api.errors import Cause
from appliance.api.kind import Column, Kind
from appliance.api.kinds import checks
from appliance.api.kinds.cells import NONE, age
from appliance.api.meta import KubeObject
from appliance.api.schema import F, Int64, RawJson, always


class ControllerRevision(KubeObject):
    """One past state of the template of a daemon set or stateful set."""

    data: Annotated[RawJson, F(2, "The state itself, as a patch.")] = None
    revision: Annotated[Int64, F(3, "Number of the revision; higher is newer.", required=True)] = (
        always(int)
    )


def _cells(obj: ControllerRevision, now: float) -> list[Any]:
    owner = next((o for o in obj.metadata.ownerReferences if o.controller), None)
    group = owner.apiVersion.rpartition("/")[0] if owner else ""
    shown = f"{owner.kind.lower()}{'.' if group else ''}{group}/{owner.name}" if owner else NONE
    return [obj.metadata.name, shown, obj.revision, age(obj, now)]


def _validate(obj: ControllerRevision) -> list[Cause]:
    found = [] if obj.data is not None else [faults.required("data", "data is mandatory")]
    return [*found, *checks.not_negative(obj.revision, "revision")]


def _validate_update(new: ControllerRevision, old: ControllerRevision) -> list[Cause]:
    return [*_validate(new), *checks.same(new.data, old.data, "data")]


CONTROLLER_REVISION = Kind(
    group="apps",
    version="v1",
    kind="ControllerRevision",
    plural="controllerrevisions",
    singular="controllerrevision",
    namespaced=True,
    type=ControllerRevision,
    columns=(
        Column("Name", format="name"),
        Column("Controller"),
        Column("Revision"),
        Column("Age"),
    ),
    cells=_cells,
    validate=_validate,
    validate_update=_validate_update,
    has_generation=False,
)
