"""Secret: passwords, keys and tokens for pods and controllers."""

from typing import Annotated, Any

from appliance.api.kind import Column, Kind
from appliance.api.kinds.cells import age
from appliance.api.meta import KubeObject
from appliance.api.schema import Bytes, F


class Secret(KubeObject):
    """Holds confidential data, at most 1 MiB of it."""

    immutable: Annotated[bool | None, F(5, "True: only metadata may still change.")] = None
    data: Annotated[dict[str, Bytes], F(2, "Values by key, in base64.")] = {}
    stringData: Annotated[
        dict[str, str],
        F(4, "Plain text by key, written over data when stored; never read back."),
    ] = {}
    type: Annotated[
        str, F(3, "What the secret is for; some types need certain keys.", default="Opaque")
    ] = ""


def _cells(obj: Secret, now: float) -> list[Any]:
    return [obj.metadata.name, obj.type, len(obj.data), age(obj, now)]


def _set_defaults(obj: Secret) -> None:
    obj.type = obj.type or "Opaque"
    if obj.stringData:
        obj.data = obj.data | {key: text.encode() for key, text in obj.stringData.items()}
        obj.stringData = {}


SECRET = Kind(
    group="",
    version="v1",
    kind="Secret",
    plural="secrets",
    singular="secret",
    namespaced=True,
    type=Secret,
    columns=(Column("Name", format="name"), Column("Type"), Column("Data"), Column("Age")),
    cells=_cells,
    set_defaults=_set_defaults,
    selectable_fields={"type": lambda obj: obj.type},
    has_generation=False,
)
