"""Which way leads to the pods of each other node; a pure choice.

A node on a link that we are on, too, is its own gateway: a plain route, nothing wrapped. To any
other a tunnel (VXLAN) leads through whatever lies between. `wiring.py` carries the choice out.
"""

import ipaddress
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from appliance.api.kinds.core.node import Node


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """To the pods of one node: by its address directly, or through the tunnel."""

    node: str
    pod_cidr: str
    address: str
    tunnel: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Tunnel:
    """Our own end of it: `network_id` is the same on all nodes of a cluster."""

    node_ip: str
    pod_cidr: str
    network_id: int


@dataclass(frozen=True, slots=True)
class Ways:
    """All ways from this node, and what the API says its own range is ("" if it says nothing)."""

    own_cidr: str
    others: tuple[Way, ...] = ()


def find_ways(nodes: Iterable[Node], own: str, links: Sequence[str]) -> Ways:
    """Choose for each node but `own`; `links` are the networks that our own address is on.

    A node without range or address can't be reached yet and is left out.
    """
    networks = [ipaddress.ip_network(link) for link in links]
    own_cidr, others = "", []
    for node in nodes:
        if node.metadata.name == own:
            own_cidr = node.spec.podCIDR
            continue
        address = _address(node)
        if not node.spec.podCIDR or not address:
            continue
        near = any(ipaddress.ip_address(address) in network for network in networks)
        others.append(
            Way(
                node=node.metadata.name,
                pod_cidr=node.spec.podCIDR,
                address=address,
                tunnel=not near,
            )
        )
    return Ways(own_cidr, tuple(sorted(others, key=lambda way: way.node)))


def tunnel_mac(address: str) -> str:
    """The hardware address of a node's end of the tunnel, which follows from its address.

    >>> tunnel_mac("192.0.2.7")
    '02:aa:c0:00:02:07'
    """
    return "02:aa:" + ":".join(f"{part:02x}" for part in ipaddress.IPv4Address(address).packed)


def tunnel_address(pod_cidr: str) -> str:
    """The address of a node's end of the tunnel: the range's own, which no pod has.

    >>> tunnel_address("10.42.3.0/24")
    '10.42.3.0'
    """
    return str(ipaddress.IPv4Network(pod_cidr).network_address)


def network_id(ca_pem_hash: str) -> int:
    """The tunnel's 24-bit id: the same on all nodes of a cluster, another for other clusters."""
    return int(ca_pem_hash[:6], 16) or 1


def _address(node: Node) -> str:
    found = next((a.address for a in node.status.addresses if a.type == "InternalIP"), "")
    try:
        return str(ipaddress.IPv4Address(found))
    except ValueError:
        return ""
