"""NetworkPolicies as rules: said one by one, then held against a slow reading of the same rules."""

import random
from typing import Any

import pytest

from appliance.node.network.policies.compile import compile_policies
from tests.unit.node.network.policies.reference import Packet, World, allowed, passes
from tests.unit.node.network.policies.scenes import NAMESPACES, pod, policy, some_packet, some_world

WEB, DB = {"app": "web"}, {"app": "db"}
OTHER = "192.0.2.7"


def goes(
    spec: dict[str, Any], source: str, target: str, port: int = 80, protocol: str = "tcp"
) -> bool:
    """Whether a connection opens, under one policy of `shop`: web .2, db .3; bank's web .4."""
    named = {("tcp", "http"): 80}
    members = [pod(2, "shop", WEB, named), pod(3, "shop", DB, named), pod(4, "bank", WEB)]
    firewall = compile_policies([policy(spec)], members, NAMESPACES)
    short = {"web": "10.42.0.2", "db": "10.42.0.3", "bank": "10.42.0.4", "out": OTHER}
    return passes(firewall, Packet(short[source], short[target], protocol, port))


def test_a_policy_without_rules_lets_nobody_in_but_everybody_out() -> None:
    spec = {"podSelector": {"matchLabels": WEB}}
    assert not goes(spec, "db", "web")
    assert not goes(spec, "out", "web")
    assert goes(spec, "web", "db")
    assert goes(spec, "db", "bank"), "other pods are not concerned"
    assert goes(spec, "web", "web"), "nobody is kept from himself"


def test_egress_is_guarded_only_where_the_policy_says_so() -> None:
    nobody = {"podSelector": {}, "policyTypes": ["Egress"]}
    assert not goes(nobody, "web", "db")
    assert not goes(nobody, "web", "out")
    assert goes(nobody, "bank", "web"), "what comes in is free"
    to_db = [{"to": [{"podSelector": {"matchLabels": DB}}]}]
    by_rule = {"podSelector": {"matchLabels": WEB}, "egress": to_db}
    assert goes(by_rule, "web", "db")
    assert not goes(by_rule, "web", "bank")
    assert not goes(by_rule, "bank", "web"), "a policy is about ingress unless it says not"


def test_pods_are_meant_in_the_policys_namespace_unless_it_names_others() -> None:
    near = {"podSelector": {}, "ingress": [{"from": [{"podSelector": {}}]}]}
    assert goes(near, "db", "web")
    assert not goes(near, "bank", "web")
    far = {"podSelector": {}, "ingress": [{"from": [{"namespaceSelector": {}}]}]}
    assert goes(far, "bank", "web")
    assert not goes(far, "out", "web")


def test_a_range_of_addresses_has_exceptions() -> None:
    block = {"cidr": "192.0.0.0/8", "except": ["192.0.2.0/24"]}
    spec = {"podSelector": {}, "ingress": [{"from": [{"ipBlock": block}]}]}
    assert not goes(spec, "out", "web")
    block = {"cidr": "192.0.0.0/8"}
    spec = {"podSelector": {}, "ingress": [{"from": [{"ipBlock": block}]}]}
    assert goes(spec, "out", "web")


def test_ports_by_number_range_and_name() -> None:
    spec = {"podSelector": {}, "ingress": [{"ports": [{"port": 80, "endPort": 90}]}]}
    assert goes(spec, "out", "web", 90)
    assert not goes(spec, "out", "web", 91)
    assert not goes(spec, "out", "web", 80, "udp")
    named = {"podSelector": {}, "ingress": [{"ports": [{"port": "http"}]}]}
    assert goes(named, "out", "web", 80)
    assert not goes(named, "out", "web", 81)
    missing = {"podSelector": {}, "ingress": [{"ports": [{"port": "nosuch"}]}]}
    assert not goes(missing, "out", "web", 80)


def test_a_named_port_of_what_goes_out_is_the_peers() -> None:
    peers = [{"podSelector": {}}, {"namespaceSelector": {}}]
    spec = {"podSelector": {}, "egress": [{"to": peers, "ports": [{"port": "http"}]}],
            "policyTypes": ["Egress"]}  # fmt: skip
    assert goes(spec, "web", "db", 80)
    assert not goes(spec, "web", "db", 81)
    assert not goes(spec, "web", "bank", 80), "it has no port of that name"


def test_pods_of_other_nodes_are_peers_but_not_guarded_here() -> None:
    spec = policy({"podSelector": {}})
    firewall = compile_policies([spec], [pod(2), pod(3, local=False)], NAMESPACES)
    assert list(firewall.maps["ingress4"]) == ["10.42.0.2"]


def test_pods_with_the_same_rules_share_a_chain() -> None:
    spec = policy({"podSelector": {}, "ingress": [{"from": [{"podSelector": {}}]}]})
    firewall = compile_policies([spec], [pod(n) for n in range(2, 60)], NAMESPACES)
    assert len(firewall.chains) == 1
    assert len(firewall.sets) == 4


@pytest.mark.parametrize("seed", range(40))
def test_random_policies_do_what_their_documentation_says(seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311 - a test
    for _ in range(10):
        world = some_world(chance)
        firewall = compile_policies(world.policies, world.members, world.namespaces)
        for _ in range(40):
            packet = some_packet(chance, world)
            assert passes(firewall, packet) is allowed(world, packet), (packet, world.policies)


def test_the_reading_is_no_yes_man() -> None:
    """Among what the test above asks, much passes and much does not."""
    chance, answers = random.Random(1), []  # noqa: S311 - a test
    while len(answers) < 2000:
        world: World = some_world(chance)
        answers += [allowed(world, some_packet(chance, world)) for _ in range(20)]
    assert 0.2 < sum(answers) / len(answers) < 0.9
