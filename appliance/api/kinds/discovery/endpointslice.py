"""EndpointSlice: up to a thousand addresses behind a Service; proxies and DNS read these."""

from collections.abc import Iterator, Sequence
from typing import Annotated, Any

from appliance.api import faults, names
from appliance.api.errors import Cause
from appliance.api.kind import Column, Kind
from appliance.api.kinds import checks
from appliance.api.kinds.cells import age, first_few
from appliance.api.kinds.core.references import ObjectReference
from appliance.api.meta import KubeObject
from appliance.api.schema import F, Int32, Message, always, nullable


class EndpointConditions(Message):
    """What an endpoint can do just now; null means not known."""

    ready: Annotated[bool | None, F(1, "Takes new traffic; null counts as true.")] = None
    serving: Annotated[
        bool | None, F(2, "Answers, even while it is shutting down; null counts as ready.")
    ] = None
    terminating: Annotated[bool | None, F(3, "Is shutting down.")] = None


class EndpointPort(Message):
    """One port that the endpoints of a slice serve; null means every port, or none named."""

    name: Annotated[str | None, F(1, "Name, as in the Service's port; needed if several.")] = None
    protocol: Annotated[str | None, F(2, "TCP, UDP or SCTP.", default="TCP")] = None
    port: Annotated[Int32 | None, F(3, "Port number.")] = None
    appProtocol: Annotated[str | None, F(4, "Protocol spoken on top, such as https.")] = None


class ForNode(Message):
    """A node that should use an endpoint."""

    name: Annotated[str, F(1, "Name of the node.", required=True)] = always(str)


class ForZone(Message):
    """A zone that should use an endpoint."""

    name: Annotated[str, F(1, "Name of the zone.", required=True)] = always(str)


class EndpointHints(Message):
    """Who should use an endpoint, to keep traffic near."""

    forZones: Annotated[
        list[ForZone], F(1, "Zones that should use it; at most 8.", list_type="atomic")
    ] = []
    forNodes: Annotated[
        list[ForNode], F(2, "Nodes that should use it; at most 8.", list_type="atomic")
    ] = []


class Endpoint(Message):
    """One backend of a Service."""

    addresses: Annotated[
        list[str],
        F(
            1,
            "Its addresses; users may take the first and ignore the rest.",
            required=True,
            list_type="set",
        ),
    ] = always(list)
    conditions: Annotated[EndpointConditions, F(2, "What it can do just now.")] = always(
        EndpointConditions
    )
    hostname: Annotated[str | None, F(3, "Host name that DNS gives it.")] = None
    targetRef: Annotated[ObjectReference | None, F(4, "Object behind it, mostly a pod.")] = None
    deprecatedTopology: Annotated[
        dict[str, str], F(5, "Topology of the v1beta1 form; read-only here.")
    ] = {}
    nodeName: Annotated[str | None, F(6, "Node that it is on.")] = None
    zone: Annotated[str | None, F(7, "Zone that it is in.")] = None
    hints: Annotated[EndpointHints | None, F(8, "Who should use it.")] = None


class EndpointSlice(KubeObject):
    """Some of the endpoints of a Service, all of one address family and with the same ports."""

    addressType: Annotated[
        str,
        F(4, "IPv4, IPv6 or FQDN; cannot change.", enum=("FQDN", "IPv4", "IPv6"), required=True),
    ] = always(str)
    endpoints: Annotated[
        list[Endpoint] | None, F(2, "The endpoints, at most 1000.", list_type="atomic")
    ] = nullable()
    ports: Annotated[
        list[EndpointPort] | None,
        F(3, "Ports that each of them serves, at most 20000.", list_type="atomic"),
    ] = nullable()


def _port(port: EndpointPort) -> str:
    return str(port.port) if port.port is not None else port.name or "*"


def _cells(obj: EndpointSlice, now: float) -> list[Any]:
    addresses = (a for e in obj.endpoints or [] for a in e.addresses)
    return [
        obj.metadata.name,
        obj.addressType,
        first_few((_port(p) for p in obj.ports or []), "<unset>"),
        first_few(addresses, "<unset>"),
        age(obj, now),
    ]


def _set_defaults(obj: EndpointSlice) -> None:
    for port in obj.ports or []:
        port.name = port.name or ""
        port.protocol = port.protocol or "TCP"


def _desired(obj: EndpointSlice) -> Any:
    # labels count, too: they say which Service the slice belongs to
    return (obj.addressType, obj.endpoints, obj.ports, obj.metadata.labels)


ADDRESS_TYPES = ("FQDN", "IPv4", "IPv6")
ENDPOINTS_MAX = 1000
ADDRESSES_MAX = 100


def _validate(obj: EndpointSlice) -> list[Cause]:
    found = [*checks.one_of(obj.addressType, ADDRESS_TYPES, "addressType")]
    endpoints = obj.endpoints or []
    if len(endpoints) > ENDPOINTS_MAX:
        found.append(faults.too_many("endpoints", len(endpoints), ENDPOINTS_MAX))
    for index, endpoint in enumerate(endpoints):
        found += _endpoint(endpoint, obj.addressType, f"endpoints[{index}]")
    return [*found, *_ports(obj.ports or [], "ports")]


def _validate_update(new: EndpointSlice, old: EndpointSlice) -> list[Cause]:
    return [*_validate(new), *checks.same(new.addressType, old.addressType, "addressType")]


def _endpoint(endpoint: Endpoint, kind: str, path: str) -> Iterator[Cause]:
    if not endpoint.addresses:
        yield faults.required(f"{path}.addresses", "must contain at least 1 address")
    elif len(endpoint.addresses) > ADDRESSES_MAX:
        yield faults.too_many(f"{path}.addresses", len(endpoint.addresses), ADDRESSES_MAX)
    for index, address in enumerate(endpoint.addresses):
        here = f"{path}.addresses[{index}]"
        if kind == "FQDN":
            yield from checks.named(names.dns_subdomain, address, here)
            continue
        broken = list(checks.ip(address, here))
        yield from broken or checks.special_ip(address, here)
        if not broken and (":" in address) != (kind == "IPv6"):
            yield faults.wrong(here, address, f"must be an {kind} address")
    if endpoint.hostname is not None:
        yield from checks.named(names.dns_label, endpoint.hostname, f"{path}.hostname")
    if endpoint.nodeName is not None:
        yield from checks.named(names.dns_subdomain, endpoint.nodeName, f"{path}.nodeName")


def _ports(ports: Sequence[EndpointPort], path: str) -> Iterator[Cause]:
    used: set[str] = set()
    for index, port in enumerate(ports):
        here = f"{path}[{index}]"
        name = port.name or ""
        if name:
            yield from checks.named(names.dns_label, name, f"{here}.name")
        if name in used:
            yield faults.duplicate(f"{here}.name", name)
        used.add(name)
        yield from checks.one_of(port.protocol or "", checks.PROTOCOLS, f"{here}.protocol")
        if port.appProtocol is not None:
            yield from checks.named(names.qualified_name, port.appProtocol, f"{here}.appProtocol")


ENDPOINT_SLICE = Kind(
    group="discovery.k8s.io",
    version="v1",
    kind="EndpointSlice",
    plural="endpointslices",
    singular="endpointslice",
    namespaced=True,
    type=EndpointSlice,
    columns=(
        Column("Name", format="name"),
        Column("AddressType"),
        Column("Ports"),
        Column("Endpoints"),
        Column("Age"),
    ),
    cells=_cells,
    set_defaults=_set_defaults,
    validate=_validate,
    validate_update=_validate_update,
    desired=_desired,
    repeats_meta_faults=False,
)
