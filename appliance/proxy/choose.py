"""Which endpoints of a service port a node uses. Pure; `compile.py` and DNS ask.

Ready ones; when none is ready, those that still serve while they terminate (KEP-1669). Near ones,
where hints name this node or its zone (KEP-2433, KEP-3015): only if every ready endpoint has such
hints, and one of them is for us. Otherwise hints are half written, and all are used.
"""

from collections.abc import Callable, Sequence

from appliance.api.kinds.discovery.endpointslice import Endpoint, EndpointHints

Numbered = tuple[int, Endpoint]
"""A port number and who listens there."""


def is_ready(endpoint: Endpoint) -> bool:
    """Whether it takes new traffic."""
    return endpoint.conditions.ready is not False


def chosen(candidates: Sequence[Numbered]) -> list[Numbered]:
    """The ready ones; if there are none, those that serve on while terminating."""
    ready = [c for c in candidates if is_ready(c[1])]
    if ready:
        return ready
    return [c for c in candidates if c[1].conditions.serving and c[1].conditions.terminating]


def near(candidates: Sequence[Numbered], node: str, zone: str) -> Sequence[Numbered]:
    """Those that hints send this node to; all, if hints do not cover it."""
    return (
        _hinted(candidates, node, lambda hints: [n.name for n in hints.forNodes])
        or (zone and _hinted(candidates, zone, lambda hints: [z.name for z in hints.forZones]))
        or candidates
    )


def _hinted(
    candidates: Sequence[Numbered], us: str, names: Callable[[EndpointHints], list[str]]
) -> list[Numbered]:
    found = []
    for candidate in candidates:
        if is_ready(candidate[1]):
            hints = candidate[1].hints
            named = names(hints) if hints is not None else []
            if not named:
                return []
            if us in named:
                found.append(candidate)
    return found
