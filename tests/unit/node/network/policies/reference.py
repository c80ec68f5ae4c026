"""Network policies as their documentation reads, and what a Firewall does with a packet.

`allowed` asks the policies anew for each packet, in the plainest way; `passes` follows the rules
that were compiled as the kernel would. Both judge the first packet of a connection.
"""

import ipaddress
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from appliance.api.kinds.networking.networkpolicy import NetworkPolicy
from appliance.api.labels import from_label_selector
from appliance.node.network.policies.firewall import Firewall
from appliance.node.network.policies.members import Member


@dataclass(frozen=True, slots=True)
class Packet:
    """From an address to a port."""

    source: str
    target: str
    protocol: str
    port: int


@dataclass(frozen=True, slots=True)
class World:
    """What policies look at."""

    policies: Sequence[NetworkPolicy]
    members: Sequence[Member]
    namespaces: Mapping[str, Mapping[str, str]]

    def at(self, address: str) -> Member | None:
        return next((m for m in self.members if address in m.addresses), None)


def allowed(world: World, packet: Packet) -> bool:
    """Whether both ends let the packet pass; others than local pods are not ours to guard."""
    source, target = world.at(packet.source), world.at(packet.target)
    if packet.source == packet.target:
        return True
    return _end_allows(world, source, "Egress", packet) and _end_allows(
        world, target, "Ingress", packet
    )


def _end_allows(world: World, pod: Member | None, direction: str, packet: Packet) -> bool:
    if pod is None or not pod.local:
        return True
    about = [
        p
        for p in world.policies
        if p.metadata.namespace == pod.namespace
        and from_label_selector(p.spec.podSelector).matches(pod.labels)
        and direction in p.spec.policyTypes
    ]
    if not about:
        return True
    return any(_policy_allows(world, p, direction, packet) for p in about)


def _policy_allows(world: World, policy: NetworkPolicy, direction: str, packet: Packet) -> bool:
    rules: Sequence[Any] = policy.spec.ingress if direction == "Ingress" else policy.spec.egress
    for rule in rules:
        peers = rule.from_ if direction == "Ingress" else rule.to
        other = packet.source if direction == "Ingress" else packet.target
        peer_ok = not peers or any(_is_peer(world, policy, peer, other) for peer in peers)
        ports_ok = not rule.ports or any(_is_port(world, port, packet) for port in rule.ports)
        if peer_ok and ports_ok:
            return True
    return False


def _is_peer(world: World, policy: NetworkPolicy, peer: Any, address: str) -> bool:
    if peer.ipBlock is not None:
        where = ipaddress.ip_address(address)
        return where in ipaddress.ip_network(peer.ipBlock.cidr) and not any(
            where in ipaddress.ip_network(part) for part in peer.ipBlock.except_
        )
    pod = world.at(address)
    if pod is None:
        return False
    if peer.namespaceSelector is None:
        if pod.namespace != policy.metadata.namespace:
            return False
    elif pod.namespace not in world.namespaces or not from_label_selector(
        peer.namespaceSelector
    ).matches(world.namespaces[pod.namespace]):
        return False
    return peer.podSelector is None or from_label_selector(peer.podSelector).matches(pod.labels)


def _is_port(world: World, port: Any, packet: Packet) -> bool:
    if (port.protocol or "TCP").lower() != packet.protocol:
        return False
    if port.port is None:
        return True
    if isinstance(port.port, str):
        pod = world.at(packet.target)
        return pod is not None and pod.ports.get((packet.protocol, port.port)) == packet.port
    return int(port.port) <= packet.port <= (port.endPort or port.port)


# the compiled rules


def passes(firewall: Firewall, packet: Packet) -> bool:
    """What the kernel does with the packet."""
    version = ipaddress.ip_address(packet.source).version
    if f"{packet.source} . {packet.source}" in firewall.sets[f"selves{version}"] and (
        packet.source == packet.target
    ):
        return True
    for name, key in (("egress", packet.source), ("ingress", packet.target)):
        verdict = firewall.maps[f"{name}{version}"].get(key)
        if verdict is not None:
            rules = firewall.chains[verdict.removeprefix("jump ")]
            if not any(_matches(firewall, rule, packet) for rule in rules):
                return False
    return True


_PARTS = re.compile(
    r"(?P<family>ip6?) (?P<side>[sd]addr) (?:@(?P<set>\w+)|\{ (?P<blocks>[^}]*) \}) "
    r"|(?P<l4>tcp|udp|sctp) dport \{ (?P<ports>[^}]*) \} "
    r"|meta l4proto (?P<proto>\w+) "
    r"|meta nfproto ipv(?P<nf>[46]) "
    r"|(?P<ends>ip6?) daddr \. meta l4proto \. th dport @(?P<endset>\w+) "
    r"|(?P<end>return)$"
)


def _matches(firewall: Firewall, rule: str, packet: Packet) -> bool:
    at = 0
    while at < len(rule):
        found = _PARTS.match(rule, at)
        assert found is not None, f"not understood: {rule[at:]}"
        if not _part(firewall, found.groupdict(), packet):
            return False
        at = found.end()
    return True


def _part(firewall: Firewall, part: Mapping[str, str | None], packet: Packet) -> bool:
    version = ipaddress.ip_address(packet.source).version
    family = "ip" if version == 4 else "ip6"
    address = packet.source if part["side"] == "saddr" else packet.target
    if part["set"]:
        return part["family"] == family and address in firewall.sets[part["set"]]
    if part["blocks"]:
        return part["family"] == family and any(
            ipaddress.ip_address(address) in ipaddress.ip_network(text)
            for text in part["blocks"].split(", ")
        )
    if part["ports"]:
        return part["l4"] == packet.protocol and _within(part["ports"].split(", "), packet.port)
    if part["endset"]:
        key = f"{packet.target} . {packet.protocol} . {packet.port}"
        return part["ends"] == family and key in firewall.sets[part["endset"]]
    if part["nf"]:
        return int(part["nf"]) == version
    return part["end"] is not None or part["proto"] == packet.protocol


def _within(ranges: Iterable[str], port: int) -> bool:
    for text in ranges:
        first, _, last = text.partition("-")
        if int(first) <= port <= int(last or first):
            return True
    return False
