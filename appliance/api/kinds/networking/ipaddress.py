"""IPAddress: an address that is in use by a service."""

import ipaddress
from typing import Annotated, Any

from appliance.api import faults
from appliance.api.errors import Cause
from appliance.api.kind import Column, Kind
from appliance.api.kinds.cells import age
from appliance.api.meta import KubeObject
from appliance.api.schema import F, Message, always


class ParentReference(Message):
    """Names the object that an address belongs to."""

    group: Annotated[str, F(1, "Its group.")] = ""
    resource: Annotated[str, F(2, "Its resource.")] = ""
    namespace: Annotated[str, F(3, "Its namespace.")] = ""
    name: Annotated[str, F(4, "Its name.")] = ""


class IPAddressSpec(Message):
    """Who uses an address."""

    parentRef: Annotated[ParentReference | None, F(1, "The object that has it.")] = None


class IPAddress(KubeObject):
    """An address that is in use."""

    spec: Annotated[IPAddressSpec, F(2, "What is wanted.")] = always(IPAddressSpec)


def _cells(obj: IPAddress, now: float) -> list[Any]:
    of = obj.spec.parentRef
    shown = f"{of.resource}.{of.group}/{of.namespace}/{of.name}" if of and of.group else ""
    if of and not of.group:
        shown = f"{of.resource}/{of.namespace}/{of.name}"
    return [obj.metadata.name, shown, age(obj, now)]


def _name(text: str) -> list[str]:
    try:
        plain = str(ipaddress.ip_address(text))
    except ValueError:
        plain = ""
    return [] if plain == text else ["must be a valid IP address in canonical form"]


def _validate(obj: IPAddress) -> list[Cause]:
    of, path = obj.spec.parentRef, "spec.parentRef"
    if of is None:
        return [faults.required(path)]
    return [faults.required(f"{path}.{n}") for n in ("resource", "name") if not getattr(of, n)]


def _validate_update(new: IPAddress, old: IPAddress) -> list[Cause]:
    if new.spec.parentRef == old.spec.parentRef:
        return []
    return [faults.wrong("spec.parentRef", new.spec.parentRef, "field is immutable")]


IP_ADDRESS = Kind(
    group="networking.k8s.io",
    version="v1",
    kind="IPAddress",
    plural="ipaddresses",
    singular="ipaddress",
    namespaced=False,
    type=IPAddress,
    short_names=("ip",),
    columns=(Column("Name", format="name"), Column("ParentRef"), Column("Age")),
    cells=_cells,
    validate_name=_name,
    validate=_validate,
    validate_update=_validate_update,
)
