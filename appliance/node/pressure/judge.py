"""Pure: from what is left to the node's conditions, and to what has to be freed now.

A `Judge` belongs to one `watch` and is asked at every tick. It remembers since when a threshold is
met and when a condition was last seen; bounded by the number of thresholds.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from appliance.node.pressure.levels import (
    IMAGE_DISK,
    IMAGE_INODES,
    MEMORY,
    NODE_DISK,
    NODE_INODES,
    PIDS,
    Level,
)
from appliance.node.pressure.thresholds import Amount, Threshold

CONDITIONS = {
    MEMORY: "MemoryPressure",
    NODE_DISK: "DiskPressure",
    NODE_INODES: "DiskPressure",
    IMAGE_DISK: "DiskPressure",
    IMAGE_INODES: "DiskPressure",
    PIDS: "PIDPressure",
}
RESOURCES = {
    MEMORY: "memory",
    NODE_DISK: "ephemeral-storage",
    NODE_INODES: "inodes",
    IMAGE_DISK: "ephemeral-storage",
    IMAGE_INODES: "inodes",
    PIDS: "pids",
}


@dataclass(frozen=True, slots=True)
class Verdict:
    """The node's pressures, and the threshold to act on now, if any."""

    conditions: frozenset[str] = frozenset()
    act_on: Threshold | None = None


@dataclass(slots=True)
class Judge:
    """Remembers what a single look can't tell."""

    thresholds: tuple[Threshold, ...]
    reclaim: Mapping[str, Amount]
    transition_s: float
    _met_since: dict[Threshold, float] = field(default_factory=dict)
    _seen: dict[str, float] = field(default_factory=dict)

    def judge(self, levels: Mapping[str, Level], now: float) -> Verdict:
        """Look at the levels; `now` is monotonic."""
        met = [t for t in self.thresholds if t.signal in levels and self._is_met(t, levels)]
        self._met_since = {t: self._met_since.get(t, now) for t in met}
        for threshold in met:
            self._seen[CONDITIONS[threshold.signal]] = now
        shown = {c for c, at in self._seen.items() if now - at < self.transition_s}
        shown |= {CONDITIONS[t.signal] for t in met}
        due = [t for t in met if now - self._met_since[t] >= (t.grace_s or 0.0)]
        return Verdict(frozenset(shown), _first(due))

    def _is_met(self, threshold: Threshold, levels: Mapping[str, Level]) -> bool:
        level = levels[threshold.signal]
        line = threshold.amount.of(level.capacity)
        if threshold in self._met_since and threshold.signal in self.reclaim:
            line += self.reclaim[threshold.signal].of(level.capacity)
        return level.available < line


def _first(due: Iterable[Threshold]) -> Threshold | None:
    """Memory first: a host without memory does nothing else in time; hard before soft."""
    return min(due, key=lambda t: (t.signal != MEMORY, not t.hard), default=None)
