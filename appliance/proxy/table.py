"""The services of a cluster as one frozen value, seen from one node.

`compile.py` makes it from Services and EndpointSlices; back ends apply it whole and find the
difference themselves; DNS answers from the same caches.
"""

from dataclasses import dataclass


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
class ServiceTable:
    """All service ports, sorted by namespace, name and port name."""

    ports: tuple[ServicePort, ...] = ()
    checks: tuple[HealthCheck, ...] = ()
