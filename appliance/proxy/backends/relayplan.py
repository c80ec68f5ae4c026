"""Services as the fronts of the relay process. Pure.

    tcp 10.43.0.9 80       {"inside": [["10.42.0.5", 8080], …]}
    tcp 0.0.0.0 30080      {"inside": […], "outside": [the endpoints of this node]}   (policy Local)

Without "outside" everybody is sent to the same. A front with nobody behind it is left out: who
asks there is refused by the kernel at once.
"""

from collections.abc import Iterable, Iterator

from appliance.proxy.relays.wire import Plan, front_name
from appliance.proxy.table import Endpoint, ServicePort, ServiceTable

EVERY_ADDRESS = "0.0.0.0"  # noqa: S104 - node ports are open on every address of the node
RELAYED = ("tcp", "udp")


def fronts(ports: Iterable[ServicePort]) -> dict[str, Plan]:
    """Every front by its name."""
    found: dict[str, Plan] = {}
    for port in ports:
        if port.protocol in RELAYED:
            found |= _fronts(port)
    return found


def outer_addresses(table: ServiceTable) -> set[str]:
    """External addresses that may be made ours by a route.

    A route takes a whole address, not a port of it. So never one of a node, nor one that a service
    leads to (the API server's among them): this node would be cut off from it. A load balancer's
    addresses are mostly nodes', and its own way leads to it.
    """
    outer = {a for port in table.ports for a in port.external_ips} - table.hosts
    return outer and outer - {e.address for port in table.ports for e in port.endpoints}


def _fronts(port: ServicePort) -> Iterator[tuple[str, Plan]]:
    more: Plan = {"affinity_s": port.affinity_s} if port.affinity_s else {}
    inner = port.local_endpoints if port.local_only_internal else port.endpoints
    if inner:
        yield (
            front_name(port.protocol, port.cluster_ip, port.port),
            {"inside": _pairs(inner), **more},
        )
    if not port.endpoints:
        return
    outer: Plan = {"inside": _pairs(port.endpoints), **more}
    if port.local_only_external:
        outer["outside"] = _pairs(port.local_endpoints)
    for address in port.external_ips:
        yield front_name(port.protocol, address, port.port), outer
    for address in port.balancer_ips:
        fence = [*port.allowed_sources, address] if port.allowed_sources else []
        fenced = {**outer, "allowed": fence} if fence else outer
        yield front_name(port.protocol, address, port.port), fenced
    if port.node_port:
        yield front_name(port.protocol, EVERY_ADDRESS, port.node_port), outer


def _pairs(endpoints: tuple[Endpoint, ...]) -> list[list[object]]:
    return [[endpoint.address, endpoint.port] for endpoint in endpoints]
