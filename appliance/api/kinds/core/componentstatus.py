"""ComponentStatus: how parts of the control plane are; old, and always empty here.

Clients of the first days list it. All parts run in one process, whose health is at /livez.
"""

from typing import Annotated, Any

from appliance.api.kind import Column, Kind
from appliance.api.meta import KubeObject
from appliance.api.schema import F, Message, always


class ComponentCondition(Message):
    """One aspect of how the object is."""

    type: Annotated[str, F(1, "Which aspect, as one CamelCase word.", required=True)] = always(str)
    status: Annotated[str, F(2, "True, False or Unknown.", required=True)] = always(str)
    message: Annotated[str, F(3, "Why, for people.")] = ""
    error: Annotated[str, F(4, "What went wrong.")] = ""


class ComponentStatus(KubeObject):
    """How a part of the control plane is; old, and only computed."""

    conditions: Annotated[
        list[ComponentCondition],
        F(
            2,
            "What was found out.",
            merge=True,
            merge_key="type",
            list_type="map",
            list_keys=("type",),
        ),
    ] = []


def _cells(obj: ComponentStatus, _now: float) -> list[Any]:
    healthy = next((c for c in obj.conditions if c.type == "Healthy"), None)
    if healthy is None:
        return [obj.metadata.name, "Unknown", "", ""]
    words = {"True": "Healthy", "False": "Unhealthy"}
    status = words.get(healthy.status, "Unknown")
    return [obj.metadata.name, status, healthy.message, healthy.error]


COMPONENT_STATUS = Kind(
    group="",
    version="v1",
    kind="ComponentStatus",
    plural="componentstatuses",
    singular="componentstatus",
    namespaced=False,
    type=ComponentStatus,
    short_names=("cs",),
    verbs=("get", "list"),
    columns=(
        Column("Name", format="name"),
        Column("Status"),
        Column("Message"),
        Column("Error"),
    ),
    cells=_cells,
    has_generation=False,
)
