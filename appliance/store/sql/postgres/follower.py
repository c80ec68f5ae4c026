"""Keeps the replica in step with the table: rows of others, leases, the compaction mark.

    NOTIFY, a reader, a group about to be decided ──► look ──► rows behind `committed` ──► replica
                                                                                      └──► hub

Notifications only say "look": one that is lost, or comes while the listener is away, is made up
for by the look after each connect, by every write, and by every linearizable read.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

import psycopg
import structlog

from appliance.kit.backoff import Backoff
from appliance.kit.clock import Clock
from appliance.store.base import Event, EventKind, KeyValue
from appliance.store.errors import Compacted, StoreError, Unavailable, Unusable
from appliance.store.mvcc.keyindex import revision_of
from appliance.store.mvcc.leasing import LeaseEntry
from appliance.store.sql import tables
from appliance.store.sql.postgres import statements
from appliance.store.sql.postgres.coldvalues import Cold
from appliance.store.sql.postgres.database import Connection, Link, refusal
from appliance.store.sql.postgres.replica import Replica
from appliance.store.sql.working import At

log = structlog.get_logger(__name__)

_PAGE = 1_000
_PAUSE = Backoff(base_s=0.1, maximum_s=5.0)


@dataclass(frozen=True, slots=True)
class Head:
    """How far the database is."""

    revision: int
    compact_revision: int
    lease_epoch: int


class Follower:
    """Reads what others have written."""

    def __init__(self, replica: Replica, clock: Clock) -> None:
        self.turn = asyncio.Lock()
        """Held by whoever changes the replica: the follower, or a group until it is committed."""
        self.lease_epoch = -1  # so that the first look reads the leases
        self.load: Callable[[Cold], Awaitable[None]] = _nothing
        """Fetches values, on a connection of its own: ours is in the middle of a stream."""
        self.cut: Callable[[StoreError], None] = lambda _error: None
        """Ends watches that would miss something."""
        self.publish: Callable[[int, Sequence[Event]], None] = lambda _revision, _events: None
        self.moved: Callable[[], None] = lambda: None
        """Something may have become due or compactable."""
        self._replica = replica
        self._clock = clock
        self._look = asyncio.Event()
        self._waiting: list[tuple[int, asyncio.Future[None]]] = []

    async def head(self, connection: Connection) -> Head:
        """Ask how far the database is."""
        found = await connection.execute(statements.SELECT_HEAD)
        row = await found.fetchone()
        newest, compacted, epoch = row or (0, None, None)
        compact_revision = -1 if compacted is None else compacted
        revision = max(1, newest >> tables.SUB_SHIFT, compact_revision)
        return Head(revision, compact_revision, epoch or 0)

    async def catch_up(self, connection: Connection, head: Head) -> None:
        """Take in everything up to `head`; the caller holds the turn.

        Raises:
            Unusable: the database is behind what it has told before.
        """
        replica = self._replica
        if head.revision < replica.committed:
            raise Unusable(
                f"the database has lost revisions (now {head.revision}, was {replica.committed}):"
                " was it restored, or is this a replica that lags? Restart this server"
            )
        leases = None
        if head.lease_epoch != self.lease_epoch:
            leases = await self._leases(connection)
            self._new_leases(leases)
        missed = not replica.is_empty and head.compact_revision > replica.committed
        if missed:
            # We were away for so long that some of what happened is not in the table any more.
            self.cut(Compacted(head.compact_revision))
        if replica.is_empty:
            replica.compact_revision = head.compact_revision  # so that values can go as they come
        if head.revision > replica.committed:
            # Behind a revision's last possible row.
            after = ((replica.committed + 1) << tables.SUB_SHIFT) - 1
            await self._take_rows(connection, after, missed=missed)
        replica.advance(head.revision)
        replica.compact_revision = max(replica.compact_revision, head.compact_revision)
        if leases is not None:
            self._ended_leases({lease_id for lease_id, _, _ in leases})
            self.lease_epoch = head.lease_epoch
        self.wake()
        self.moved()

    async def reach(self, revision: int) -> None:
        """Return once the replica has everything up to `revision`."""
        if self._replica.committed < revision:
            future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting.append((revision, future))
            self._look.set()
            await future

    def wake(self) -> None:
        """Let those go on whose revision is here."""
        still = []
        for revision, future in self._waiting:
            if revision > self._replica.committed:
                still.append((revision, future))
            elif not future.done():
                future.set_result(None)
        self._waiting = still

    async def listen(self, link: Link) -> None:
        """Hear of commits until cancelled."""
        failures = 0
        while True:
            try:
                connection = await link.get()
                await connection.execute(f"LISTEN {statements.CHANNEL}")
                failures = 0
                self._look.set()
                async for _ in connection.notifies():
                    self._look.set()
            except (psycopg.Error, StoreError) as error:
                if not failures:
                    log.warning("not listening to PostgreSQL", why=" ".join(str(error).split()))
            await link.drop()
            failures += 1
            await self._clock.sleep(_PAUSE.delay(failures))

    async def run(self, link: Link) -> None:
        """Look whenever there is something to see, until cancelled."""
        failures = 0
        while True:
            await self._look.wait()
            self._look.clear()
            try:
                connection = await link.get()
                async with self.turn:
                    await self.catch_up(connection, await self.head(connection))
                failures = 0
            except (psycopg.Error, StoreError) as error:
                why = refusal(error) if isinstance(error, psycopg.Error) else error
                log.warning("cannot follow PostgreSQL", why=str(why))
                await link.drop()
                failures += 1
                await self._clock.sleep(_PAUSE.delay(failures))
                self._look.set()

    async def _take_rows(self, connection: Connection, after: int, *, missed: bool) -> None:
        """Take in pages of whole revisions, so that memory holds one page twice and no more."""
        page: list[At] = []
        async with connection.cursor(binary=True) as cursor:
            async for row in cursor.stream(statements.SELECT_ROWS, (after,)):
                change = _change(row)
                if len(page) >= _PAGE and revision_of(page[-1][0]) != revision_of(change[0]):
                    await self._take(page, missed=missed)
                    page = []
                page.append(change)
        await self._take(page, missed=missed)

    async def _take(self, page: list[At], *, missed: bool) -> None:
        if before := self._replica.cold_before(page):
            cold = Cold(before)
            await self.load(cold)
            if self._replica.still_cold(cold) and not missed:
                raise Unavailable("PostgreSQL: it was compacted while we looked")  # look again
        for written in self._replica.take(page):
            self.publish(written.revision, written.events())
        self._replica.trim()

    async def _leases(self, connection: Connection) -> list[tuple[int, int, float]]:
        cursor = await connection.execute(statements.SELECT_LEASES)
        return [(lease_id, ttl_s, left) for lease_id, ttl_s, left in await cursor.fetchall()]

    def _new_leases(self, leases: list[tuple[int, int, float]]) -> None:
        book, now = self._replica.leases, self._clock.monotonic()
        fresh = {lease_id for lease_id, _, _ in leases if lease_id not in book}
        for lease_id, ttl_s, left_s in leases:
            if lease_id in fresh:
                book.restore(LeaseEntry(lease_id, ttl_s, now + left_s))
            else:
                book.get(lease_id).deadline = now + left_s
        if fresh:
            self._replica.attach(fresh)

    def _ended_leases(self, living: set[int]) -> None:
        for lease_id in self._replica.leases.ids():
            if lease_id not in living:
                self._replica.leases.drop(lease_id)


async def _nothing(cold: Cold) -> None:
    del cold


def _change(row: tuple[Any, ...]) -> At:
    row_id, key, value, create_revision, version, lease, deleted = row
    kv = KeyValue(key, value, create_revision, row_id >> tables.SUB_SHIFT, version, lease)
    return row_id << 1 | deleted, Event(EventKind.DELETE if deleted else EventKind.PUT, kv)
