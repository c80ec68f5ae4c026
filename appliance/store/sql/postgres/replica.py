"""All that is not compacted: what this master reads from and decides with, in memory.

The table is the truth, and this is its copy up to `committed`. Rows of other masters come in by
`take`, in the order of the table; our own are written above the committed revision (`write`,
`end_txn`), then made ordinary (`commit`) or taken back (`undo`) when the database has answered.

Bounded by compaction: values of the last `keep_history_s`, and of older ones as many as fit
(`coldvalues`); keys and their index are all here. Lives on the event loop; no call here awaits.
"""

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

from msgspec.structs import replace
from typing_extensions import override

from appliance.store.base import Event, EventKind, KeyValue, Range, RangeResult
from appliance.store.errors import TooManyOps
from appliance.store.mvcc.keyindex import MAX_SUBS, position, revision_of
from appliance.store.mvcc.leasing import LeaseBook
from appliance.store.mvcc.ranges import check_revision, covers
from appliance.store.sql.postgres.coldvalues import Cold, Settled
from appliance.store.sql.working import At, Working, Written

_EVER = 1 << 40
"""A revision beyond all."""


class Replica(Working):
    """State for transactions."""

    def __init__(self, leases: LeaseBook, value_bytes: int) -> None:
        super().__init__(leases)
        self.committed = 1
        self._changes: dict[int, Event] = {}
        self._log: list[int] = []
        self._settled = Settled(value_bytes)
        self._settled_to = -1
        """Up to this revision, what is current has settled."""

    @override
    def value(self, at: int) -> KeyValue:
        if self._settled:
            self._settled.used((at,))
        return self._changes[at].kv

    @override
    def keys(self, key: bytes, end: bytes) -> Sequence[bytes]:
        if self._settled.cold and end:
            # All at once: whoever asks for the keys of a range looks at each of them next.
            self._settled.used(self.index.select(key, end, self.revision + 1))
        return super().keys(key, end)

    @override
    def _fetch(self, positions: Iterable[int]) -> list[KeyValue]:
        if self._settled:
            positions = tuple(positions)
            self._settled.used(positions)
        return [self._changes[at].kv for at in positions]

    @property
    def is_empty(self) -> bool:
        """Whether nothing has been taken in yet."""
        return not self._log

    # Values that are in the table alone

    def load(self, values: Iterable[tuple[int, bytes]]) -> None:
        """Take values that were fetched, by the ids of their rows."""
        for row_id, value in values:
            at = row_id << 1
            if at in self._settled.cold:
                self._set_value(at, value)
                self._settled.add(at, len(value))

    def still_cold(self, cold: Cold) -> bool:
        """Whether something could not be fetched."""
        return not self._settled.cold.isdisjoint(cold.positions)

    def trim(self) -> None:
        """Let go of values beyond the bound; after somebody has had what was fetched."""
        for at in self._settled.beyond():
            self._set_value(at, b"")

    def cold_before(self, changes: Iterable[At]) -> set[int]:
        """Cold values that these changes will take the place of."""
        if not self._settled.cold:
            return set()
        found = (self._newest(change.kv.key) for _, change in changes)
        return self._settled.cold.intersection(at for at in found if at)

    def _set_value(self, at: int, value: bytes) -> None:
        change = self._changes[at]
        self._changes[at] = replace(change, kv=replace(change.kv, value=value))

    def _settle(self, at: int) -> None:
        """If it is the newest of its key."""
        kv = self._changes[at].kv
        if not at & 1 and at not in self._settled.cold and self._newest(kv.key) == at:
            self._settled.add(at, len(kv.value))

    def _newest(self, key: bytes) -> int | None:
        """Where a key is now, writes in progress included."""
        return self.index.at(key, _EVER)

    # Our own changes

    def write(self, change: Event) -> None:
        """Make a change of the next revision."""
        sub = len(self._writing)
        if sub >= MAX_SUBS:
            raise TooManyOps
        at = position(self.revision + 1, sub, deleted=change.kind is EventKind.DELETE)
        self._add(at, change)
        self._writing.append((at, change))

    def undo(self, groups: Sequence[Written]) -> None:
        """Nothing of this reached the database, or we do not know: it is read again."""
        for written in reversed(groups):
            self._take_back(written.changes)
        self.revision = self.committed

    def commit(self, written: Written) -> None:
        """The changes are in the table."""
        self.committed = max(self.committed, written.revision)

    # Changes of others

    def take(self, changes: Iterable[At]) -> Iterator[Written]:
        """Take rows behind `committed`; gives them by revision, with what was before."""
        for at, change in changes:
            revision = revision_of(at)
            if self._writing and revision_of(self._writing[0][0]) != revision:
                yield self._taken()
            before = self.index.at(change.kv.key, revision)
            known = replace(change, prev_kv=self._changes[before].kv) if before else change
            self._add(at, known)
            self._writing.append((at, known))
            if revision < self.compact_revision:
                self._settle(at)  # at the start
        if self._writing:
            yield self._taken()

    def advance(self, revision: int) -> None:
        """Revisions up to here have been used, if only by rows that are gone."""
        self.revision = max(self.revision, revision)
        self.committed = max(self.committed, revision)

    def attach(self, lease_ids: set[int]) -> None:
        """Find the keys of leases that the book has just heard of."""
        for at in self.index.select(b"\x00", b"\x00", self.revision + 1):
            kv = self._changes[at].kv
            if kv.lease in lease_ids:
                self.leases.attach(kv.lease, kv.key)

    # Compaction

    def forget(self, keys: Iterable[bytes]) -> list[int]:
        """Drop what lies before the compact revision; returns the row ids that may go."""
        rows: list[int] = []
        for key in keys:
            for at in self.index.compact(key, self.compact_revision):
                del self._changes[at]
                self._settled.drop(at)
                rows.append(at >> 1)
        return rows

    def tidy(self) -> None:
        """Let go of positions whose changes are gone; after a sweep."""
        self._log = [at for at in self._log if at in self._changes]
        # What lies at the mark itself can still be replayed.
        first, self._settled_to = self._settled_to + 1, self.compact_revision - 1
        start = bisect_left(self._log, position(max(0, first)))
        stop = bisect_left(self._log, position(self._settled_to + 1))
        for at in self._log[start:stop]:
            self._settle(at)
        self.trim()

    # History

    def between(self, first: int, last: int) -> Iterator[At]:
        """Changes of revisions first to last, in order."""
        start = bisect_left(self._log, position(first))
        stop = bisect_left(self._log, position(last + 1))
        for at in self._log[start:stop]:
            change = self._changes.get(at)
            if change is not None:
                yield at, change

    def behind(self, after: int, limit: int) -> list[At]:
        """Up to `limit` committed changes behind a position, oldest first."""
        start = bisect_left(self._log, after + 2)  # a delete's position is odd
        end = position(self.committed + 1)
        there = (at for at in islice(self._log, start, None) if at in self._changes and at < end)
        found = tuple(islice(there, limit))
        self._settled.used(found)
        return [(at, self._changes[at]) for at in found]

    def _taken(self) -> Written:
        at, _ = self._writing[0]
        written, self._writing = Written(revision_of(at), tuple(self._writing)), []
        self.advance(written.revision)
        return written

    def _add(self, at: int, change: Event) -> None:
        if self._settled and (before := self._newest(change.kv.key)):
            self._settled.drop(before)  # watches may show it from now on, as what was before
        self.index.add(change.kv.key, at)
        self._changes[at] = replace(change, prev_kv=None) if change.prev_kv else change
        self._log.append(at)
        self.leases.follow(change)

    @override
    def _take_back(self, changes: Sequence[At]) -> None:
        for at, change in reversed(changes):
            self.index.undo(change.kv.key)
            del self._changes[at]
            self._log.pop()
            self.leases.unfollow(change)
            before = self._newest(change.kv.key)
            if before and revision_of(before) <= self._settled_to:
                self._settle(before)


