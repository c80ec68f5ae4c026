"""PostgresStore: the store on PostgreSQL, shared by several masters.

    txn, leases, compaction → Writer (under one lock, in groups) → table → NOTIFY
    range, watch            → Replica in memory, kept in step by Follower; before a read of the
                              newest state the table is asked how far it is (one question for all
                              who wait), so that every acknowledged write of any master is seen

What SQLite's store keeps in memory for `ephemeral_prefixes` is written here like anything else:
other masters must see it. Times of leases are the database's clock. Opened by `assembly`.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar, cast

import psycopg

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
from appliance.store.durations import Durations
from appliance.store.errors import (
    Closed,
    Compacted,
    EmptyKey,
    FutureRevision,
    LeaseNotFound,
    Unavailable,
    Unusable,
)
from appliance.store.expiry import Expiry
from appliance.store.hub import Hub
from appliance.store.mvcc import txn
from appliance.store.mvcc.keyindex import MAX_SUBS, position
from appliance.store.mvcc.leasing import LeaseBook
from appliance.store.options import StoreOptions
from appliance.store.retention import Retention
from appliance.store.sharedread import SharedRead
from appliance.store.sql import tables
from appliance.store.sql.postgres import statements
from appliance.store.sql.postgres.database import Connection, Link, prepare, refusal
from appliance.store.sql.postgres.fetching import Fetching
from appliance.store.sql.postgres.follower import Follower, Head
from appliance.store.sql.postgres.replica import Committed, Replica
from appliance.store.sql.postgres.retained import Retained
from appliance.store.sql.postgres.sweeper import Sweeper
from appliance.store.sql.postgres.writer import Group, Writer
from appliance.store.sql.working import Past

Answer = TypeVar("Answer")


class PostgresStore:
    """A `Store` on PostgreSQL; `conninfo` as `database.conninfo` makes it."""

    shared = True

    notes_are_shared = True
    """Other masters write them, too (`serve.following`)."""

    @classmethod
    async def open(cls, conninfo: str, options: StoreOptions, clock: Clock) -> "PostgresStore":
        """Connect, make the schema if there is none, load what is there.

        Raises:
            Unavailable: the server cannot be reached; the text says why.
            Unusable: the database is not ours, or of a newer release.
        """
        store = cls(conninfo, options, clock)
        try:
            await store._start()
        except BaseException:
            await store.close()
            raise
        return store

    def __init__(self, conninfo: str, options: StoreOptions, clock: Clock) -> None:
        self._options = options
        self._clock = clock
        self._tasks = Tasks("postgres-store", clock)
        self._readers = Link(conninfo, "reads")
        self._writing = Link(conninfo, "writes")
        self._listening = Link(conninfo, "notifications")
        self._values = Link(conninfo, "values")
        self._leases = LeaseBook(options.min_lease_ttl_s)
        self._replica = Replica(self._leases, options.value_cache_bytes)
        self._committed = Committed(self._replica)
        self._hub = Hub(self._committed, options)
        self._follower = Follower(self._replica, clock)
        self._follower.publish = self._hub.publish
        self._fetching = Fetching(self._replica, self._values, lambda: self._ask(self._look))
        self._follower.load = self._fetching.load
        self._follower.cut = self._hub.cut
        self._writer = Writer(
            self._writing,
            self._follower,
            self._replica,
            answer_within_s=options.answer_within_s,
            clock=clock,
        )
        self._sweeper = Sweeper(
            self._replica,
            self._readers,
            tasks=self._tasks,
            options=options,
            clock=clock,
        )
        self._expiry = Expiry(self._leases, self._expire, clock, self._tasks)
        self._retention = Retention(self.compact, options, clock, self._tasks)
        self._head = SharedRead(self._read_head, self._tasks)
        self._closed = False

    async def _start(self) -> None:
        connection = await self._readers.get()
        try:
            await prepare(connection)
            async with self._follower.turn:
                head = await self._follower.head(connection)
                await self._follower.catch_up(connection, head)
            found = await connection.execute(statements.SELECT_FACT, (tables.COMPACT_DONE,))
            row = await found.fetchone()
            if self._options.caretaker:
                await Retained(self._options).begin(connection)
        except psycopg.Error as error:
            raise refusal(error) from error
        unfinished = head.compact_revision > (row[0] if row else -1)
        mine = unfinished and self._options.caretaker
        self._sweeper.start(head.compact_revision if mine else -1)
        self._follower.moved = self._moved
        self._moved()
        _ = self._tasks.spawn("listen", self._follower.listen(self._listening))
        _ = self._tasks.spawn("follow", self._follower.run(self._readers))
        _ = self._tasks.spawn("write", self._writer.run())

    async def range(self, request: Range) -> RangeResult:
        """Read keys."""
        self._check_open()
        if not request.key:
            raise EmptyKey
        await self.head()
        return await self._fetching.answer(lambda: self._committed.range(request))

    async def head(self) -> int:
        """The newest revision of the database; watchers here are as far."""
        self._check_open()
        return await self._head.ask()

    async def txn(self, request: Txn, author: str = "") -> TxnResult:
        """Run a transaction; returns when it is durable."""
        txn.check(request, self._options)
        return await self._submit(lambda group: self._apply(group, request, author))

    def watch(self, request: WatchRequest) -> Watcher:
        """Open a watch."""
        self._check_open()
        return self._hub.watch(request)

    async def compact(self, revision: int) -> None:
        """Forget history before `revision`; returns when the mark is durable."""

        def decide(group: Group) -> None:
            if revision <= group.compact_revision:
                raise Compacted(group.compact_revision)
            if revision > self._replica.committed:
                raise FutureRevision
            group.compact_revision = revision
            group.execute(statements.SET_FACT, tables.COMPACT_WANTED, revision)
            group.committed.append(committed)

        def committed() -> None:
            self._replica.compact_revision = max(self._replica.compact_revision, revision)
            self._sweeper.start(revision)

        await self._submit(decide)

    async def lease_grant(self, ttl_s: int, lease_id: int = 0) -> Lease:
        """Make a lease; returns when it is durable."""

        def decide(group: Group) -> Lease:
            now = self._clock.monotonic()
            entry = self._leases.grant(ttl_s, lease_id, now)
            group.execute(statements.SET_LEASE, entry.id, entry.ttl_s, entry.ttl_s * 1000)
            group.next_epoch()
            group.committed.append(self._expiry.changed)
            return entry.seen(now)

        return await self._submit(decide)

    async def lease_keep_alive(self, lease_id: int) -> Lease:
        """Begin its time anew."""

        def decide(group: Group) -> Lease:
            now, entry = self._clock.monotonic(), self._leases.get(lease_id)
            entry.deadline = now + entry.ttl_s
            group.execute(statements.SET_LEASE, entry.id, entry.ttl_s, entry.ttl_s * 1000)
            return entry.seen(now)

        return await self._submit(decide)

    async def lease_revoke(self, lease_id: int) -> None:
        """Delete the lease and its keys."""
        await self._submit(lambda group: self._revoke(group, lease_id))

    async def lease_info(self, lease_id: int) -> Lease:
        """Read a lease with its keys."""
        await self.head()
        left = {found: remaining for found, _, remaining in await self._lease_rows()}
        seen = self._leases.get(lease_id).seen(self._clock.monotonic())
        return Lease(seen.id, seen.ttl_s, max(0.0, left.get(lease_id, 0.0)), seen.keys)

    async def lease_list(self) -> Sequence[int]:
        """Ids of all leases, by deadline."""
        self._check_open()
        return [lease_id for lease_id, _, _ in await self._lease_rows()]

    async def notes(self, book: str) -> dict[str, bytes]:
        """All notes of a book."""
        self._check_open()
        return dict(await self._read(statements.SELECT_NOTES, book))

    async def write_notes(self, book: str, changes: Mapping[str, bytes | None]) -> None:
        """Set notes; returns when they are durable."""

        def decide(group: Group) -> None:
            for name, data in changes.items():
                if data is None:
                    group.execute(statements.DELETE_NOTE, book, name)
                else:
                    group.execute(statements.SET_NOTE, book, name, data)

        await self._submit(decide)

    async def status(self) -> Status:
        """Facts for health and metrics."""
        revision = await self.head()
        ((size, in_use),) = await self._read(statements.SELECT_SIZE)
        return Status(
            revision=revision,
            compact_revision=max(0, self._replica.compact_revision),
            size_bytes=size,
            size_in_use_bytes=in_use,
            keys=self._replica.index.living,
        )

    async def history_rows(self, after: tuple[int, int], limit: int) -> list[Past]:
        """Up to `limit` changes behind a place (revision, sub), oldest first."""
        self._check_open()
        place = position(*after)
        found = await self._fetching.answer(lambda: self._replica.behind(place, limit))
        return [(c.kv.mod_revision, (at >> 1) & (MAX_SUBS - 1), c) for at, c in found]

    @property
    def commits(self) -> Durations:
        """How long commits took."""
        return self._writer.commits

    async def compacted(self) -> None:
        """Wait until the rows of the last compaction have gone."""
        await self._sweeper.wait()

    async def close(self) -> None:
        """Finish what was accepted, then free everything."""
        if self._closed:
            return
        self._closed = True
        try:
            async with asyncio.timeout(self._options.answer_within_s):
                await self._writer.drain()
        except TimeoutError:
            pass  # the server does not answer; what waits has been or will be refused
        await self._tasks.close()
        self._hub.close()
        for link in (self._readers, self._writing, self._listening, self._values):
            await link.drop()

    def _apply(self, group: Group, request: Txn, author: str) -> TxnResult:
        replica = self._replica
        try:
            applied = txn.apply(txn.decide(request, replica), replica)
        except BaseException:
            replica.abandon()
            raise
        written = replica.end_txn()
        if written.changes:
            group.add(written, int(self._clock.wall() * 1000), author)
            group.committed.append(lambda: self._retention.wrote(written.revision))
        return applied.result

    def _revoke(self, group: Group, lease_id: int) -> None:
        keys = sorted(self._leases.get(lease_id).keys)
        self._apply(group, Txn(success=tuple(Delete(key=key) for key in keys)), "lease")
        self._leases.drop(lease_id)
        group.execute(statements.DELETE_LEASE, lease_id)
        group.next_epoch()

    async def _expire(self, lease_id: int) -> None:
        """A lease seems due: end it, unless another master has renewed it."""

        def decide(group: Group) -> None:
            left_s = group.remaining_s.get(lease_id)
            if left_s is None:
                raise LeaseNotFound
            if left_s > 0:
                self._leases.get(lease_id).deadline = self._clock.monotonic() + left_s
            else:
                self._revoke(group, lease_id)

        await self._submit(decide, lease_id)

    def _moved(self) -> None:
        """Others have written, perhaps."""
        self._expiry.changed()
        self._sweeper.start()
        if self._replica.committed > max(1, self._replica.compact_revision):
            self._retention.wrote(self._replica.committed)

    async def _submit(self, decide: Callable[[Group], Answer], lease_id: int = 0) -> Answer:
        self._check_open()
        return cast("Answer", await self._writer.submit(decide, lease_id))

    async def _read_head(self) -> int:
        """How far the database is; returns when we are as far."""
        before = self._replica.committed
        try:
            async with asyncio.timeout(self._options.answer_within_s):
                head: Head = await self._ask(self._follower.head)
                if head.revision < before:
                    raise Unusable("the database has lost revisions; restart this server")
                await self._follower.reach(head.revision)
                if head.lease_epoch != self._follower.lease_epoch:
                    await self._ask(self._look)
                return head.revision
        except TimeoutError:
            await self._readers.drop()
            raise Unavailable("PostgreSQL does not answer in time") from None

    async def _look(self, connection: Connection) -> None:
        async with self._follower.turn:
            head = await self._follower.head(connection)
            await self._follower.catch_up(connection, head)

    async def _lease_rows(self) -> list[tuple[int, int, float]]:
        return await self._read(statements.SELECT_LEASES)

    async def _read(self, text: str, *values: object) -> list[tuple[Any, ...]]:
        async def ask(connection: Connection) -> list[tuple[Any, ...]]:
            cursor = await connection.execute(text, values or None)
            return await cursor.fetchall()

        rows: list[tuple[Any, ...]] = await self._ask(ask)
        return rows

    async def _ask(self, question: Callable[[Connection], Any]) -> Any:
        """Read; once more if the connection has broken since its last use."""
        for last in (False, True):
            connection = await self._readers.get()
            try:
                return await question(connection)
            except psycopg.Error as error:
                await self._readers.drop(connection)
                if last:
                    raise refusal(error) from error
        return None

    def _check_open(self) -> None:
        if self._closed:
            raise Closed
