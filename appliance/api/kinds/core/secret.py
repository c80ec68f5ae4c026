"""TODO."""

from typing import Annotated

from appliance.api.kind import Kind
from appliance.api.meta import KubeObject
from appliance.api.schema import Bytes, F


class Secret(KubeObject):
    """TODO."""

    immutable: Annotated[bool | None, F(5, "")] = None
    data: Annotated[dict[str, Bytes], F(2, "")] = {}
    stringData: Annotated[dict[str, str], F(4, "")] = {}
    type: Annotated[str, F(3, "")] = ""


SECRET = Kind(
    group="",
    version="v1",
    kind="Secret",
    plural="secrets",
    singular="secret",
    namespaced=True,
    type=Secret,
)
