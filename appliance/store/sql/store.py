"""SqlStore: the store on one SQLite file, joined from the rooms beside this one.

    txn → check → decide → apply to Keyspace → Writer (group commit) → Committed → Hub, answer
    range → Committed (index in memory, values cached or read by rowid)

Everything runs on one event loop except the commit itself, so there are no locks: what a method
does between two awaits is atomic. Opened by `assembly`; one process per file.
"""

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import structlog

from appliance.kit.clock import Clock
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
from appliance.store.errors import Closed, Compacted, EmptyKey, FutureRevision, StoreError
from appliance.store.expiry import Expiry
from appliance.store.hub import Hub
from appliance.store.mvcc import txn
from appliance.store.options import StoreOptions
from appliance.store.retention import Retention
from appliance.store.sql import tables
from appliance.store.sql.commits import Commits
from appliance.store.sql.compactor import Checkpointer, Compactor
from appliance.store.sql.engine import Database, unusable
from appliance.store.sql.entries import Done, Note, Transaction, both, ended
from appliance.store.sql.keyspace import Committed, Keyspace
from appliance.store.sql.recovery import Recovered, recover
from appliance.store.sql.redoing import open_tail
from appliance.store.sql.retained import Retained
from appliance.store.sql.rows import Row, Statement, rows_of
from appliance.store.sql.snapshots import Snapshots
from appliance.store.sql.tail import Tail
from appliance.store.sql.working import Past, Written
from appliance.store.sql.writer import Writer

log = structlog.get_logger(__name__)


