"""Who and where this process is: node name, address, cluster id; found once, at start."""

import ipaddress
import secrets
from dataclasses import dataclass
from pathlib import Path

from appliance.config.schema import Config
from appliance.host.address import host_address, host_name
from appliance.kit.atomicfile import write_atomic

_ID_BYTES = 3  # six hex digits: names of network interfaces may have 15 characters


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Names and addresses that several parts must agree on."""

    cluster_id: str
    node_name: str
    node_ip: str
    advertise_address: str
    kubernetes_ip: str
    """Cluster address of the service `kubernetes`: the first of the service range."""

    @property
    def api_names(self) -> tuple[str, ...]:
        """What the API server's certificate must name."""
        inside = ("kubernetes", "kubernetes.default", "kubernetes.default.svc")
        own = (self.node_name, "localhost", "127.0.0.1", self.node_ip, self.advertise_address)
        return tuple(dict.fromkeys((*inside, *own, self.kubernetes_ip)))


def find_place(config: Config) -> Place:
    """Work out what the configuration leaves open."""
    node_ip = config.node_ip or host_address()
    services = ipaddress.ip_network(config.service_cidr)
    return Place(
        cluster_id=_cluster_id(config.data / "cluster-id"),
        node_name=config.node_name or host_name(),
        node_ip=node_ip,
        advertise_address=config.advertise_address or node_ip,
        kubernetes_ip=str(services.network_address + 1),
    )


def _cluster_id(path: Path) -> str:
    """Marks everything that this cluster makes on a host; several may run side by side."""
    if not path.exists():
        write_atomic(path, secrets.token_hex(_ID_BYTES).encode() + b"\n", mode=0o644)
    return path.read_text().strip()