class Committed:
    """What is in the table, for readers and watchers (`hub.History`)."""

    def __init__(self, replica: Replica) -> None:
        self._replica = replica

    @property
    def revision(self) -> int:
        """The newest committed revision that we have."""
        return self._replica.committed

    @property
    def compact_revision(self) -> int:
        """Where history begins."""
        return self._replica.compact_revision

    def range(self, request: Range) -> RangeResult:
        """Read keys.

        Raises:
            Compacted, FutureRevision: the revision cannot be read.
        """
        check_revision(max(0, request.revision), self.revision, self.compact_revision)
        return self._replica.range(request, self.revision)

    def oldest(self, key: bytes, end: bytes) -> int:
        """The first revision whose changes are all still here."""
        del key, end
        return self.compact_revision

    def events(self, key: bytes, end: bytes, first: int, last: int) -> tuple[list[Event], int]:
        """Changes of the range in revisions first to last, with what was before."""
        return [
            self._with_previous(change)
            for _, change in self._replica.between(first, last)
            if covers(key, end, change.kv.key)
        ], last

    def _with_previous(self, change: Event) -> Event:
        kv = change.kv
        if change.kind is EventKind.PUT and kv.create_revision == kv.mod_revision:
            return change  # nothing was there before, or it went in the same transaction
        before = kv.mod_revision - 1
        if before < self.compact_revision:
            return change  # may be gone, so it is never shown
        found = self._replica.range(Range(key=kv.key, revision=before), before)
        return replace(change, prev_kv=found.kvs[0]) if found.kvs else change
