"""TODO."""

from typing import Annotated

from appliance.api.kind import Kind
from appliance.api.meta import KubeObject
from appliance.api.schema import Bytes, F


class ConfigMap(KubeObject):
    """TODO."""

    immutable: Annotated[bool | None, F(4, "")] = None
    data: Annotated[dict[str, str], F(2, "")] = {}
    binaryData: Annotated[dict[str, Bytes], F(3, "")] = {}


CONFIG_MAP = Kind(
    group="",
    version="v1",
    kind="ConfigMap",
    plural="configmaps",
    singular="configmap",
    namespaced=True,
    type=ConfigMap,
    short_names=("cm",),
)
