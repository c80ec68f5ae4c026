"""What the control plane is told at its start; plain values, made by `config`."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlOptions:
    """Addresses that the API gives out, and the bounds of its caches."""

    service_cidr: str = "10.43.0.0/16"
    node_ports: tuple[int, int] = (30000, 32767)
    """First and last port for Services of type NodePort."""
    advertise_address: str = "127.0.0.1"
    advertise_port: int = 6443
    cluster_domain: str = "cluster.local"
    not_ready_s: int = 300
    """How long pods stay on a node that says it is not ready, unless they say otherwise."""
    unreachable_s: int = 300
    """The same for a node that has fallen silent."""
    local_storage: bool = False
    """Whether there is a class for volumes on nodes' disks, and somebody who makes them."""
    ring_size: int = 2_000
    """Past events a watch can start from, per kind; a relist covers more."""
    watcher_backlog: int = 5_000
    """Events waiting for one watcher before it is cut: a large list's worth."""
    bookmark_every_s: float = 60.0
    """Clients rely on about one a minute (KEP-956)."""


DEFAULTS = ControlOptions()
