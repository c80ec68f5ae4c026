"""The whole history in plain dicts: the oracle.

Written to be obviously right, not fast: a range looks at every key. `MemoryStore` puts it
behind the protocol; the tests of `SqlStore` compare against it. Bounded by compaction only.
"""

from collections.abc import Sequence

from msgspec.structs import replace

from appliance.store.base import Event, EventKind, KeyValue, Range, RangeResult
from appliance.store.errors import Compacted, FutureRevision
from appliance.store.mvcc.leasing import LeaseBook
from appliance.store.mvcc.ranges import answer, covers, is_empty


class Model:
    """History as a list of changes per key; implements `mvcc.txn.State` and `hub.History`."""

    def __init__(self, leases: LeaseBook) -> None:
        self.revision = 1  # of an empty store, as in etcd
        self.compact_revision = -1
        self.leases = leases
        self._changes: dict[bytes, list[Event]] = {}
        self._log: list[Event] = []

    def get(self, key: bytes) -> KeyValue | None:
        """The key now, writes in progress included."""
        return self._at(key, self.revision + 1)

    def keys(self, key: bytes, end: bytes) -> Sequence[bytes]:
        """Living keys of the range."""
        return [kv.key for kv in self._living(key, end, self.revision + 1)]

    def find(self, request: Range) -> RangeResult:
        """A range read; the revision has been checked."""
        revision = request.revision if request.revision > 0 else self.revision + 1
        found = self._living(request.key, request.end, revision)
        some = answer(request, lambda limit: found[: limit or None], lambda: len(found), list)
        return replace(some, revision=self.revision)

    def has_lease(self, lease_id: int) -> bool:
        """Whether the lease is there."""
        return lease_id in self.leases

    def write(self, change: Event) -> None:
        """Append a change of the next revision."""
        self._changes.setdefault(change.kv.key, []).append(change)
        self._log.append(change)
        self.leases.follow(change)

    def commit(self) -> None:
        """The writes since the last commit become revision + 1."""
        self.revision += 1

    def oldest(self, key: bytes, end: bytes) -> int:
        """The first revision whose changes of the range are all still here."""
        del key, end  # history is kept or dropped for all keys alike
        return self.compact_revision

    def events(self, key: bytes, end: bytes, first: int, last: int) -> tuple[list[Event], int]:
        """Changes of the range in revisions first to last, in order."""
        found = [
            change
            for change in self._log
            if first <= change.kv.mod_revision <= last and covers(key, end, change.kv.key)
        ]
        return [replace(change, prev_kv=self._shown_before(change)) for change in found], last

    def _shown_before(self, change: Event) -> KeyValue | None:
        kv = change.kv
        if change.kind is EventKind.PUT and kv.create_revision == kv.mod_revision:
            return None
        # What was before the mark may be gone, so it is never shown.
        gone = kv.mod_revision <= self.compact_revision
        return None if gone else self._at(kv.key, kv.mod_revision - 1)

    def compact(self, revision: int) -> None:
        """Forget what no read at or after `revision` can see.

        Raises:
            Compacted: this has been done.
            FutureRevision: it has not happened yet.
        """
        if revision <= self.compact_revision:
            raise Compacted(self.compact_revision)
        if revision > self.revision:
            raise FutureRevision
        self.compact_revision = revision
        kept = {key: _after_compaction(old, revision) for key, old in self._changes.items()}
        self._changes = {key: changes for key, changes in kept.items() if changes}
        left = {id(change) for changes in kept.values() for change in changes}
        self._log = [change for change in self._log if id(change) in left]

    def count(self) -> int:
        """Living keys."""
        return len(self.keys(b"\x00", b"\x00"))

    def size_bytes(self) -> int:
        """Bytes of all keys and values kept."""
        return sum(len(c.kv.key) + len(c.kv.value) for c in self._log)

    def _living(self, key: bytes, end: bytes, revision: int) -> list[KeyValue]:
        if is_empty(key, end):
            return []
        names = [key] if not end else [k for k in self._changes if covers(key, end, k)]
        found = [self._at(name, revision) for name in sorted(names)]
        return [kv for kv in found if kv is not None]

    def _at(self, key: bytes, revision: int) -> KeyValue | None:
        for change in reversed(self._changes.get(key, ())):
            if change.kv.mod_revision <= revision:
                return change.kv if change.kind is EventKind.PUT else None
        return None


def _after_compaction(changes: list[Event], revision: int) -> list[Event]:
    before = [change for change in changes if change.kv.mod_revision <= revision]
    after = [change for change in changes if change.kv.mod_revision > revision]
    newest = before[-1:]
    # A delete exactly at the mark stays: a watch may start there and must see it.
    if newest and newest[0].kind is EventKind.DELETE and newest[0].kv.mod_revision < revision:
        newest = []
    return newest + after
