"""Pure: how the backends of a service are cut into EndpointSlices, with the least change.

Slices hold at most SLICE_MAX endpoints of one set of ports. What is published stays where it is,
so that one pod more or less changes one slice, however many there are.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from appliance.api.kinds.discovery.endpointslice import Endpoint, EndpointPort, EndpointSlice

SLICE_MAX = 100

Ports = tuple[tuple[str, str, int, str | None], ...]
"""Name, protocol, number and application protocol of each port, in order."""


@dataclass(slots=True)
class SlicePlan:
    """What to write: new contents, changed slices with their new endpoints, slices to delete."""

    create: list[tuple[Ports, list[Endpoint]]] = field(default_factory=list)
    change: list[tuple[EndpointSlice, list[Endpoint]]] = field(default_factory=list)
    delete: list[EndpointSlice] = field(default_factory=list)


def plan(current: Sequence[EndpointSlice], wanted: dict[Ports, list[Endpoint]]) -> SlicePlan:
    """Compare what is published with what should be.

    A service without any endpoint keeps one empty slice: that says "nobody", none at all would
    say "not yet known".
    """
    todo = SlicePlan()
    groups = wanted or {(): []}
    by_ports: dict[Ports, list[EndpointSlice]] = {}
    for slice_ in current:
        by_ports.setdefault(ports_of(slice_), []).append(slice_)
    for ports, endpoints in groups.items():
        _plan_group(todo, ports, endpoints, by_ports.pop(ports, []))
    for stale in by_ports.values():
        todo.delete.extend(stale)
    return todo


def _plan_group(
    todo: SlicePlan, ports: Ports, endpoints: list[Endpoint], slices: list[EndpointSlice]
) -> None:
    left = {_identity(endpoint): endpoint for endpoint in endpoints}
    kept: list[tuple[EndpointSlice, list[Endpoint]]] = []
    for slice_ in slices:
        stay = [
            left.pop(identity)
            for old in slice_.endpoints or ()
            if (identity := _identity(old)) in left
        ]
        kept.append((slice_, stay))
    fresh = list(left.values())
    for _, stay in sorted(kept, key=lambda pair: -len(pair[1])):
        # fullest first: slices fill up instead of staying half empty
        room = SLICE_MAX - len(stay)
        stay.extend(fresh[:room])
        del fresh[:room]
    for start in range(0, len(fresh), SLICE_MAX):
        todo.create.append((ports, fresh[start : start + SLICE_MAX]))
    if not endpoints and not kept:
        todo.create.append((ports, []))
    for position, (slice_, stay) in enumerate(kept):
        if not stay and (endpoints or position):
            todo.delete.append(slice_)
        elif stay != (slice_.endpoints or []):
            todo.change.append((slice_, stay))


def ports_of(slice_: EndpointSlice) -> Ports:
    """The ports of a slice, comparable."""
    return tuple(
        (port.name or "", port.protocol or "TCP", port.port or 0, port.appProtocol)
        for port in slice_.ports or ()
    )


def endpoint_ports(ports: Ports) -> list[EndpointPort]:
    """The same, as the API has them."""
    return [
        EndpointPort(name=name, protocol=protocol, port=number, appProtocol=app)
        for name, protocol, number, app in ports
    ]


def _identity(endpoint: Endpoint) -> tuple[str, ...]:
    """What makes it the same endpoint although its state changed."""
    uid = endpoint.targetRef.uid if endpoint.targetRef else ""
    return (uid, *endpoint.addresses)
