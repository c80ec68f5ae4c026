"""NetworkPolicies, pods and namespaces become the rules for this node's pods. Pure.

Called by `loop.py` after each change. For each pod of this node that a policy selects, and each
direction that the policy is about, the rules of all such policies stand in one chain: what none
lets pass is dropped. Pods with the same rules share the chain. `peers.py` writes one rule.

Source: kubernetes `networking/v1` types and docs.
"""

import ipaddress
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from appliance.api.kinds.networking.networkpolicy import NetworkPolicy
from appliance.api.labels import Selector, from_label_selector
from appliance.node.network.policies.firewall import MAPS, SELVES, Firewall
from appliance.node.network.policies.members import Labels, Member, Scene, digest
from appliance.node.network.policies.peers import Lines

_SHORT = {"ingress": "in", "egress": "out"}


@dataclass(slots=True)
class _Gathered:
    selves: dict[str, set[str]] = field(default_factory=lambda: {name: set() for name in SELVES})
    chains: dict[str, tuple[str, ...]] = field(default_factory=dict)
    maps: dict[str, dict[str, str]] = field(default_factory=lambda: {name: {} for name in MAPS})


def compile_policies(
    policies: Iterable[NetworkPolicy], members: Sequence[Member], namespaces: Mapping[str, Labels]
) -> Firewall:
    """Give the rules for the local ones of `members`; `namespaces` are labels by name."""
    lines = Lines(Scene(members, namespaces))
    made = _Gathered()
    by_namespace: dict[str, list[tuple[Selector, NetworkPolicy]]] = {}
    for policy in policies:
        selects = from_label_selector(policy.spec.podSelector)
        by_namespace.setdefault(policy.metadata.namespace, []).append((selects, policy))
    for member in members:
        if not member.local:
            continue
        near = by_namespace.get(member.namespace, ())
        mine = [policy for selects, policy in near if selects.matches(member.labels)]
        for direction in _SHORT:
            about = [p for p in mine if direction.capitalize() in p.spec.policyTypes]
            if about:
                rules = {rule for p in about for rule in lines.of(p, direction, member)}
                _guard(made, member, direction, tuple(sorted(rules)))
    sets = lines.sets | {name: frozenset(pairs) for name, pairs in made.selves.items()}
    return Firewall(sets, made.chains, made.maps)


def _guard(made: _Gathered, member: Member, direction: str, rules: tuple[str, ...]) -> None:
    chain = f"{_SHORT[direction]}_{digest(*rules)}"
    made.chains[chain] = rules
    for address in member.addresses:
        version = ipaddress.ip_address(address).version
        made.maps[f"{direction}{version}"][address] = f"jump {chain}"
        made.selves[f"selves{version}"].add(f"{address} . {address}")
