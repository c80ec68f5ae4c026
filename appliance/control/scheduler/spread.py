"""Pods of a kind spread over domains: topology spread constraints, hard and soft.

    two nodes in zone a, one in zone b; maxSkew 1; pods app=web: a has 2, b has 1
    a third pod in a would make 3 - 1 = 2 > 1, so only b is left

Pods without constraints of their own spread over nodes by their group (owner or labels).
Source: Kubernetes documentation, "Pod Topology Spread Constraints".
"""

import math
from collections.abc import Sequence

from appliance.api import nodeaffinity, taints
from appliance.api.kinds.core.node import Node
from appliance.control.scheduler.base import (
    Change,
    Check,
    Filter,
    NodeChanged,
    OtherChanged,
    Refusal,
    Score,
    by_fewest,
)
from appliance.control.scheduler.podinfo import PodInfo
from appliance.control.scheduler.snapshot import Eligible, NodeView, Snapshot
from appliance.control.scheduler.tallies import Tally
from appliance.control.scheduler.terms import Constraint

_WORDS = "node(s) didn't match pod topology spread constraints"
UNEVEN = Refusal((_WORDS,))
NO_LABEL = Refusal((f"{_WORDS} (missing required label)",), is_final=True)

_FORBIDDING = (taints.NO_SCHEDULE, taints.NO_EXECUTE)


def spread_evenly(info: PodInfo, snapshot: Snapshot) -> Check | None:
    """Hard topology spread constraints."""
    hard = [c for c in info.spreads if c.is_hard]
    if not hard:
        return None
    keys = frozenset(c.key for c in hard)
    limits: list[tuple[str, Tally, int]] = []
    for constraint in hard:
        tally = _tally(constraint, keys, info, snapshot)
        counts = tally.counts
        too_few = len(counts) < constraint.min_domains
        least = 0 if too_few else min(counts.values(), default=0)
        most = constraint.max_skew + least - int(constraint.counts_itself)
        limits.append((constraint.key, tally, most))

    def check(view: NodeView) -> Refusal | None:
        labels = view.labels
        for key, tally, most in limits:
            value = labels.get(key)
            if value is None:
                return NO_LABEL
            if tally.counts.get(value, 0) > most:
                return UNEVEN
        return None

    return check


def helps(info: PodInfo, snapshot: Snapshot, change: Change) -> bool:
    """A counted pod came or went (the emptiest place may have filled up), or a node changed."""
    if isinstance(change, NodeChanged):
        return True
    if isinstance(change, OtherChanged):
        return change.kind == "Node"  # one has gone: the emptiest place may be another now
    return any(c.cover.has(change.pod, snapshot.namespaces) for c in info.spreads)


def _tally(
    constraint: Constraint, keys: frozenset[str], info: PodInfo, snapshot: Snapshot
) -> Tally:
    return snapshot.tally(
        constraint.key,
        (constraint.cover,),
        living_only=True,
        eligible=_eligible(constraint, keys, info),
    )


def _eligible(
    constraint: Constraint, keys: frozenset[str], info: PodInfo
) -> tuple[object, Eligible] | None:
    """Which nodes count: those that the pod may run on, and that have all topology keys."""
    spec = info.pod.spec
    affinity = spec.affinity.nodeAffinity if spec.affinity else None
    by_affinity = constraint.honours_affinity and bool(spec.nodeSelector or affinity)
    by_taints = constraint.honours_taints
    if not by_affinity and not by_taints and len(keys) == 1:
        return None

    def counts(node: Node) -> bool:
        if not keys <= node.metadata.labels.keys():
            return False
        if by_affinity and not nodeaffinity.allows(spec, node):
            return False
        return not by_taints or not taints.untolerated(
            node.spec.taints, spec.tolerations, _FORBIDDING
        )

    rule = info.signature if by_affinity or by_taints else b""
    return (keys, by_affinity, by_taints, rule), counts


def evenly(info: PodInfo, snapshot: Snapshot, nodes: Sequence[NodeView]) -> list[float] | None:
    """Soft topology spread constraints; without any constraint, one pod of a group per node."""
    if not info.spreads:
        counts = snapshot.groups.get(info.group)
        return by_fewest([counts.get(view.name, 0) for view in nodes]) if counts else None
    soft = [c for c in info.spreads if not c.is_hard]
    if not soft:
        return None
    keys = frozenset(c.key for c in soft)
    counted = []
    for constraint in soft:
        tally = _tally(constraint, keys, info, snapshot)
        # Many small domains would drown a few large ones: upstream weighs by the logarithm.
        weight = math.log(len(tally.counts) + 2)
        counted.append((constraint.key, tally.counts, weight, constraint.max_skew - 1))
    sums: list[float] = []
    outside: list[int] = []
    for position, view in enumerate(nodes):
        labels = view.labels
        if not keys <= labels.keys():
            outside.append(position)
        sums.append(sum(c.get(labels.get(k, ""), 0) * w + more for k, c, w, more in counted))
    if outside:  # a node outside all domains would not spread anything: the worst there is
        worst = max(sums)
        for position in outside:
            sums[position] = worst
    return _inverted(sums)


def _inverted(sums: Sequence[float]) -> list[float] | None:
    least, most = min(sums, default=0.0), max(sums, default=0.0)
    if most <= least:
        return None
    return [100.0 * (most + least - number) / most for number in sums]


POD_TOPOLOGY_SPREAD = Filter("PodTopologySpread", spread_evenly, helps)
EVENLY = Score("PodTopologySpread", evenly)
