"""One policy's rules as lines of nft: with whom, on which ports. Pure.

Pods stand in named sets, which change as pods come and go; ranges of addresses and ports are part
of the line. A named port is a number of the pod that is connected to: of the guarded pod itself
for what comes in; for what goes out of each peer, so a set holds addresses with ports.
"""

import ipaddress
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import msgspec

from appliance.api.kinds.networking.networkpolicy import (
    IPBlock,
    NetworkPolicy,
    NetworkPolicyPeer,
    NetworkPolicyPort,
)
from appliance.api.labels import EVERYTHING, Selector, from_label_selector
from appliance.node.network.policies.members import Member, Scene, digest

_FAMILIES = {4: "ip", 6: "ip6"}
_ANY = ("",)
_LAST_PORT = 65535
_Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class Lines:
    """Writes rules over one scene; remembers what it wrote, and the sets that it needs."""

    def __init__(self, scene: Scene) -> None:
        self.sets: dict[str, frozenset[str]] = {}
        self._scene = scene
        self._written: dict[tuple[str, str, str], list[str]] = {}

    def of(self, policy: NetworkPolicy, direction: str, member: Member) -> list[str]:
        """The rules of a policy for a pod that it selects."""
        where, name = policy.metadata.namespace, policy.metadata.name
        ingress = direction == "ingress"
        # What goes out does not depend on the guarded pod, what comes in on its named ports.
        key = (where, name, f"{sorted(member.ports.items())}" if ingress else "out")
        if key not in self._written:
            rules = self._ingress(policy, member) if ingress else self._egress(policy)
            self._written[key] = list(rules)
        return self._written[key]

    def _ingress(self, policy: NetworkPolicy, member: Member) -> Iterator[str]:
        for rule in policy.spec.ingress:
            ports = _numbers(rule.ports, member)
            yield from self._product(policy, rule.from_, ports, side="saddr")

    def _egress(self, policy: NetworkPolicy) -> Iterator[str]:
        for rule in policy.spec.egress:
            numbered = [port for port in rule.ports if not isinstance(port.port, str)]
            named = [port for port in rule.ports if isinstance(port.port, str)]
            if numbered or not rule.ports:
                yield from self._product(policy, rule.to, _ports(numbered), side="daddr")
            if named:
                yield from self._ends(policy, rule.to, named)

    def _product(
        self,
        policy: NetworkPolicy,
        peers: Sequence[NetworkPolicyPeer],
        ports: Sequence[str],
        *,
        side: str,
    ) -> Iterator[str]:
        who = [*self._pods(policy, peers, side), *_blocks(peers, side)] if peers else _ANY
        for peer in who if ports else ():
            for port in ports:
                yield f"{peer}{port}return"

    def _pods(
        self, policy: NetworkPolicy, peers: Sequence[NetworkPolicyPeer], side: str
    ) -> Iterator[str]:
        pods = [peer for peer in peers if peer.ipBlock is None]
        if not pods:
            return
        where = policy.metadata.namespace
        name = digest(where, *(msgspec.json.encode(peer).decode() for peer in pods))
        if f"pods4_{name}" not in self.sets:
            found = selected(self._scene, where, pods)
            for version in _FAMILIES:
                addresses = frozenset(a for m in found for a in _of(m, version))
                self.sets[f"pods{version}_{name}"] = addresses
        for version, family in _FAMILIES.items():
            yield f"{family} {side} @pods{version}_{name} "

    def _ends(
        self,
        policy: NetworkPolicy,
        peers: Sequence[NetworkPolicyPeer],
        named: Sequence[NetworkPolicyPort],
    ) -> Iterator[str]:
        where = policy.metadata.namespace
        texts = (msgspec.json.encode(part).decode() for part in (*peers, *named))
        name = digest("ends", where, *texts)
        if f"ends4_{name}" not in self.sets:
            found = selected(self._scene, where, peers) if peers else self._scene.members
            for version in _FAMILIES:
                self.sets[f"ends{version}_{name}"] = frozenset(
                    f"{address} . {(port.protocol or 'TCP').lower()} . {number}"
                    for member in found
                    for port in named
                    if (number := _resolve(port, member)) is not None
                    for address in _of(member, version)
                )
        for version, family in _FAMILIES.items():
            yield f"{family} daddr . meta l4proto . th dport @ends{version}_{name} return"


