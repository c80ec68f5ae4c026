"""Endpoints: addresses behind a Service, as one object. EndpointSlice is its heir."""

from collections.abc import Iterator
from typing import Annotated, Any

from appliance.api.kind import Column, Kind
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

    name: Annotated[str | None, F(1, "Name, as in the Service's port; needed if several.")] = None
    protocol: Annotated[str | None, F(2, "TCP, UDP or SCTP.", default="TCP")] = None
    port: Annotated[Int32 | None, F(3, "Port number.")] = None
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
                yield f"{ip}:{port.port or 0}"


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
    create_on_update=True,
    has_generation=False,
)
