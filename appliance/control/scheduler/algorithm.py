"""Filters, then scores, then pick: where one pod goes, or why nowhere.

A `Chooser` is one profile's way of choosing. All it keeps between two pods is where its last
search ended (so that all nodes are asked in turn) and what nodes by themselves say to pods of one
signature, SIGNATURES_MAX of them: rules about labels and taints are asked again only when a node
has changed. The result says why: the loop logs it, the event and the pod's condition carry it.
"""

import random
from collections import Counter, OrderedDict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from appliance.control.scheduler.base import Check, Filter, Refusal
from appliance.control.scheduler.podinfo import PodInfo
from appliance.control.scheduler.profile import Profile
from appliance.control.scheduler.snapshot import NodeView, Snapshot

SIGNATURES_MAX = 256
"""Kinds of pods for which the words of nodes are remembered, a pair per node each."""

NO_NODES = "no nodes available to schedule pods"


@dataclass(frozen=True, slots=True)
class Chosen:
    """The node to bind to."""

    node: str


@dataclass(frozen=True, slots=True)
class Unfit:
    """No node will do; `message` says why in upstream's words."""

    message: str
    refusals: Mapping[str, Refusal] = field(default_factory=dict)
    """By node."""
    rules: frozenset[str] = frozenset()
    """Names of the filters that refused: what they hint at may help."""


Checks = Sequence[tuple[str, Check]]
"""Name of the rule and what it asks of a node."""


@dataclass(slots=True)
class _Said:
    """What nodes by themselves say to pods of one signature."""

    words: dict[str, tuple[NodeView, int, str, Refusal | None]] = field(default_factory=dict)
    """By node: the view and its revision that were asked, the rule, and its refusal."""
    passing: list[NodeView] = field(default_factory=list)
    """Nodes that let such pods pass, in the snapshot's order."""
    revision: int = -1
    """Revision of the snapshot's nodes at which `passing` was made."""


class Chooser:
    """Chooses for pods of one profile."""

    def __init__(self, profile: Profile, rng: random.Random) -> None:
        self.profile = profile
        self._rng = rng
        self._next = 0
        self._memory: OrderedDict[bytes, _Said] = OrderedDict()

    def choose(self, info: PodInfo, snapshot: Snapshot) -> Chosen | Unfit:
        """Find the best node for a pod; of equals any."""
        if not snapshot.nodes:
            return Unfit(NO_NODES)
        search = _Search(self.profile, info, snapshot, self._said(info, snapshot))
        nominated = snapshot.nodes.get(snapshot.nomination(info.uid))
        if nominated is not None and search.refusal(nominated) is None:
            return Chosen(nominated.name)  # room was made there
        fitting = self._fitting(search, len(snapshot.nodes))
        if not fitting:
            return search.unfit()
        if len(fitting) == 1:
            return Chosen(fitting[0].name)
        points = totals(self.profile, info, snapshot, fitting)
        most = max(points) - 1e-9
        best = [view for view, sum_ in zip(fitting, points, strict=True) if sum_ >= most]
        return Chosen(best[0].name if len(best) == 1 else self._rng.choice(best).name)

    def why_not(self, info: PodInfo, snapshot: Snapshot, view: NodeView) -> Refusal | None:
        """Why one node won't do; None if it will."""
        return _Search(self.profile, info, snapshot, self._said(info, snapshot)).refusal(view)

    def _fitting(self, search: "_Search", nodes: int) -> list[NodeView]:
        passing = search.passing()
        enough = self.profile.enough(nodes)
        start = self._next % len(passing) if passing else 0
        fitting: list[NodeView] = []
        looked = 0
        for view in _around(passing, start):
            looked += 1
            if search.objection(view) is None:
                fitting.append(view)
                if len(fitting) >= enough:
                    break
        self._next = start + looked
        return fitting

    def _said(self, info: PodInfo, snapshot: Snapshot) -> _Said:
        said = self._memory.get(info.signature)
        # words of nodes long gone would pile up
        if said is None or len(said.words) > 2 * len(snapshot.nodes):
            said = self._memory[info.signature] = _Said()
            if len(self._memory) > SIGNATURES_MAX:
                self._memory.popitem(last=False)
        else:
            self._memory.move_to_end(info.signature)
        return said


