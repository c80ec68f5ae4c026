"""Near to or far from other pods: required and preferred affinity and anti-affinity.

    pod wants app=cache in its zone; a cache is in zone a ─► nodes of zone a are left
    pod keeps away from app=web per host ─► hosts with a web pod are out, and a web pod that
    comes later stays away from this one's host, too

Source: Kubernetes documentation, "Inter-pod affinity and anti-affinity".
"""

from collections.abc import Mapping, Sequence

from appliance.control.scheduler.base import (
    Change,
    Check,
    Filter,
    NodeChanged,
    OtherChanged,
    Refusal,
    Score,
    between,
)
from appliance.control.scheduler.podinfo import PodInfo
from appliance.control.scheduler.snapshot import NodeView, Snapshot
from appliance.control.scheduler.tallies import Counts
from appliance.control.scheduler.terms import all_cover

NOT_NEAR = Refusal(("node(s) didn't match pod affinity rules",), is_final=True)
NOT_APART = Refusal(("node(s) didn't match pod anti-affinity rules",))
NOT_WELCOME = Refusal(("node(s) didn't satisfy existing pods anti-affinity rules",))

BOND = 1
"""How much a pod that must be near to others draws them to itself (hardPodAffinityWeight)."""


def in_company(info: PodInfo, snapshot: Snapshot) -> Check | None:
    """Required affinity and anti-affinity between pods, of this one and against it."""
    stances = snapshot.stances
    against = list(stances.about(stances.against, info.pod, snapshot.namespaces))
    apart = [(term.key, snapshot.tally(term.key, (term.cover,)).counts) for term in info.apart]
    near, is_first = _near(info, snapshot)
    if not (against or apart or near):
        return None

    def check(view: NodeView) -> Refusal | None:
        labels = view.labels
        for key, counts in near:
            value = labels.get(key)
            if value is None or (not counts.get(value) and not is_first):
                return NOT_NEAR
        for key, counts in apart:
            if key in labels and counts.get(labels[key]):
                return NOT_APART
        for term, counts in against:
            if labels.get(term.key) in counts:
                return NOT_WELCOME
        return None

    return check


def _near(info: PodInfo, snapshot: Snapshot) -> tuple[list[tuple[str, Counts]], bool]:
    """Counts of the company for each term; whether the pod may begin a group anywhere."""
    if not info.near:
        return [], False
    covers = tuple(term.cover for term in info.near)
    near = [(term.key, snapshot.tally(term.key, covers).counts) for term in info.near]
    alone = not any(count for _, counts in near for count in counts.values())
    return near, alone and all_cover(covers, info.pod, snapshot.namespaces)


def helps(info: PodInfo, snapshot: Snapshot, change: Change) -> bool:
    """A pod that one of the terms is about came or went, or a node changed."""
    if isinstance(change, NodeChanged | OtherChanged):
        return isinstance(change, NodeChanged) or change.kind == "Namespace"
    mine = (*info.near, *info.apart)
    if any(term.cover.has(change.pod, snapshot.namespaces) for term in mine):
        return True
    affinity = change.pod.spec.affinity  # one that keeps us away may have left
    return affinity is not None and affinity.podAntiAffinity is not None


def liked_company(bond: int = BOND) -> Score:
    """Preferred affinity and anti-affinity, of this pod and of those that are there."""

    def rate(info: PodInfo, snapshot: Snapshot, nodes: Sequence[NodeView]) -> list[float] | None:
        pulls = [
            (term.key, snapshot.tally(term.key, (term.cover,)).counts, term.weight)
            for term in info.likes
        ]
        stances, namespaces = snapshot.stances, snapshot.namespaces
        for term, counts in stances.about(stances.wishes, info.pod, namespaces):
            pulls.append((term.key, counts, term.weight))
        if bond:
            for term, counts in stances.about(stances.bonds, info.pod, namespaces):
                pulls.append((term.key, counts, bond))
        return between([_pull(pulls, view.labels) for view in nodes]) if pulls else None

    return Score("InterPodAffinity", rate)


def _pull(pulls: Sequence[tuple[str, Counts, int]], labels: Mapping[str, str]) -> int:
    return sum(weight * counts.get(labels.get(key, ""), 0) for key, counts, weight in pulls)


INTER_POD_AFFINITY = Filter("InterPodAffinity", in_company, helps)
