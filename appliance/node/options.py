"""What an agent must be told; made by `assembly` from the Config."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from appliance.node.pressure.reserve import parse_reserved
from appliance.node.pressure.thresholds import (
    HARD,
    MINIMUM_RECLAIM,
    parse_reclaim,
    parse_thresholds,
)


@dataclass(frozen=True, slots=True)
class ServeOptions:
    """Where the node's HTTPS API listens and with which certificates; port 0 takes a free one.

    `client_ca_path` names the CA whose certificates callers must show.
    """

    host: str = "0.0.0.0"  # noqa: S104 - the API server calls from other hosts
    port: int = 10250
    cert_path: Path = Path()
    key_path: Path = Path()
    client_ca_path: Path = Path()


@dataclass(frozen=True, slots=True, kw_only=True)
class UpkeepOptions:
    """What the node keeps free and throws away; texts as the flags of the same names have them."""

    eviction_hard: str = HARD
    eviction_soft: str = ""
    eviction_soft_grace_period: str = ""
    eviction_max_pod_grace_period_s: float = 0.0
    eviction_pressure_transition_s: float = 300.0
    eviction_minimum_reclaim: str = MINIMUM_RECLAIM
    kube_reserved: str = ""
    system_reserved: str = ""
    image_gc_high_percent: int = 85
    image_gc_low_percent: int = 80
    image_minimum_age_s: float = 120.0
    dead_per_container: int = 1
    dead_at_all: int = -1
    """-1: as many as there are."""

    def check(self) -> None:
        """Read all texts once.

        Raises:
            ValueError: one can't be read; says which.
        """
        parse_thresholds(self.eviction_hard, self.eviction_soft, self.eviction_soft_grace_period)
        parse_reclaim(self.eviction_minimum_reclaim)
        parse_reserved(self.kube_reserved)
        parse_reserved(self.system_reserved)


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeOptions:
    """One node."""

    node_name: str
    node_ip: str
    data_dir: Path
    """The agent's own folder, `<data>/agent`."""
    storage_dir: Path | None = None
    """Where volumes of the class local-path lie; None: this node has none."""
    cluster_id: str
    pause_image: str
    cluster_dns: str = "10.43.0.10"
    cluster_domain: str = "cluster.local"
    pod_cidr: str = ""
    """The node's range; "" takes what the API put into the Node's spec.podCIDR."""
    labels: Mapping[str, str] = field(default_factory=dict)
    taints: tuple[str, ...] = ()
    """`key=value:Effect`, as --node-taint takes them."""
    serve: ServeOptions | None = field(default_factory=ServeOptions)
    """None: no HTTPS API of the node's own."""
    kubernetes_host: str = ""
    """Address that containers get as KUBERNETES_SERVICE_HOST while that service is not known."""
    kubernetes_port: int = 443
    manifest_path: Path | None = None
    """File or folder of static pods."""
    file_check_s: float = 20.0
    manifest_url: str = ""
    """Where static pods are asked for."""
    http_check_s: float = 20.0
    manifest_etcd: tuple[str, ...] = ()
    """Endpoints of an etcd whose keys name static pods."""
    manifest_hosts: tuple[str, ...] = ()
    """Names of this host in those keys."""
    relist_s: float = 60.0
    """Safety net: every pod is looked at this often even if nothing was heard."""
    heartbeat_s: float = 10.0
    status_s: float = 300.0
    """The node's status is written this often even if nothing changed."""
    pods_max: int = 110
    registries_path: Path | None = None
    """Mirrors and logins, as `node/images/registries.py` reads them."""
    ask_default_registry: bool = True
    upkeep: UpkeepOptions = UpkeepOptions()