class SqlStore:
    """A `Store` on SQLite."""

    shared = False

    @classmethod
    async def open(cls, path: Path, options: StoreOptions, clock: Clock) -> "SqlStore":
        """Open or make the file.

        Raises:
            Unusable: it is damaged, not ours, or in use; the text says what to do.
        """
        database = Database(path, options.reserve_bytes)
        try:
            tail = open_tail(database, options.redo_bytes)
            recovered = recover(database, tail, options, clock)
            return cls(database, recovered, tail, options=options, clock=clock)
        except sqlite3.DatabaseError as error:
            database.close()
            raise unusable(path, error) from error
        except BaseException:
            database.close()
            raise

    def __init__(
        self,
        database: Database,
        recovered: Recovered,
        tail: Tail,
        *,
        options: StoreOptions,
        clock: Clock,
    ) -> None:
        self._database = database
        self.path = database.path
        self._options = options
        self._clock = clock
        self._keyspace: Keyspace = recovered.keyspace
        self._reserved = recovered.reserved
        self._committed = Committed(self._keyspace)
        self._hub = Hub(self._committed, options)
        self._tasks = Tasks("store", clock)
        self._commits = Commits(database.writer, options, clock)
        self._writer = Writer(self._commits, tail, database.path, options=options, clock=clock)
        self._space = database.space
        self._space.ahead_bytes = options.redo_bytes if tail.redo else 0
        self._checkpointer = Checkpointer(
            database.connect(), options, finish=self._commits.finish_next, mover=self._commits.mover
        )
        self._snapshots = Snapshots(database.path, options.snapshot_every_s, clock)
        self.commits = self._writer.commits
        self._writer.after_group = self._wrote
        self._writer.after_record = self._logged
        self._commits.mover.full = self._space.full
        self._space.make_room = lambda: self._tasks.spawn("room", self._move_log())
        retained = Retained(self._keyspace.reader, options, clock)
        retained.begin(database.writer)
        self._compactor = Compactor(
            self._keyspace, retained, self._write_later, self._tasks, options=options, clock=clock
        )
        self._compactor.start(recovered.compact_done)
        self._leases = self._keyspace.leases
        self._expiry = Expiry(self._leases, self.lease_revoke, clock, self._tasks)
        self._expiry.changed()
        self._retention = Retention(self.compact, options, clock, self._tasks)
        if self._keyspace.index.compactable():
            self._retention.wrote(self._committed.revision)
        self._closed = False

    async def range(self, request: Range) -> RangeResult:
        """Read keys."""
        return self.range_now(request)

    def range_now(self, request: Range) -> RangeResult:
        """The same without waiting, for it never has to."""
        self._check_open()
        if not request.key:
            raise EmptyKey
        started = self._clock.monotonic()
        found = self._committed.range(request)
        took = self._clock.monotonic() - started
        if took >= self._options.slow_s:
            log.warning(
                "slow range",
                took_ms=round(took * 1000),
                reason=f"{len(found.kvs)} of {found.count} keys read",
                key=request.key.decode(errors="replace"),
                revision=request.revision,
            )
        return found

    async def head(self) -> int:
        """The newest revision; nobody else writes here."""
        self._check_open()
        return self._committed.revision

    async def txn(self, request: Txn, author: str = "") -> TxnResult:
        """Run a transaction; returns when it is durable."""
        return await ended(lambda done: self.txn_soon(request, author, done))

    def txn_soon(self, request: Txn, author: str, done: Done) -> None:
        """Run a transaction; `done` is told when it is durable, or not to be.

        Raises:
            StoreError: it was refused at once; `done` will not be called.
        """
        self._check_open()
        txn.check(request, self._options)
        if self._space.short and txn.adds(request):
            self._space.check(self._clock)
        self._apply(request, author, done)

    def watch(self, request: WatchRequest) -> Watcher:
        """Open a watch."""
        self._check_open()
        return self._hub.watch(request)

    async def compact(self, revision: int) -> None:
        """Forget history before `revision`; returns when the mark is durable."""
        self._check_open()
        before = self._keyspace.compact_revision
        if revision <= before:
            raise Compacted(before)
        if revision > self._committed.revision:
            raise FutureRevision
        self._keyspace.compact_revision = revision

        def undo() -> None:
            self._keyspace.compact_revision = before

        await self._write([(tables.SET_FACT, [(tables.COMPACT_WANTED, revision)])], undo)
        self._compactor.start(before)

    async def lease_grant(self, ttl_s: int, lease_id: int = 0) -> Lease:
        """Make a lease; returns when it is durable."""
        self._check_open()
        if self._space.short:
            self._space.check(self._clock)
        now = self._clock.monotonic()
        entry = self._leases.grant(ttl_s, lease_id, now)
        self._expiry.changed()
        await self._write(
            [self._lease_row(entry.id, entry.ttl_s)], lambda: self._leases.drop(entry.id)
        )
        return entry.seen(now)

    async def lease_keep_alive(self, lease_id: int) -> Lease:
        """Set the deadline to now + ttl; durable, so that a restart cannot end it early."""
        self._check_open()
        now = self._clock.monotonic()
        entry = self._leases.get(lease_id)
        before, entry.deadline = entry.deadline, now + entry.ttl_s

        def undo() -> None:
            entry.deadline = before

        await self._write([self._lease_row(lease_id, entry.ttl_s)], undo)
        return entry.seen(now)

    async def lease_revoke(self, lease_id: int) -> None:
        """Delete the lease and its keys."""
        self._check_open()
        entry = self._leases.get(lease_id)
        request = Txn(success=tuple(Delete(key=key) for key in sorted(entry.keys)))
        self._leases.drop(lease_id)

        def undo() -> None:
            self._leases.restore(entry)

        gone: Statement = (tables.DELETE_LEASE, [(lease_id,)])
        await ended(lambda done: self._apply(request, "lease", done, gone, undo=undo))

    async def lease_info(self, lease_id: int) -> Lease:
        """Read a lease with its keys."""
        self._check_open()
        return self._leases.get(lease_id).seen(self._clock.monotonic())

    async def lease_list(self) -> Sequence[int]:
        """Ids of all leases, by deadline."""
        self._check_open()
        return self._leases.ids()

    async def notes(self, book: str) -> dict[str, bytes]:
        """All notes of a book."""
        self._check_open()
        return self._keyspace.reader.notes(book)

    async def write_notes(self, book: str, changes: Mapping[str, bytes | None]) -> None:
        """Set notes; returns when they are durable."""
        self._check_open()
        statements: list[Statement] = [
            (tables.DELETE_NOTE, [(book, name)])
            if data is None
            else (tables.SET_NOTE, [(book, name, data)])
            for name, data in changes.items()
        ]
        await self._write(statements)

    async def status(self) -> Status:
        """Facts for health and metrics."""
        self._check_open()
        size, in_use = self._database.size_bytes()
        return Status(
            revision=self._committed.revision,
            compact_revision=max(0, self._keyspace.compact_revision),
            size_bytes=size,
            size_in_use_bytes=in_use,
            keys=self._keyspace.index.living,
            ephemeral_prefixes=self._options.ephemeral_prefixes,
        )

    def is_full(self) -> bool:
        """Whether what adds data is refused because the disk is full."""
        return self._space.is_full(self._clock)

    async def history_rows(self, after: tuple[int, int], limit: int) -> list[Past]:
        """Up to `limit` changes on disk behind a place (revision, sub), oldest first."""
        self._check_open()
        return self._keyspace.reader.rows(after, limit)

    async def close(self) -> None:
        """Finish what was accepted, then free everything."""
        if self._closed:
            return
        self._closed = True
        await self._tasks.close()
        await self._writer.drain()
        with suppress(StoreError):  # what the database cannot take now stays in the log
            await self.settle()
        self._hub.close()
        self._writer.close()
        self._checkpointer.close()
        self._snapshots.close()
        self._database.close()

    async def settle(self) -> None:
        """Move what the redo log holds into the database; returns when that is done."""
        await self._write_later([])

    async def compacted(self) -> None:
        """Wait until the space of the last compaction has been given back."""
        await self._compactor.wait()

    def _apply(
        self,
        request: Txn,
        author: str,
        done: Done,
        extra: Statement | None = None,
        *,
        undo: Callable[[], None] | None = None,
    ) -> None:
        keyspace = self._keyspace
        try:
            applied = txn.apply(txn.decide(request, keyspace), keyspace)
        except BaseException:
            keyspace.abandon()
            raise
        written = keyspace.end_txn()
        statements = [extra] if extra else []
        if not written.changes and not statements and not self._writer.busy:
            done(applied.result)
            return
        if self._uses_reserve(written):
            undo = self._undo_reserve(self._reserved, undo)
            self._reserved = written.revision + self._options.reserve_revisions
            statements.append((tables.SET_FACT, [(tables.RESERVED, self._reserved)]))
        entry = Transaction(
            self._rows(written, author),
            statements,
            written,
            applied.result,
            commit=self._commit,
            undo=keyspace.undo if undo is None else both(keyspace.undo, undo),
            done=done,
        )
        self._writer.submit(entry)

    def _commit(self, entry: Transaction) -> None:
        written = entry.written
        if written.changes:
            self._keyspace.commit(written)
            self._committed.revision = written.revision
            if len(self._hub):
                self._hub.publish(written.revision, written.events())
        if entry.rows:
            self._retention.wrote(written.revision)

    async def _write(
        self, statements: list[Statement], undo: Callable[[], None] = lambda: None
    ) -> None:
        """Write something that is no revision."""
        self._writer.check()
        entry = Note(statements, undo)
        self._writer.submit(entry)
        await entry.future

    async def _write_later(self, statements: list[Statement]) -> None:
        """Write something that no client waits for, and with it what the redo log holds."""
        entry = Note(statements, lambda: None)
        self._writer.submit_later(entry)
        await entry.future

    def _rows(self, written: Written, author: str) -> list[Row]:
        wall_ms = int(self._clock.wall() * 1000)
        return rows_of(written.changes, author, wall_ms, ephemeral=self._keyspace.ephemeral.owns)

    def _uses_reserve(self, written: Written) -> bool:
        """Whether the revision may leave no row and lies beyond the durable high-water mark."""
        if not self._options.ephemeral_prefixes or written.revision <= self._reserved:
            return False
        return any(self._keyspace.ephemeral.owns(change.kv.key) for _, change in written.changes)

    def _undo_reserve(self, before: int, undo: Callable[[], None] | None) -> Callable[[], None]:
        def back() -> None:
            self._reserved = before
            if undo is not None:
                undo()

        return back

    def _logged(self, size_bytes: int) -> None:
        self._space.wrote(size_bytes)
        self._commits.must_move = self._space.short

    def _wrote(self, size_bytes: int, idle: bool) -> None:
        self._commits.must_move = self._space.short
        if not self._space.short and not self._closed:
            self._checkpointer.written(size_bytes, idle)
            self._space.wrote(size_bytes)
            self._snapshots.written()

    async def _move_log(self) -> None:
        """A commit of nothing: while room is short, each moves the log and gives its room back."""
        with suppress(StoreError):  # the next refused write tries again
            await self.settle()

    def _lease_row(self, lease_id: int, ttl_s: int) -> Statement:
        deadline_ms = int((self._clock.wall() + ttl_s) * 1000)
        return tables.SET_LEASE, [(lease_id, ttl_s, deadline_ms)]

    def _check_open(self) -> None:
        if self._closed:
            raise Closed
        self._writer.check()
