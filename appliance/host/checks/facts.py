"""What the checks judge: facts of a host as plain values, None where they could not be learned.

`gather.py` fills them; tests write them by hand.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What the cluster on this host will need, from its configuration."""

    data_dir: str = "/var/lib/appliance"
    is_server: bool = True
    api_port: int = 6443
    kubelet_port: int = 10250
    cluster_dns: str = "10.43.0.10"
    proxy_mode: str = "auto"
    runtime: str = "auto"


@dataclass(frozen=True, slots=True, kw_only=True)
class Listener:
    """A port that somebody listens on."""

    protocol: str
    address: str
    port: int
    pid: int = 0
    program: str = ""
    """Its command line, "" if it could not be found."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """A network interface."""

    name: str
    mtu: int
    default_route: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Engine:
    """A container engine that was looked for."""

    kind: str
    endpoint: str
    version: str = ""
    fault: str = ""
    """Why it does not answer; "" if it does."""
    installed: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Disk:
    """The file system that holds the data directory."""

    kind: str
    size: int
    free: int
    inodes_free: int | None = None
    read_only: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Cgroups:
    """How the kernel counts and limits; `version` 1 is also a hybrid."""

    version: int
    controllers: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """All of it."""

    plan: Plan = Plan()
    ip_forward: bool | None = None
    forward_drops: tuple[str, ...] = ()
    """Chains at the forward hook whose policy is drop, as `table chain`."""
    docker_chains: bool = False
    legacy_tables: tuple[str, ...] = ()
    """Tables that the old iptables has loaded."""
    firewalls: tuple[str, ...] = ()
    nftables_fault: str | None = None
    """Why nftables can't be used, "" if it can."""
    kernel_release: str = ""
    features: Mapping[str, bool | None] = field(default_factory=dict)
    """Kernel options, such as VXLAN; None where nothing tells."""
    listeners: tuple[Listener, ...] | None = None
    links: tuple[Link, ...] = ()
    nameservers: tuple[str, ...] | None = None
    upstream_nameservers: tuple[str, ...] = ()
    """What a resolver on this host itself asks, if that is known."""
    wall_s: float = 0.0
    clock_ahead_s: float | None = None
    """How much our clock is ahead of a server's."""
    clock_source: str = ""
    clock_fault: str = ""
    cgroups: Cgroups | None = None
    engines: tuple[Engine, ...] = ()
    disk: Disk | None = None
    memory_total: int | None = None
    memory_available: int | None = None
