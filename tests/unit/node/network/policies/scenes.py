"""Small worlds of pods and policies, made by chance from few words so that much coincides."""

import random
from typing import Any

import msgspec

from appliance.api.kinds.networking.networkpolicy import NETWORK_POLICY, NetworkPolicy
from appliance.node.network.policies.members import Member
from tests.unit.node.network.policies.reference import Packet, World

NAMESPACES = {
    "shop": {"team": "a", "kubernetes.io/metadata.name": "shop"},
    "bank": {"team": "b", "kubernetes.io/metadata.name": "bank"},
    "void": {},
}
LABELS: tuple[dict[str, str], ...] = ({}, {"app": "web"}, {"app": "db"}, {"app": "web", "x": "1"})
NAMED: tuple[dict[tuple[str, str], int], ...] = (
    {},
    {("tcp", "http"): 80},
    {("tcp", "http"): 8080, ("udp", "http"): 81},
)
PORTS = (79, 80, 81, 443, 8080)
PROTOCOLS = ("tcp", "udp")
OUTSIDE = ("192.0.2.7", "198.51.100.9", "2001:db8::7")


def policy(spec: dict[str, Any], *, namespace: str = "shop", name: str = "p") -> NetworkPolicy:
    """A policy as the API would keep it."""
    meta = {"name": name, "namespace": namespace}
    made = msgspec.convert({"metadata": meta, "spec": spec}, NetworkPolicy)
    assert NETWORK_POLICY.set_defaults is not None
    NETWORK_POLICY.set_defaults(made)
    assert NETWORK_POLICY.validate is not None
    assert not NETWORK_POLICY.validate(made)
    return made


def pod(
    number: int,
    namespace: str = "shop",
    labels: dict[str, str] | None = None,
    ports: dict[tuple[str, str], int] | None = None,
    *,
    local: bool = True,
) -> Member:
    """The pod 10.42.0.<number>."""
    addresses = (f"10.42.0.{number}", f"fd42::{number}")
    return Member(namespace, labels or {}, addresses, ports or {}, local)


def some_world(chance: random.Random) -> World:
    """Up to 8 pods and 4 policies."""
    members = [
        pod(
            number,
            chance.choice(list(NAMESPACES)),
            chance.choice(LABELS),
            chance.choice(NAMED),
            local=chance.random() < 0.7,
        )
        for number in range(2, chance.randint(3, 9))
    ]
    policies = [
        policy(_spec(chance), namespace=chance.choice(list(NAMESPACES)), name=f"p{number}")
        for number in range(chance.randint(0, 4))
    ]
    return World(policies, members, NAMESPACES)


def some_packet(chance: random.Random, world: World) -> Packet:
    """Between pods, or a pod and the outside, of one family."""
    version6 = chance.random() < 0.3
    ends = [a for m in world.members for a in m.addresses] + list(OUTSIDE)
    ends = [a for a in ends if (":" in a) is version6]
    return Packet(
        chance.choice(ends), chance.choice(ends), chance.choice(PROTOCOLS), chance.choice(PORTS)
    )


def _spec(chance: random.Random) -> dict[str, Any]:
    types = chance.choice([[], ["Ingress"], ["Egress"], ["Ingress", "Egress"]])
    spec: dict[str, Any] = {"podSelector": _selector(chance), "policyTypes": types}
    for kind, word in (("ingress", "from"), ("egress", "to")):
        if chance.random() < 0.7:
            spec[kind] = [_rule(chance, word) for _ in range(chance.randint(0, 2))]
    return spec


def _rule(chance: random.Random, word: str) -> dict[str, Any]:
    rule: dict[str, Any] = {}
    if chance.random() < 0.7:
        rule[word] = [_peer(chance) for _ in range(chance.randint(1, 3))]
    if chance.random() < 0.7:
        rule["ports"] = [_port(chance) for _ in range(chance.randint(1, 3))]
    return rule


def _peer(chance: random.Random) -> dict[str, Any]:
    kind = chance.randrange(4)
    if kind == 0:
        return {"podSelector": _selector(chance)}
    if kind == 1:
        return {"namespaceSelector": chance.choice([{}, {"matchLabels": {"team": "a"}}])}
    if kind == 2:
        return {
            "podSelector": _selector(chance),
            "namespaceSelector": {"matchLabels": {"team": "b"}},
        }
    blocks: list[dict[str, Any]] = [
        {"cidr": "0.0.0.0/0"},
        {"cidr": "::/0", "except": ["2001:db8::/64"]},
        {"cidr": "10.42.0.0/29", "except": ["10.42.0.4/31", "10.42.0.4/32"]},
        {"cidr": "0.0.0.0/0", "except": ["192.0.2.0/24"]},
    ]
    return {"ipBlock": chance.choice(blocks)}


def _port(chance: random.Random) -> dict[str, Any]:
    protocol = chance.choice(["TCP", "UDP"])
    kind = chance.randrange(4)
    if kind == 0:
        return {"protocol": protocol}
    if kind == 1:
        return {"protocol": protocol, "port": "http"}
    if kind == 2:
        return {"protocol": protocol, "port": 80, "endPort": chance.choice([80, 81, 443])}
    return {"port": chance.choice(PORTS)}


def _selector(chance: random.Random) -> dict[str, Any]:
    return chance.choice(
        [
            {},
            {"matchLabels": {"app": "web"}},
            {"matchExpressions": [{"key": "app", "operator": "NotIn", "values": ["web"]}]},
            {"matchExpressions": [{"key": "x", "operator": "Exists"}]},
        ]
    )
