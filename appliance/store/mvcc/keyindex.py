"""From a key to the positions of its changes: what makes reads look-ups in memory.

A position is one number, `revision << 21 | sub << 1 | tombstone`: it sorts as history does and
says by itself whether the key died there. After put, put, delete, put of one key at revisions
2, 5, 6 and 9 the index has for it

    [2, 5, 6†, 9]      generations {2, 5, 6†} and {9}

and compaction leaves

    at 2   [2, 5, 6†, 9]      at 6   [6†, 9]   a watch may start at 6 and must see the delete
    at 5   [5, 6†, 9]         at 7   [9]
    (and of a key [2, 5, 6†] nothing at 7: the key is gone)

Rebuilt from the history table when a store opens; 8 bytes a change and about 200 a key.
Who reads asks for a revision, so changes that are not yet committed simply lie above it.

Source: the rules of etcd's `server/storage/mvcc/key_index.go`.
"""

from array import array
from bisect import bisect_left
from collections import deque
from collections.abc import Iterable
from itertools import islice, takewhile

from appliance.store.base import NO_END
from appliance.store.mvcc.ranges import covers, is_empty
from appliance.store.mvcc.sortedkeys import SortedKeys

REVISION_SHIFT = 21
MAX_SUBS = 1 << 20
"""Changes that one revision can hold."""


_RECENT = 4_096  # changes remembered so that counting is cheap at revisions of the last moments
_NOTHING: "array[int]" = array("q")


def position(revision: int, sub: int = 0, *, deleted: bool = False) -> int:
    """Where the change number `sub` of a revision is."""
    return revision << REVISION_SHIFT | sub << 1 | deleted


def revision_of(at: int) -> int:
    """The revision of a position."""
    return at >> REVISION_SHIFT


