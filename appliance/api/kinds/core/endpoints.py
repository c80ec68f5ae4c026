"""Endpoints: addresses behind a Service, as one object. EndpointSlice is its heir."""

from collections.abc import Iterator, Sequence
from typing import Annotated, Any

from appliance.api import faults, names
from appliance.api.errors import Cause
from appliance.api.kind import Column, Kind
from appliance.api.kinds import checks
from appliance.api.kinds.cells import NONE, age, first_few
from appliance.api.kinds.core.references import ObjectReference
from appliance.api.meta import KubeObject
from appliance.api.schema import F, Int32, Message, always


class EndpointAddress(Message):
    """One address, mostly that of a pod."""

    ip: Annotated[
        str, F(1, "IP address; not of the loopback or link-local kind.", required=True)
    ] = always(str)
    hostname: Annotated[str, F(3, "Host name that DNS gives it.")] = ""
    nodeName: Annotated[str | None, F(4, "Node that it is on.")] = None
    targetRef: Annotated[ObjectReference | None, F(2, "Object that the address belongs to.")] = None


class EndpointPort(Message):
    """One port that endpoints serve."""

    name: Annotated[str, F(1, "Name, as in the Service's port; needed if several.")] = ""
    port: Annotated[Int32, F(2, "Port number.", required=True)] = always(int)
    protocol: Annotated[str, F(3, "TCP, UDP or SCTP.", default="TCP")] = ""
    appProtocol: Annotated[str | None, F(4, "Protocol spoken on top, such as https.")] = None


class EndpointSubset(Message):
    """Addresses that share the same ports: each address serves each port."""

    addresses: Annotated[
        list[EndpointAddress], F(1, "Addresses that take traffic.", list_type="atomic")
    ] = []
    notReadyAddresses: Annotated[
        list[EndpointAddress],
        F(2, "Addresses that are not, or no longer, ready.", list_type="atomic"),
    ] = []
    ports: Annotated[list[EndpointPort], F(3, "Ports of each address.", list_type="atomic")] = []


class Endpoints(KubeObject):
    """Where the traffic of the Service of the same name goes."""

    subsets: Annotated[
        list[EndpointSubset], F(2, "All endpoints are all of these.", list_type="atomic")
    ] = []


def _listed(obj: Endpoints) -> Iterator[str]:
    for subset in obj.subsets:
        if not subset.ports:
            yield from (a.ip for a in subset.addresses)
        for port in subset.ports:
            for address in subset.addresses:
                ip = f"[{address.ip}]" if ":" in address.ip else address.ip
                yield f"{ip}:{port.port}"


def _cells(obj: Endpoints, now: float) -> list[Any]:
    return [
        obj.metadata.name,
        first_few(_listed(obj), "" if obj.subsets else NONE),
        age(obj, now),
    ]


def _set_defaults(obj: Endpoints) -> None:
    for subset in obj.subsets:
        for port in subset.ports:
            port.protocol = port.protocol or "TCP"


def _validate(obj: Endpoints) -> list[Cause]:
    found: list[Cause] = []
    for index, subset in enumerate(obj.subsets):
        path = f"subsets[{index}]"
        if not subset.addresses and not subset.notReadyAddresses:
            why = "must specify `addresses` or `notReadyAddresses`"
            found.append(faults.required(path, why))
        found += _addresses(subset.addresses, f"{path}.addresses")
        found += _addresses(subset.notReadyAddresses, f"{path}.notReadyAddresses")
        found += _ports(subset.ports, f"{path}.ports")
    return found


def _validate_update(new: Endpoints, _old: Endpoints) -> list[Cause]:
    return _validate(new)


def _addresses(addresses: Sequence[EndpointAddress], path: str) -> Iterator[Cause]:
    for index, address in enumerate(addresses):
        here = f"{path}[{index}]"
        yield from checks.ip(address.ip, f"{here}.ip")
        yield from checks.special_ip(address.ip, f"{here}.ip")
        if address.hostname:
            yield from checks.named(names.dns_label, address.hostname, f"{here}.hostname")
        if address.nodeName is not None:
            yield from checks.named(names.dns_subdomain, address.nodeName, f"{here}.nodeName")


def _ports(ports: Sequence[EndpointPort], path: str) -> Iterator[Cause]:
    for index, port in enumerate(ports):
        here = f"{path}[{index}]"
        if port.name:
            yield from checks.named(names.dns_label, port.name, f"{here}.name")
        elif len(ports) > 1:
            yield faults.required(f"{here}.name")
        yield from checks.port(port.port, f"{here}.port")
        yield from checks.one_of(port.protocol, checks.PROTOCOLS, f"{here}.protocol")
        if port.appProtocol is not None:
            yield from checks.named(names.qualified_name, port.appProtocol, f"{here}.appProtocol")


ENDPOINTS = Kind(
    group="",
    version="v1",
    kind="Endpoints",
    plural="endpoints",
    singular="endpoints",
    namespaced=True,
    type=Endpoints,
    short_names=("ep",),
    storage_path="services/endpoints",
    columns=(Column("Name", format="name"), Column("Endpoints"), Column("Age")),
    cells=_cells,
    set_defaults=_set_defaults,
    validate=_validate,
    validate_update=_validate_update,
    create_on_update=True,
    has_generation=False,
)
