"""ConfigMap: settings for pods, as files, variables or arguments."""

from typing import Annotated, Any

from appliance.api.kind import Column, Kind
from appliance.api.kinds.cells import age
from appliance.api.meta import KubeObject
from appliance.api.schema import Bytes, F


class ConfigMap(KubeObject):
    """Holds configuration that pods read."""

    immutable: Annotated[bool | None, F(4, "True: only metadata may still change.")] = None
    data: Annotated[dict[str, str], F(2, "Text by key; no key may also stand in binaryData.")] = {}
    binaryData: Annotated[dict[str, Bytes], F(3, "Bytes by key, in base64.")] = {}


def _cells(obj: ConfigMap, now: float) -> list[Any]:
    return [obj.metadata.name, len(obj.data) + len(obj.binaryData), age(obj, now)]


CONFIG_MAP = Kind(
    group="",
    version="v1",
    kind="ConfigMap",
    plural="configmaps",
    singular="configmap",
    namespaced=True,
    type=ConfigMap,
    short_names=("cm",),
    columns=(Column("Name", format="name"), Column("Data"), Column("Age")),
    cells=_cells,
    has_generation=False,
)
