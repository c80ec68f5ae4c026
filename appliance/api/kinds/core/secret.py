"""Secret: passwords, keys and tokens for pods and controllers."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any

from appliance.api import faults
from appliance.api.errors import Cause
from appliance.api.json_fault import json_fault
from appliance.api.kind import Column, Kind
from appliance.api.kinds import checks
from appliance.api.kinds.cells import age
from appliance.api.kinds.core import keyed_data
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


NEEDED: Mapping[str, tuple[str, ...]] = {
    "kubernetes.io/dockercfg": (".dockercfg",),
    "kubernetes.io/dockerconfigjson": (".dockerconfigjson",),
    "kubernetes.io/ssh-auth": ("ssh-privatekey",),
    "kubernetes.io/tls": ("tls.crt", "tls.key"),
}
"""Keys that secrets of some types must have."""

ACCOUNT_TOKEN = "kubernetes.io/service-account-token"  # noqa: S105 - name of a type
ACCOUNT_NAME = "kubernetes.io/service-account.name"
LOGINS = (".dockercfg", ".dockerconfigjson")
PEM = b"-----BEGIN "
HIDDEN = "<secret contents redacted>"


def _faults(obj: Secret) -> Iterator[Cause]:
    yield from keyed_data.keys(obj.data, "data")
    if sum(len(v) for v in obj.data.values()) > keyed_data.SIZE_MAX_BYTES:
        yield faults.too_long("data", keyed_data.SIZE_MAX_BYTES)
    if obj.type == ACCOUNT_TOKEN and not obj.metadata.annotations.get(ACCOUNT_NAME):
        yield faults.required(f"metadata.annotations[{ACCOUNT_NAME}]")
    if obj.type == "kubernetes.io/basic-auth" and not {"username", "password"} & set(obj.data):
        yield faults.required("data[username]")
        yield faults.required("data[password]")
    for key in NEEDED.get(obj.type, ()):
        yield from _needed(obj.data, key)


def _needed(data: Mapping[str, bytes], key: str) -> Iterator[Cause]:
    path = f"data[{key}]"
    if key not in data:
        yield faults.required(path)
    elif key in LOGINS:
        why = json_fault(data[key])
        if why:
            yield faults.wrong(path, HIDDEN, why)


def _warn(obj: Secret) -> list[str]:
    """Name what makes a TLS pair useless; it is stored all the same."""
    if obj.type == "kubernetes.io/tls":
        for key, what in (("tls.crt", "certificate"), ("tls.key", "key")):
            if PEM not in obj.data.get(key, PEM):
                return [f"tls: failed to find any PEM data in {what} input"]
    return []


def _validate(obj: Secret) -> list[Cause]:
    return list(_faults(obj))


def _validate_update(new: Secret, old: Secret) -> list[Cause]:
    return [
        *checks.same(new.type, old.type, "type"),
        *keyed_data.frozen(new, old, ("data",)),
        *_faults(new),
    ]


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
    validate=_validate,
    validate_update=_validate_update,
    warn=_warn,
    set_defaults=_set_defaults,
    selectable_fields={"type": lambda obj: obj.type},
    has_generation=False,
)
