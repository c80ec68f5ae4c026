"""What a store's state has in common, wherever its values lie: an index, and writes in progress.

`Keyspace` (a file, values read when they are asked for) and `postgres.Replica` (all in memory) are
made of it. Writes stand in the index above the committed revision, so that the next transaction of
the same group sees them and readers do not.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence

from msgspec import Struct
from msgspec.structs import replace

from appliance.store.base import Event, KeyValue, Range, RangeResult
from appliance.store.mvcc.keyindex import KeyIndex
from appliance.store.mvcc.leasing import LeaseBook
from appliance.store.mvcc.ranges import answer
from appliance.store.mvcc.txn import as_watched

At = tuple[int, Event]
"""A change and its position."""
Past = tuple[int, int, Event]
"""A change with its revision and its place there."""


class Written(Struct, frozen=True, gc=False):
    """The changes of one revision with their positions, not yet committed."""

    revision: int
    changes: tuple[At, ...]

    def events(self) -> list[Event]:
        """The changes as watchers see them."""
        return as_watched([change for _, change in self.changes])


class Working(ABC):
    """State for transactions (`mvcc.txn.State`), but for how a change is written."""

    def __init__(self, leases: LeaseBook) -> None:
        self.index = KeyIndex()
        self.leases = leases
        self.revision = 1  # of an empty store, as in etcd
        self.compact_revision = -1
        self._writing: list[At] = []

    @abstractmethod
    def value(self, at: int) -> KeyValue:
        """The value at a position that the index knows."""

    @abstractmethod
    def _take_back(self, changes: Sequence[At]) -> None:
        """Undo changes, the newest first."""

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
        index, key, end = self.index, request.key, request.end
        found = answer(
            request,
            lambda limit: index.select(key, end, revision, limit),
            lambda: index.count(key, end, revision),
            self._fetch,
        )
        return replace(found, revision=newest)

    def end_txn(self) -> Written:
        """The writes since the last end are one revision."""
        written, self._writing = tuple(self._writing), []
        self.revision += 1 if written else 0
        return Written(self.revision, written)

    def abandon(self) -> None:
        """Take back a transaction that failed on its way."""
        written, self._writing = tuple(self._writing), []
        self._take_back(written)

    def _fetch(self, positions: Iterable[int]) -> list[KeyValue]:
        return [self.value(at) for at in positions]
