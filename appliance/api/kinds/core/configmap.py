"""ConfigMap: settings for pods, as files, variables or arguments."""

from collections.abc import Iterator
from typing import Annotated, Any

from appliance.api import faults
from appliance.api.errors import Cause
from appliance.api.kind import Column, Kind
from appliance.api.kinds.cells import age
from appliance.api.kinds.core import keyed_data
from appliance.api.meta import KubeObject
from appliance.api.schema import Bytes, F


class ConfigMap(KubeObject):
    """Holds configuration that pods read."""

    immutable: Annotated[bool | None, F(4, "True: only metadata may still change.")] = None
    data: Annotated[dict[str, str], F(2, "Text by key; no key may also stand in binaryData.")] = {}
    binaryData: Annotated[dict[str, Bytes], F(3, "Bytes by key, in base64.")] = {}


def _cells(obj: ConfigMap, now: float) -> list[Any]:
    return [obj.metadata.name, len(obj.data) + len(obj.binaryData), age(obj, now)]


def _faults(obj: ConfigMap) -> Iterator[Cause]:
    yield from keyed_data.keys(obj.data, "data")
    for key in obj.data:
        if key in obj.binaryData:
            yield faults.wrong(f"data[{key}]", key, "duplicate of key present in binaryData")
    yield from keyed_data.keys(obj.binaryData, "binaryData")
    size_bytes = sum(len(v.encode()) for v in obj.data.values())
    size_bytes += sum(len(v) for v in obj.binaryData.values())
    if size_bytes > keyed_data.SIZE_MAX_BYTES:
        yield faults.too_long("", keyed_data.SIZE_MAX_BYTES)


def _validate(obj: ConfigMap) -> list[Cause]:
    return list(_faults(obj))


def _validate_update(new: ConfigMap, old: ConfigMap) -> list[Cause]:
    return [*keyed_data.frozen(new, old, ("data", "binaryData")), *_faults(new)]


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
    validate=_validate,
    validate_update=_validate_update,
    has_generation=False,
)