class _Search:
    """One pod against many nodes."""

    def __init__(self, profile: Profile, info: PodInfo, snapshot: Snapshot, said: _Said) -> None:
        self._refusals: dict[str, Refusal] = {}
        self._rules: set[str] = set()
        self._profile = profile
        self._info = info
        self._snapshot = snapshot
        self._said = said
        self._static: Checks | None = None
        self._dynamic = _prepared(profile.dynamic, info, snapshot)
        self._rivals = _rivals(info, snapshot)

    def refusal(self, view: NodeView) -> Refusal | None:
        """What speaks against a node."""
        rule, refusal = self._word(view)
        return self.objection(view) if refusal is None else self._note(view, rule, refusal)

    def passing(self) -> Sequence[NodeView]:
        """Nodes that by themselves have nothing against the pod."""
        said, snapshot = self._said, self._snapshot
        if said.revision != snapshot.revision:
            said.passing = [view for view in snapshot.order if self._word(view)[1] is None]
            said.revision = snapshot.revision
        return said.passing

    def objection(self, view: NodeView) -> Refusal | None:
        """What is on a node, or elsewhere, speaks against it."""
        for rule, check in self._dynamic:
            refusal = check(view)
            if refusal is not None:
                return self._note(view, rule, refusal)
        if self._rivals and (rivals := self._rivals.get(view.name)):
            return self._beside(view, rivals)
        return None

    def unfit(self) -> Unfit:
        """No node will do: gather what all of them said."""
        for view in self._snapshot.order:
            rule, refusal = self._word(view)
            if refusal is not None:
                self._note(view, rule, refusal)
        words = explain(len(self._snapshot.nodes), self._refusals.values())
        return Unfit(words, self._refusals, frozenset(self._rules))

    def _word(self, view: NodeView) -> tuple[str, Refusal | None]:
        """What the node by itself says to pods of this signature."""
        words = self._said.words
        known = words.get(view.name)
        if known is not None and known[0] is view and known[1] == view.revision:
            return known[2:]
        if self._static is None:
            self._static = _prepared(self._profile.static, self._info, self._snapshot)
        for rule, check in self._static:
            refusal = check(view)
            if refusal is not None:
                words[view.name] = (view, view.revision, rule, refusal)
                return rule, refusal
        words[view.name] = (view, view.revision, "", None)
        return "", None

    def _beside(self, view: NodeView, rivals: Sequence[PodInfo]) -> Refusal | None:
        """It must fit as well when those for whom room is made here have come."""
        with self._snapshot.trying(view.name, plus=rivals):
            for rule, check in _prepared(self._profile.dynamic, self._info, self._snapshot):
                refusal = check(view)
                if refusal is not None:
                    return self._note(view, rule, refusal)
        return None

    def _note(self, view: NodeView, rule: str, refusal: Refusal) -> Refusal:
        self._refusals[view.name] = refusal
        self._rules.add(rule)
        return refusal


def totals(
    profile: Profile, info: PodInfo, snapshot: Snapshot, nodes: Sequence[NodeView]
) -> list[float]:
    """Weighted sum of all preferences for each node."""
    sums = [0.0] * len(nodes)
    for score, weight in profile.scores:
        points = score.rate(info, snapshot, nodes)
        if points is not None:
            sums = [sum_ + weight * more for sum_, more in zip(sums, points, strict=True)]
    return sums


def explain(nodes: int, refusals: Iterable[Refusal]) -> str:
    """`0/3 nodes are available: 1 Insufficient cpu, 2 Too many pods.`"""
    refusals = list(refusals)
    general = next((refusal for refusal in refusals if refusal.is_general), None)
    if general is not None:
        return f"0/{nodes} nodes are available: {general.reasons[0]}."
    counts = Counter(reason for refusal in refusals for reason in refusal.reasons)
    listed = ", ".join(sorted(f"{count} {reason}" for reason, count in counts.items()))
    return f"0/{nodes} nodes are available: {listed}."


def _prepared(rules: Sequence[Filter], info: PodInfo, snapshot: Snapshot) -> Checks:
    checks = ((rule.name, rule.prepare(info, snapshot)) for rule in rules)
    return [(name, check) for name, check in checks if check is not None]


def _rivals(info: PodInfo, snapshot: Snapshot) -> dict[str, list[PodInfo]]:
    """Pods for which room is being made, by node, before which this one has no right."""
    if not snapshot.nominated:
        return {}
    found = {
        node: [
            other
            for other in infos.values()
            if other.uid != info.uid
            and other.priority >= info.priority
            and not snapshot.where(other.uid)
        ]
        for node, infos in snapshot.nominated.items()
    }
    return {node: rivals for node, rivals in found.items() if rivals}


def _around(order: Sequence[NodeView], start: int) -> Iterator[NodeView]:
    yield from order[start:]
    yield from order[:start]