def selected(scene: Scene, where: str, peers: Iterable[NetworkPolicyPeer]) -> list[Member]:
    """The pods that a rule of a policy in namespace `where` names."""
    found: dict[int, Member] = {}
    for peer in peers:
        if peer.ipBlock is not None:
            continue
        labels = EVERYTHING if peer.podSelector is None else from_label_selector(peer.podSelector)
        for namespace in _namespaces(scene, where, peer):
            for member in scene.in_namespace(namespace):
                if labels.matches(member.labels):
                    found[id(member)] = member
    return list(found.values())


def _namespaces(scene: Scene, where: str, peer: NetworkPolicyPeer) -> Iterable[str]:
    if peer.namespaceSelector is None:
        return (where,)
    selector: Selector = from_label_selector(peer.namespaceSelector)
    return [name for name, labels in scene.namespaces.items() if selector.matches(labels)]


def _of(member: Member, version: int) -> Iterator[str]:
    return (a for a in member.addresses if ipaddress.ip_address(a).version == version)


def _blocks(peers: Iterable[NetworkPolicyPeer], side: str) -> Iterator[str]:
    parts = [part for peer in peers if peer.ipBlock for part in remaining(peer.ipBlock)]
    for version, family in _FAMILIES.items():
        ours: list[Any] = [part for part in parts if part.version == version]
        texts = [str(network) for network in ipaddress.collapse_addresses(ours)]
        if texts in (["0.0.0.0/0"], ["::/0"]):
            yield f"meta nfproto ipv{version} "
        elif texts:
            yield f"{family} {side} {{ {', '.join(texts)} }} "


def remaining(block: IPBlock) -> list[_Network]:
    """A range without its exceptions."""
    left: list[_Network] = [ipaddress.ip_network(block.cidr, strict=False)]
    for text in block.except_:
        hole = ipaddress.ip_network(text, strict=False)
        left = [part for network in left for part in _without(network, hole)]
    return left


def _without(network: _Network, hole: _Network) -> list[_Network]:
    if network.version != hole.version or not network.overlaps(hole):
        return [network]
    if network.subnet_of(hole):  # type: ignore[arg-type]
        return []
    return list(network.address_exclude(hole))  # type: ignore[arg-type]


def _resolve(port: NetworkPolicyPort, member: Member) -> int | None:
    return member.ports.get(((port.protocol or "TCP").lower(), str(port.port)))


def _numbers(ports: Sequence[NetworkPolicyPort], member: Member) -> list[str]:
    """Matches for ports whose names are the member's; none of it, if it has no such name."""
    found = []
    for port in ports:
        if isinstance(port.port, str):
            number = _resolve(port, member)
            if number is None:
                continue
            found.append(NetworkPolicyPort(protocol=port.protocol, port=number))
        else:
            found.append(port)
    return [] if ports and not found else _ports(found)


def _ports(ports: Sequence[NetworkPolicyPort]) -> list[str]:
    if not ports:
        return list(_ANY)
    ranges: dict[str, list[tuple[int, int]]] = {}
    for port in ports:
        first = 0 if port.port is None else int(port.port)
        last = _LAST_PORT if port.port is None else port.endPort or first
        ranges.setdefault((port.protocol or "TCP").lower(), []).append((first, last))
    return [_match(protocol, _merged(found)) for protocol, found in sorted(ranges.items())]


def _match(protocol: str, ranges: Sequence[tuple[int, int]]) -> str:
    if ranges[0] == (0, _LAST_PORT):
        return f"meta l4proto {protocol} "
    texts = (f"{first}" if first == last else f"{first}-{last}" for first, last in ranges)
    return f"{protocol} dport {{ {', '.join(texts)} }} "


def _merged(ranges: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    made: list[tuple[int, int]] = []
    for first, last in sorted(ranges):
        if made and first <= made[-1][1] + 1:
            made[-1] = (made[-1][0], max(last, made[-1][1]))
        else:
            made.append((first, last))
    return made
