"""Changes of keys that live in memory only: which keys, their values, a bounded past.

Used by `sql.keyspace`. Ends with the process: a store that opens again has none of these keys,
and `lost` says up to which revision their changes cannot be told any more.
"""

from collections import deque

from appliance.store.base import Event, EventKind, KeyValue
from appliance.store.mvcc.keyindex import KeyIndex, revision_of
from appliance.store.mvcc.ranges import covers, overlap


class EphemeralKeys:
    """Values by position, and the last changes in order."""

    def __init__(self, prefixes: tuple[bytes, ...], bound: int, lost: int = 0) -> None:
        self._prefixes = prefixes
        self._bound = bound
        self._values: dict[int, KeyValue] = {}
        self._recent: deque[tuple[int, Event]] = deque()
        self.lost = lost
        """Changes up to this revision are not in `events`; reads before it are not possible."""

    def owns(self, key: bytes) -> bool:
        """Whether the key is never written to disk."""
        return key.startswith(self._prefixes)

    def concern(self, key: bytes, end: bytes) -> bool:
        """Whether [key, end) can hold such keys."""
        return any(overlap(key, end, prefix) for prefix in self._prefixes)

    def get(self, at: int) -> KeyValue | None:
        """The value at a position."""
        return self._values.get(at)

    def record(self, at: int, change: Event, index: KeyIndex) -> None:
        """Remember a committed change, and forget the oldest if there are too many."""
        if change.kind is EventKind.PUT:
            self._values[at] = change.kv
        self._recent.append((at, change))
        while len(self._recent) > self._bound:
            old, forgotten = self._recent.popleft()
            self.lost = revision_of(old)
            self.drop(index.trim(forgotten.kv.key, old))

    def drop(self, positions: list[int]) -> None:
        """Values that the index has let go."""
        for at in positions:
            self._values.pop(at, None)

    def compact(self, revision: int) -> None:
        """No watch starts before `revision` any more."""
        while self._recent and revision_of(self._recent[0][0]) < revision:
            self._recent.popleft()

    def events(self, key: bytes, end: bytes, first: int, last: int) -> list[tuple[int, Event]]:
        """Changes of the range in revisions first to last, with their positions."""
        return [
            (at, change)
            for at, change in self._recent
            if first <= revision_of(at) <= last and covers(key, end, change.kv.key)
        ]
