"""The services of a cluster as one frozen value, seen from one node.

`compile.py` makes its entries from Services and EndpointSlices; back ends are given it whole and
find the difference themselves; DNS answers from the same caches.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, order=True)
class Endpoint:
    """Where a connection may go."""

    address: str
    port: int
    local: bool = False
    """On this node."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServicePort:
    """One port of one service."""

    namespace: str
    name: str
    port_name: str
    protocol: str
    """tcp, udp or sctp."""
    cluster_ip: str
    port: int
    node_port: int = 0
    external_ips: tuple[str, ...] = ()
    """Addresses that the user routes to us."""
    balancer_ips: tuple[str, ...] = ()
    """Addresses of the load balancer."""
    allowed_sources: tuple[str, ...] = ()
    """Networks that may use those of the load balancer; none named is everybody."""
    endpoints: tuple[Endpoint, ...] = ()
    local_endpoints: tuple[Endpoint, ...] = ()
    """Those that a policy Local sends to. When all of this node's are on their way out, these are
    they, though the whole cluster has others that stay.
    """
    affinity_s: int = 0
    """Seconds a client sticks to one endpoint; 0 is no affinity."""
    local_only_external: bool = False
    local_only_internal: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthCheck:
    """Where a load balancer asks whether this node has ready endpoints of a service."""

    namespace: str
    name: str
    port: int
    local_endpoints: int


@dataclass(frozen=True, slots=True)
class ServiceEntry:
    """One service."""

    ports: tuple[ServicePort, ...]
    check: HealthCheck | None = None


@dataclass(frozen=True, slots=True)
class ServiceTable:
    """All services by namespace/name.

    An entry that did not change is the same object as in the table before. A table that follows
    from one with the number before it names what changed, so that a change among ten thousand
    services costs what one among ten does.
    """

    entries: Mapping[str, ServiceEntry] = field(default_factory=dict)
    number: int = 0
    changed: frozenset[str] = frozenset()
    """Keys that differ from the table numbered one less."""
    hosts: frozenset[str] = frozenset()
    """Addresses of the nodes: what is for them must reach them, whatever services say."""

    @property
    def ports(self) -> Iterator[ServicePort]:
        """Every port of every service."""
        return (port for entry in self.entries.values() for port in entry.ports)

    @property
    def checks(self) -> Iterator[HealthCheck]:
        """Every health check."""
        return (entry.check for entry in self.entries.values() if entry.check is not None)

    def changed_from(self, old: "ServiceTable") -> tuple[list[ServiceEntry], list[ServiceEntry]]:
        """What `old` has that this has not, and the other way round."""
        before, now = old.entries, self.entries
        keys: Iterable[str] = self.changed
        if not self.number or old.number != self.number - 1:
            keys = {**before, **now}
        pairs = [(before.get(key), now.get(key)) for key in keys]
        different = [(was, is_) for was, is_ in pairs if was is not is_]
        gone = [was for was, _ in different if was is not None]
        return gone, [is_ for _, is_ in different if is_ is not None]


def table_of(*ports: ServicePort) -> ServiceTable:
    """A table of services that have just these ports."""
    entries: dict[str, ServiceEntry] = {}
    for port in ports:
        key = f"{port.namespace}/{port.name}"
        entries[key] = ServiceEntry((*(entries[key].ports if key in entries else ()), port))
    return ServiceTable(entries)
