"""Rules about other pods, compiled: whom an affinity term or a spread constraint is about.

Values are hashable, so that equal rules of many pods are counted once (see `snapshot.py`). All
rules compare domains: a domain is the set of nodes with the same value of a label, the topology
key (`kubernetes.io/hostname`, a zone).

Sources: Kubernetes documentation, "Inter-pod affinity", "Pod Topology Spread Constraints".
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from appliance.api.kinds.core.pod.affinity import PodAffinityTerm, TopologySpreadConstraint
from appliance.api.kinds.core.pod.kind import Pod
from appliance.api.labels import NOTHING, Requirement, Selector, from_label_selector
from appliance.api.meta import LabelSelector

Namespaces = Mapping[str, Mapping[str, str]]
"""Labels of each namespace, for terms that select namespaces by label."""


@dataclass(frozen=True, slots=True)
class Cover:
    """Which pods a rule is about."""

    selector: Selector
    namespaces: frozenset[str]
    by_label: Selector = NOTHING
    """Namespaces that are meant besides, by their labels."""

    def has(self, pod: Pod, namespaces: Namespaces) -> bool:
        """Whether the rule is about this pod."""
        meta = pod.metadata
        if meta.namespace not in self.namespaces and (
            self.by_label.nothing or not self.by_label.matches(namespaces.get(meta.namespace, {}))
        ):
            return False
        return self.selector.matches(meta.labels)


@dataclass(frozen=True, slots=True)
class Term:
    """Near to or away from such pods, over domains of `key`; a weight makes it a wish."""

    key: str
    cover: Cover
    weight: int = 0
    """Negative for those to keep away from."""


@dataclass(frozen=True, slots=True)
class Constraint:
    """One topology spread constraint."""

    key: str
    cover: Cover
    max_skew: int
    min_domains: int
    is_hard: bool
    counts_itself: bool
    honours_affinity: bool
    honours_taints: bool


def terms_of(pod: Pod) -> tuple[tuple[Term, ...], tuple[Term, ...], tuple[Term, ...]]:
    """What the pod must be near to, must be away from, and would like."""
    affinity = pod.spec.affinity
    near: list[Term] = []
    apart: list[Term] = []
    likes: list[Term] = []
    for rules, required, sign in (
        (affinity and affinity.podAffinity, near, 1),
        (affinity and affinity.podAntiAffinity, apart, -1),
    ):
        if not rules:
            continue
        required += [
            _term(term, pod) for term in rules.requiredDuringSchedulingIgnoredDuringExecution
        ]
        likes += [
            replace(_term(wish.podAffinityTerm, pod), weight=sign * wish.weight)
            for wish in rules.preferredDuringSchedulingIgnoredDuringExecution
        ]
    return tuple(near), tuple(apart), tuple(likes)


def constraints_of(pod: Pod) -> tuple[Constraint, ...]:
    """Topology spread constraints of a pod."""
    return tuple(_constraint(c, pod) for c in pod.spec.topologySpreadConstraints)


def _term(term: PodAffinityTerm, pod: Pod) -> Term:
    labels = pod.metadata.labels
    more = [Requirement(k, "in", (labels[k],)) for k in term.matchLabelKeys if k in labels]
    more += [Requirement(k, "notin", (labels[k],)) for k in term.mismatchLabelKeys if k in labels]
    names = term.namespaces
    if not names and term.namespaceSelector is None:
        names = [pod.metadata.namespace]
    by_label = from_label_selector(term.namespaceSelector)
    return Term(
        term.topologyKey, Cover(_with(term.labelSelector, more), frozenset(names), by_label)
    )


def _constraint(constraint: TopologySpreadConstraint, pod: Pod) -> Constraint:
    labels = pod.metadata.labels
    more = [Requirement(k, "in", (labels[k],)) for k in constraint.matchLabelKeys if k in labels]
    selector = _with(constraint.labelSelector, more)
    return Constraint(
        key=constraint.topologyKey,
        cover=Cover(selector, frozenset({pod.metadata.namespace})),
        max_skew=constraint.maxSkew,
        min_domains=constraint.minDomains or 1,
        is_hard=constraint.whenUnsatisfiable != "ScheduleAnyway",
        counts_itself=selector.matches(labels),
        honours_affinity=constraint.nodeAffinityPolicy != "Ignore",
        honours_taints=constraint.nodeTaintsPolicy == "Honor",
    )


def _with(selector: LabelSelector | None, more: Sequence[Requirement]) -> Selector:
    base = from_label_selector(selector)
    return replace(base, requirements=(*base.requirements, *more)) if more else base


def all_cover(covers: Iterable[Cover], pod: Pod, namespaces: Namespaces) -> bool:
    """Whether every one of several rules is about this pod."""
    return all(cover.has(pod, namespaces) for cover in covers)
