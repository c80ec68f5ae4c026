"""How long something took, counted in buckets; for `/metrics` of whoever serves a store.

The buckets are etcd's for its disk: 1 ms, and each twice the one before.
"""

from bisect import bisect_left
from typing import Protocol, runtime_checkable

BOUNDS_S = tuple(0.001 * 2**power for power in range(14))


class Durations:
    """Counts and a sum; `add` is called by one thread at a time."""

    __slots__ = ("counts", "sum_s")

    def __init__(self) -> None:
        self.counts = [0] * (len(BOUNDS_S) + 1)
        self.sum_s = 0.0

    def add(self, took_s: float) -> None:
        """One more."""
        self.counts[bisect_left(BOUNDS_S, took_s)] += 1
        self.sum_s += took_s


@runtime_checkable
class Timed(Protocol):
    """A store that knows how long its commits take."""

    @property
    def commits(self) -> Durations:
        """From their beginning until they are on disk."""
        ...