class KeyIndex:
    """All keys with the positions of their changes."""

    def __init__(self) -> None:
        self._sorted = SortedKeys()
        self._positions: dict[bytes, array[int]] = {}
        self._dead = SortedKeys()  # those of the keys whose newest change is a delete
        self._changed: dict[bytes, None] = {}  # keys of which a compaction may drop something
        self._recent: deque[tuple[int, bytes]] = deque(maxlen=_RECENT)
        self._before_recent = 0  # all changes after this position are in `_recent`

    @property
    def living(self) -> int:
        """Keys that are there at the newest position."""
        return len(self._positions) - len(self._dead)

    def load(self, changes: Iterable[tuple[bytes, int]]) -> None:
        """Fill an empty index from history, oldest first."""
        for key, at in changes:
            self._before_recent = at
            positions = self._positions.get(key)
            if positions is None:
                self._positions[key] = array("q", (at,))
            else:
                positions.append(at)
        self._sorted.load(sorted(self._positions))
        self._dead.load(sorted(key for key, its in self._positions.items() if its[-1] & 1))
        changed = (key for key, its in self._positions.items() if len(its) > 1 or its[-1] & 1)
        self._changed = dict.fromkeys(changed)

    def add(self, key: bytes, at: int) -> None:
        """A key changed; `at` is newer than all before."""
        positions = self._positions.get(key)
        if positions is None:
            self._positions[key] = array("q", (at,))
            self._sorted.add(key)
            self._mark(key, was_dead=False, is_dead=bool(at & 1))
        else:
            self._mark(key, was_dead=bool(positions[-1] & 1), is_dead=bool(at & 1))
            positions.append(at)
            self._changed[key] = None
        if len(self._recent) == _RECENT:
            self._before_recent = self._recent[0][0]
        self._recent.append((at, key))

    def undo(self, key: bytes) -> None:
        """Take back the newest change of all, which is one of this key."""
        positions = self._positions[key]
        was_dead = bool(positions.pop() & 1)
        self._recent.pop()
        if positions:
            self._mark(key, was_dead=was_dead, is_dead=bool(positions[-1] & 1))
        else:
            self._mark(key, was_dead=was_dead, is_dead=False)
            self._remove(key)

    def at(self, key: bytes, revision: int) -> int:
        """Position of the key's value at a revision; 0 if it was not there."""
        positions = self._positions.get(key)
        return _newest(positions, position(revision + 1)) if positions else 0

    def before(self, key: bytes, at: int) -> int:
        """Position of the change of the key just before `at`; 0 if there is none."""
        positions = self._positions.get(key, _NOTHING)
        place = bisect_left(positions, at)
        return positions[place - 1] if place else 0

    def select(self, key: bytes, end: bytes, revision: int, limit: int = 0) -> list[int]:
        """Positions of the keys of [key, end) that were there at a revision, in key order."""
        ceiling, positions = position(revision + 1), self._positions
        found = (_newest(positions[name], ceiling) for name in self._names(key, end))
        there = (at for at in found if at)
        return list(islice(there, limit)) if limit else list(there)

    def select_keys(self, key: bytes, end: bytes, revision: int) -> list[bytes]:
        """Keys of [key, end) that were there at a revision."""
        ceiling, positions = position(revision + 1), self._positions
        return [name for name in self._names(key, end) if _newest(positions[name], ceiling)]

    def count(self, key: bytes, end: bytes, revision: int) -> int:
        """How many keys of [key, end) were there at a revision.

        Counted for now by blocks, then corrected for the keys that have changed since; only if
        those are not remembered any more is each key looked at.
        """
        ceiling = position(revision + 1)
        if end == NO_END or is_empty(key, end) or ceiling <= self._before_recent:
            return len(self.select(key, end, revision))
        total = self._sorted.count(key, end) - self._dead.count(key, end)
        for name in self._changed_since(ceiling):
            positions = self._positions.get(name)
            if positions and covers(key, end, name):
                total += bool(_newest(positions, ceiling)) - (not positions[-1] & 1)
        return total

    def compactable(self) -> list[bytes]:
        """Keys of which something may be dropped."""
        return list(self._changed)

    def compact(self, key: bytes, revision: int) -> list[int]:
        """Drop what no read or watch at or after `revision` needs; returns what was dropped."""
        positions = self._positions.get(key)
        if positions is None:
            return []
        cut = bisect_left(positions, position(revision + 1)) - 1
        if cut >= 0 and positions[cut] & 1 and revision_of(positions[cut]) < revision:
            cut += 1
        return self._cut(key, max(0, cut))

    def trim(self, key: bytes, at: int) -> list[int]:
        """Drop everything of the key before `at`, and `at` itself if it is a delete."""
        positions = self._positions.get(key)
        if positions is None:
            return []
        return self._cut(key, bisect_left(positions, at + (at & 1)))

    def _changed_since(self, ceiling: int) -> set[bytes]:
        newer = takewhile(lambda change: change[0] >= ceiling, reversed(self._recent))
        return {key for _, key in newer}

    def _mark(self, key: bytes, *, was_dead: bool, is_dead: bool) -> None:
        if is_dead:
            self._changed[key] = None
        if is_dead and not was_dead:
            self._dead.add(key)
        elif was_dead and not is_dead:
            self._dead.remove(key)

    def _cut(self, key: bytes, count: int) -> list[int]:
        positions = self._positions[key]
        dropped = positions[:count].tolist()
        if count == len(positions):
            self._mark(key, was_dead=bool(positions[-1] & 1), is_dead=False)
            self._remove(key)
        del positions[:count]
        if len(positions) == 1 and not positions[0] & 1:
            self._changed.pop(key, None)
        return dropped

    def _remove(self, key: bytes) -> None:
        del self._positions[key]
        self._sorted.remove(key)
        self._changed.pop(key, None)

    def _names(self, key: bytes, end: bytes) -> Iterable[bytes]:
        if end == NO_END:
            return (key,) if key in self._positions else ()
        return () if is_empty(key, end) else self._sorted.between(key, end)


def _newest(positions: "array[int]", ceiling: int) -> int:
    """The last position below `ceiling`, or 0 if there is none or the key died there."""
    last = positions[-1]
    if last >= ceiling:
        below = bisect_left(positions, ceiling)
        last = positions[below - 1] if below else 1
    return 0 if last & 1 else last
