"""The newest state, and every older one, as the index and the rows together tell it.

`Keyspace` is what transactions read and write (`mvcc.txn.State`): writes go into the index and
`_pending` at once, above the committed revision, so that the next transaction of the same group
sees them and readers do not. `commit` makes them ordinary, `undo` takes them back.
`Committed` is what readers and watchers see (`hub.History`).

Lives on the event loop; no call here awaits.
"""

from collections.abc import Iterable, Sequence

from msgspec.structs import replace
from typing_extensions import override

from appliance.store.base import Event, EventKind, KeyValue, Range, RangeResult
from appliance.store.errors import Compacted, TooManyOps
from appliance.store.mvcc.ephemeral import EphemeralKeys
from appliance.store.mvcc.keyindex import MAX_SUBS, position, revision_of
from appliance.store.mvcc.leasing import LeaseBook
from appliance.store.mvcc.ranges import check_revision
from appliance.store.sql.reader import Reader, Values
from appliance.store.sql.working import Working, Written


class Keyspace(Working):
    """State for transactions."""

    def __init__(
        self, reader: Reader, values: Values, ephemeral: EphemeralKeys, leases: LeaseBook
    ) -> None:
        super().__init__(leases)
        self.ephemeral = ephemeral
        self.reader = reader
        self._values = values
        self._pending: dict[int, KeyValue] = {}

    # Reading

    @override
    def range(self, request: Range, newest: int) -> RangeResult:
        revision = request.revision if request.revision > 0 else newest
        if revision < self.ephemeral.lost and self.ephemeral.concern(request.key, request.end):
            raise Compacted(self.ephemeral.lost)
        return super().range(request, newest)

    @override
    def value(self, at: int) -> KeyValue:
        kv = self._values.get(at) or self._pending.get(at) or self.ephemeral.get(at)
        if kv is None:
            kv = self.reader.value(at)
            self._values.put(at, kv)
        return kv

    # Writing

    def write(self, change: Event) -> None:
        """Make a change of the next revision."""
        sub = len(self._writing)
        if sub >= MAX_SUBS:
            raise TooManyOps
        at = position(self.revision + 1, sub, deleted=change.kind is EventKind.DELETE)
        self.index.add(change.kv.key, at)
        self._pending[at] = change.kv
        self.leases.follow(change)
        self._writing.append((at, change))

    def commit(self, written: Written) -> None:
        """The changes are on disk (or need not be)."""
        for at, change in written.changes:
            self._pending.pop(at, None)
            if self.ephemeral.owns(change.kv.key):
                self.ephemeral.record(at, change, self.index)
                continue
            if change.prev_kv is not None:
                self._values.drop(self.index.before(change.kv.key, at))
            if change.kind is EventKind.PUT:
                self._values.put(at, change.kv)

    def undo(self, written: Written) -> None:
        """The changes did not reach the disk: the newest first, all that follow are undone too."""
        self._take_back(written.changes)
        if written.changes:
            self.revision = written.revision - 1

    @override
    def _take_back(self, changes: Sequence[tuple[int, Event]]) -> None:
        for at, change in reversed(changes):
            self.index.undo(change.kv.key)
            self._pending.pop(at, None)
            self.leases.unfollow(change)

    # Compaction

    def forget(self, keys: Iterable[bytes]) -> list[int]:
        """Drop what lies before the compact revision; returns the row ids that may go."""
        rows: list[int] = []
        for key in keys:
            dropped = self.index.compact(key, self.compact_revision)
            for at in dropped:
                self._values.drop(at)
            if self.ephemeral.owns(key):
                self.ephemeral.drop(dropped)
            else:
                rows += [at >> 1 for at in dropped]
        self.ephemeral.compact(self.compact_revision)
        return rows


class Committed:
    """What is on disk, for readers and watchers."""

    def __init__(self, keyspace: Keyspace) -> None:
        self._keyspace = keyspace
        self.revision = keyspace.revision

    @property
    def compact_revision(self) -> int:
        """Where history begins."""
        return self._keyspace.compact_revision

    def range(self, request: Range) -> RangeResult:
        """Read keys.

        Raises:
            Compacted, FutureRevision: the revision cannot be read.
        """
        check_revision(max(0, request.revision), self.revision, self.compact_revision)
        return self._keyspace.range(request, self.revision)

    def oldest(self, key: bytes, end: bytes) -> int:
        """The first revision whose changes of the range are all still here."""
        ephemeral = self._keyspace.ephemeral
        if ephemeral.lost and ephemeral.concern(key, end):
            return max(self.compact_revision, ephemeral.lost + 1)
        return self.compact_revision

    def events(self, key: bytes, end: bytes, first: int, last: int) -> tuple[list[Event], int]:
        """Changes of the range from `first` on, in whole revisions up to the one returned."""
        keyspace = self._keyspace
        found, last = keyspace.reader.events(key, end, first, last)
        if keyspace.ephemeral.concern(key, end):
            found += keyspace.ephemeral.events(key, end, first, last)
            found.sort(key=lambda change: change[0])
        return [self._with_previous(change) for _, change in found], last

    def _with_previous(self, change: Event) -> Event:
        kv = change.kv
        if change.kind is EventKind.PUT and kv.create_revision == kv.mod_revision:
            return change  # nothing was there before, or it went in the same transaction
        before = kv.mod_revision - 1
        if before < self.compact_revision:
            return replace(change, prev_kv=None)  # may be gone, so it is never shown
        at = self._keyspace.index.at(kv.key, before)
        return replace(change, prev_kv=self._keyspace.value(at)) if at else change


def revision_of_row(row_id: int) -> int:
    """The revision that a row of the history belongs to."""
    return revision_of(row_id << 1)
