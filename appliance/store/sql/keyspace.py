"""The newest state, and every older one, as the index and the rows together tell it.

`Keyspace` is what transactions read and write (`mvcc.txn.State`): writes go into the index and
`_pending` at once, above the committed revision, so that the next transaction of the same group
sees them and readers do not. `commit` makes them ordinary, `undo` takes them back.
`Committed` is what readers and watchers see (`hub.History`).

Lives on the event loop; no call here awaits.
"""

from collections.abc import Iterable, Sequence

from msgspec import Struct
from msgspec.structs import replace

from appliance.store.base import Event, EventKind, KeyValue, Range, RangeResult
from appliance.store.errors import Compacted, TooManyOps
from appliance.store.mvcc.ephemeral import EphemeralKeys
from appliance.store.mvcc.keyindex import MAX_SUBS, KeyIndex, position, revision_of
from appliance.store.mvcc.leasing import LeaseBook
from appliance.store.mvcc.ranges import answer, check_revision
from appliance.store.mvcc.txn import as_watched
from appliance.store.sql.reader import Reader, Values


class Written(Struct, frozen=True, gc=False):
    """The changes of one revision with their positions, not yet committed."""

    revision: int
    changes: tuple[tuple[int, Event], ...]

    def events(self) -> list[Event]:
        """The changes as watchers see them."""
        return as_watched([change for _, change in self.changes])


class Keyspace:
    """State for transactions."""

    def __init__(
        self, reader: Reader, values: Values, ephemeral: EphemeralKeys, leases: LeaseBook
    ) -> None:
        self.index = KeyIndex()
        self.ephemeral = ephemeral
        self.leases = leases
        self.revision = 1  # of an empty store, as in etcd
        self.compact_revision = -1
        self.reader = reader
        self._values = values
        self._pending: dict[int, KeyValue] = {}
        self._writing: list[tuple[int, Event]] = []

    # Reading, as a transaction does

    def get(self, key: bytes) -> KeyValue | None:
        """The key now, writes in progress included."""
        at = self.index.at(key, self.revision + 1)
        return self.value(at) if at else None

    def keys(self, key: bytes, end: bytes) -> Sequence[bytes]:
        """Living keys of the range."""
        return self.index.select_keys(key, end, self.revision + 1)

    def find(self, request: Range) -> RangeResult:
        """A range read; the revision has been checked."""
        return self.range(request, self.revision + 1)

    def has_lease(self, lease_id: int) -> bool:
        """Whether the lease is there."""
        return lease_id in self.leases

    def range(self, request: Range, newest: int) -> RangeResult:
        """A range read in which revision 0 means `newest`."""
        revision = request.revision if request.revision > 0 else newest
        if revision < self.ephemeral.lost and self.ephemeral.concern(request.key, request.end):
            raise Compacted(self.ephemeral.lost)
        index, key, end = self.index, request.key, request.end
        found = answer(
            request,
            lambda limit: index.select(key, end, revision, limit),
            lambda: index.count(key, end, revision),
            self._fetch,
        )
        return replace(found, revision=newest)

    def value(self, at: int) -> KeyValue:
        """The value at a position that the index knows."""
        kv = self._values.get(at) or self._pending.get(at) or self.ephemeral.get(at)
        if kv is None:
            kv = self.reader.value(at)
            self._values.put(at, kv)
        return kv

    def _fetch(self, positions: Iterable[int]) -> list[KeyValue]:
        return [self.value(at) for at in positions]

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

    def end_txn(self) -> Written:
        """The writes since the last end are one revision."""
        written, self._writing = tuple(self._writing), []
        self.revision += 1 if written else 0
        return Written(self.revision, written)

    def abandon(self) -> None:
        """Take back a transaction that failed on its way."""
        written, self._writing = tuple(self._writing), []
        self._take_back(written)

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
