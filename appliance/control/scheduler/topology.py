"""Pods near to or far from each other: affinity, anti-affinity and topology spread.

All three compare domains: a domain is the set of nodes with the same value of a label, the
topology key (`kubernetes.io/hostname`, a zone). `survey` counts once per pod over all nodes what
the filters and scores then ask per node.

    two nodes in zone a, one in zone b; maxSkew 1; pods app=web: a has 2, b has 1
    a third pod in a would make 3 - 1 = 2 > 1, so only b is left

Sources: Kubernetes documentation, "Inter-pod affinity", "Pod Topology Spread Constraints".
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from appliance.api import nodeaffinity
from appliance.api.kinds.core.pod.affinity import PodAffinityTerm, TopologySpreadConstraint
from appliance.api.kinds.core.pod.kind import Pod
from appliance.api.labels import Requirement, Selector, from_label_selector
from appliance.control.scheduler.snapshot import NodeView

Domain = tuple[str, str]
"""Topology key and value."""

Namespaces = Mapping[str, Mapping[str, str]]
"""Labels of each namespace, for terms that select namespaces by label."""


@dataclass(frozen=True, slots=True)
class Term:
    """Which pods a rule is about, and over which domains."""

    key: str
    selector: Selector
    namespaces: frozenset[str] | None
    """None is all."""
    weight: int = 0

    def covers(self, pod: Pod) -> bool:
        """Whether the rule is about this pod."""
        meta = pod.metadata
        if self.namespaces is not None and meta.namespace not in self.namespaces:
            return False
        return meta.deletionTimestamp is None and self.selector.matches(meta.labels)


@dataclass(frozen=True, slots=True)
class Spread:
    """One constraint, with what is there already."""

    key: str
    counts: Mapping[str, int]
    least: int
    max_skew: int
    counts_itself: bool
    is_hard: bool

    def skew(self, value: str) -> int:
        """How uneven it would be with one more pod in this domain."""
        return self.counts.get(value, 0) + int(self.counts_itself) - self.least


@dataclass(slots=True)
class Survey:
    """What one pod must know of all domains; empty for most pods."""

    near: list[tuple[Term, frozenset[str], bool]] = field(default_factory=list)
    """Required affinity: the term, the domain values that have a match, whether none is needed."""
    apart: set[Domain] = field(default_factory=set)
    """Domains with pods that this pod must not be with."""
    repelled: set[Domain] = field(default_factory=set)
    """Domains with pods that must not be with this pod."""
    spreads: list[Spread] = field(default_factory=list)
    pulls: Counter[Domain] = field(default_factory=Counter)
    """Weighted preferences: positive attracts, negative repels."""


def survey(pod: Pod, nodes: Sequence[NodeView], namespaces: Namespaces) -> Survey:
    """Count over all nodes what the rules of this pod, and of others against it, need."""
    found = Survey()
    found.repelled = _repelled(pod, nodes, namespaces)
    affinity = pod.spec.affinity
    if affinity and affinity.podAffinity:
        rules = affinity.podAffinity
        for wanted in rules.requiredDuringSchedulingIgnoredDuringExecution:
            term = compile_term(wanted, pod, namespaces)
            values = frozenset(_matches(term, nodes))
            # The first of a group that wants to be together may go anywhere.
            found.near.append((term, values, not values and term.covers(pod)))
        for liked in rules.preferredDuringSchedulingIgnoredDuringExecution:
            term = compile_term(liked.podAffinityTerm, pod, namespaces, liked.weight)
            _pull(found, term, nodes, sign=1)
    if affinity and affinity.podAntiAffinity:
        against = affinity.podAntiAffinity
        for wanted in against.requiredDuringSchedulingIgnoredDuringExecution:
            term = compile_term(wanted, pod, namespaces)
            found.apart.update((term.key, value) for value in _matches(term, nodes))
        for liked in against.preferredDuringSchedulingIgnoredDuringExecution:
            term = compile_term(liked.podAffinityTerm, pod, namespaces, liked.weight)
            _pull(found, term, nodes, sign=-1)
    found.spreads = [_spread(c, pod, nodes) for c in pod.spec.topologySpreadConstraints]
    return found


def compile_term(term: PodAffinityTerm, pod: Pod, namespaces: Namespaces, weight: int = 0) -> Term:
    """Make a rule of `pod` ready for matching."""
    labels = pod.metadata.labels
    more = [Requirement(k, "in", (labels[k],)) for k in term.matchLabelKeys if k in labels]
    more += [Requirement(k, "notin", (labels[k],)) for k in term.mismatchLabelKeys if k in labels]
    base = from_label_selector(term.labelSelector)
    selector = replace(base, requirements=(*base.requirements, *more))
    return Term(term.topologyKey, selector, _scope(term, pod, namespaces), weight)


def _scope(term: PodAffinityTerm, pod: Pod, namespaces: Namespaces) -> frozenset[str] | None:
    if term.namespaceSelector is None:
        return frozenset(term.namespaces or (pod.metadata.namespace,))
    chosen = from_label_selector(term.namespaceSelector)
    if chosen.is_everything:
        return None
    by_label = {name for name, labels in namespaces.items() if chosen.matches(labels)}
    return frozenset(by_label | set(term.namespaces))


def _matches(term: Term, nodes: Iterable[NodeView]) -> Counter[str]:
    """Number of covered pods by domain value."""
    found: Counter[str] = Counter()
    for node in nodes:
        value = node.node.metadata.labels.get(term.key)
        if value is not None and (count := sum(map(term.covers, node.pods))):
            found[value] += count
    return found


def _pull(found: Survey, term: Term, nodes: Sequence[NodeView], *, sign: int) -> None:
    for value, count in _matches(term, nodes).items():
        found.pulls[term.key, value] += sign * term.weight * count


def _repelled(pod: Pod, nodes: Sequence[NodeView], namespaces: Namespaces) -> set[Domain]:
    domains: set[Domain] = set()
    for node in nodes:
        for other in node.repelling:
            affinity = other.spec.affinity
            rules = affinity.podAntiAffinity if affinity else None
            for wanted in rules.requiredDuringSchedulingIgnoredDuringExecution if rules else ():
                value = node.node.metadata.labels.get(wanted.topologyKey)
                if value is not None and compile_term(wanted, other, namespaces).covers(pod):
                    domains.add((wanted.topologyKey, value))
    return domains


def _spread(constraint: TopologySpreadConstraint, pod: Pod, nodes: Sequence[NodeView]) -> Spread:
    key = constraint.topologyKey
    labels = pod.metadata.labels
    more = [Requirement(k, "in", (labels[k],)) for k in constraint.matchLabelKeys if k in labels]
    base = from_label_selector(constraint.labelSelector)
    selector = replace(base, requirements=(*base.requirements, *more))
    term = Term(key, selector, frozenset({pod.metadata.namespace}))
    honours = constraint.nodeAffinityPolicy != "Ignore"
    counts: dict[str, int] = {}
    for node in nodes:
        value = node.node.metadata.labels.get(key)
        if value is None or (honours and not nodeaffinity.allows(pod.spec, node.node)):
            continue
        counts[value] = counts.get(value, 0) + sum(map(term.covers, node.pods))
    too_few = len(counts) < (constraint.minDomains or 1)
    return Spread(
        key=key,
        counts=counts,
        least=0 if too_few else min(counts.values()),
        max_skew=constraint.maxSkew,
        counts_itself=selector.matches(labels),
        is_hard=constraint.whenUnsatisfiable != "ScheduleAnyway",
    )
