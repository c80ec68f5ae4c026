"""MemoryStore: the model behind the protocol; test oracle and demo mode.

Used by unit tests of everything above the store, and as the oracle of `SqlStore`. Nothing is
written anywhere: all of it ends with the process. Bounded by compaction only.
"""

from collections.abc import Mapping, Sequence

from appliance.kit.clock import Clock, SystemClock
from appliance.kit.tasks import Tasks
from appliance.store.base import (
    Delete,
    Lease,
    Range,
    RangeResult,
    Status,
    Txn,
    TxnResult,
    Watcher,
    WatchRequest,
)
from appliance.store.errors import Closed, EmptyKey
from appliance.store.expiry import Expiry
from appliance.store.hub import Hub
from appliance.store.mvcc import txn
from appliance.store.mvcc.leasing import LeaseBook
from appliance.store.mvcc.model import Model
from appliance.store.mvcc.ranges import check_revision
from appliance.store.options import StoreOptions


class MemoryStore:
    """A `Store` without a disk."""

    shared = False

    def __init__(self, clock: Clock | None = None, options: StoreOptions | None = None) -> None:
        self._clock = clock or SystemClock()
        self._options = options or StoreOptions()
        self._leases = LeaseBook(self._options.min_lease_ttl_s)
        self._model = Model(self._leases)
        self._hub = Hub(self._model, self._options)
        self._tasks = Tasks("memory-store", self._clock)
        self._expiry = Expiry(self._leases, self.lease_revoke, self._clock, self._tasks)
        self._notes: dict[str, dict[str, bytes]] = {}
        self._closed = False

    async def range(self, request: Range) -> RangeResult:
        """Read keys."""
        self._check_open()
        if not request.key:
            raise EmptyKey
        check_revision(max(0, request.revision), self._model.revision, self._model.compact_revision)
        return self._model.find(request)

    async def head(self) -> int:
        """The newest revision."""
        self._check_open()
        return self._model.revision

    async def txn(self, request: Txn, author: str = "") -> TxnResult:
        """Run a transaction."""
        del author  # kept by stores with a disk
        self._check_open()
        txn.check(request, self._options)
        return self._apply(request)

    def watch(self, request: WatchRequest) -> Watcher:
        """Open a watch."""
        self._check_open()
        return self._hub.watch(request)

    async def compact(self, revision: int) -> None:
        """Forget history before `revision`."""
        self._check_open()
        self._model.compact(revision)

    async def lease_grant(self, ttl_s: int, lease_id: int = 0) -> Lease:
        """Make a lease."""
        self._check_open()
        now = self._clock.monotonic()
        entry = self._leases.grant(ttl_s, lease_id, now)
        self._expiry.changed()
        return entry.seen(now)

    async def lease_keep_alive(self, lease_id: int) -> Lease:
        """Set the deadline to now + ttl."""
        self._check_open()
        now = self._clock.monotonic()
        entry = self._leases.get(lease_id)
        entry.deadline = now + entry.ttl_s
        return entry.seen(now)

    async def lease_revoke(self, lease_id: int) -> None:
        """Delete the lease and its keys."""
        self._check_open()
        keys = sorted(self._leases.get(lease_id).keys)
        self._apply(Txn(success=tuple(Delete(key=key) for key in keys)))
        self._leases.drop(lease_id)

    async def lease_info(self, lease_id: int) -> Lease:
        """Read a lease with its keys."""
        self._check_open()
        return self._leases.get(lease_id).seen(self._clock.monotonic())

    async def lease_list(self) -> Sequence[int]:
        """Ids of all leases."""
        self._check_open()
        return self._leases.ids()

    async def notes(self, book: str) -> dict[str, bytes]:
        """All notes of a book."""
        self._check_open()
        return dict(self._notes.get(book, {}))

    async def write_notes(self, book: str, changes: Mapping[str, bytes | None]) -> None:
        """Set notes; None removes one."""
        self._check_open()
        notes = {**self._notes.get(book, {}), **changes}
        self._notes[book] = {name: data for name, data in notes.items() if data is not None}

    async def status(self) -> Status:
        """Facts for health and metrics."""
        self._check_open()
        size = self._model.size_bytes()
        return Status(
            revision=self._model.revision,
            compact_revision=max(0, self._model.compact_revision),
            size_bytes=size,
            size_in_use_bytes=size,
            keys=self._model.count(),
            ephemeral_prefixes=self._options.ephemeral_prefixes,
        )

    async def close(self) -> None:
        """End all watches; later calls are refused."""
        self._closed = True
        self._hub.close()
        await self._tasks.close()

    def _apply(self, request: Txn) -> TxnResult:
        applied = txn.apply(txn.decide(request, self._model), self._model)
        if applied.changes:
            self._model.commit()
            self._hub.publish(self._model.revision, txn.as_watched(applied.changes))
        return applied.result

    def _check_open(self) -> None:
        if self._closed:
            raise Closed
