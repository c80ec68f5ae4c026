"""Counts of pods over domains, kept in step one pod at a time. Owned by `snapshot.py`.

`Tally` answers what a pod asks about others ("how many app=web per zone?"), `Stances` what those
that are there ask of a newcomer ("no app=web in my zone").
"""

from collections.abc import Iterator, Mapping
from typing import Protocol

from appliance.api.kinds.core.pod.kind import Pod
from appliance.control.scheduler.podinfo import PodInfo
from appliance.control.scheduler.terms import Cover, Namespaces, Term, all_cover

Counts = dict[str, int]
"""Domain value -> number of pods."""


class Place(Protocol):
    """Of a node what a tally must know."""

    name: str
    labels: dict[str, str]


class Tally:
    """Covered pods by domain; a domain without any counts 0."""

    __slots__ = ("_covers", "_living_only", "counts", "key", "left_out")

    def __init__(self, key: str, covers: tuple[Cover, ...], *, living_only: bool) -> None:
        self.key = key
        self.counts: Counts = {}
        self.left_out: set[str] = set()
        """Nodes that do not count although they have the label."""
        self._covers = covers
        self._living_only = living_only

    def has(self, pod: Pod, namespaces: Namespaces) -> bool:
        """Whether this pod is counted."""
        if self._living_only and pod.metadata.deletionTimestamp is not None:
            return False
        return all_cover(self._covers, pod, namespaces)

    def count(self, pod: Pod, place: Place, step: int, namespaces: Namespaces) -> None:
        """A pod came to or left a node."""
        value = place.labels.get(self.key)
        if value is None or place.name in self.left_out or not self.has(pod, namespaces):
            return
        self.counts[value] = self.counts.get(value, 0) + step

    def lists(self) -> frozenset[str]:
        """Namespaces of all pods it can be about; empty if that can't be told."""
        first = self._covers[0]
        return first.namespaces if first.by_label.nothing else frozenset()


class Stances:
    """Terms of pods that are there, by domain: equal terms of many pods are one."""

    def __init__(self) -> None:
        self.against: dict[Term, Counts] = {}
        """Required anti-affinity."""
        self.wishes: dict[Term, Counts] = {}
        """Preferred affinity and anti-affinity."""
        self.bonds: dict[Term, Counts] = {}
        """Required affinity: those that must be near draw their company."""

    def count(self, info: PodInfo, labels: Mapping[str, str], step: int) -> None:
        """A pod came to or left a node with these labels."""
        for terms, counted in (
            (info.apart, self.against),
            (info.likes, self.wishes),
            (info.near, self.bonds),
        ):
            for term in terms:
                value = labels.get(term.key)
                if value is not None:
                    _step(counted, term, value, step)

    def about(
        self, counted: Mapping[Term, Counts], pod: Pod, namespaces: Namespaces
    ) -> Iterator[tuple[Term, Counts]]:
        """The terms that are about a newcomer."""
        return ((t, counts) for t, counts in counted.items() if t.cover.has(pod, namespaces))


def _step(counted: dict[Term, Counts], term: Term, value: str, step: int) -> None:
    counts = counted.setdefault(term, {})
    left = counts.get(value, 0) + step
    if left > 0:
        counts[value] = left
        return
    del counts[value]
    if not counts:
        del counted[term]
