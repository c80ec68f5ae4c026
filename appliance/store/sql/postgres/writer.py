"""Group commit for several masters: order of revisions = order of commits.

    what waits ─► BEGIN, lock, head ─► take in what others wrote ─► decide each ─► rows,
                  (one round trip)     (only if there is something)               NOTIFY, COMMIT
                                                                                  (one round trip)

The advisory lock is held from before the head is read until after the commit is visible, so
everybody decides on the newest state and revisions become visible in their order. A group is
whatever has come while the one before was on its way.

If the connection breaks before COMMIT was sent, the group is decided anew on a new one. If it
breaks after, nobody knows: the requests are refused with `Unavailable`, the replica forgets what
it did, and the next look at the table tells what has happened.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import psycopg
import structlog

from appliance.kit.backoff import Backoff
from appliance.kit.clock import Clock
from appliance.store.durations import Durations
from appliance.store.errors import StoreError, Unavailable, Unusable
from appliance.store.sql.postgres import statements
from appliance.store.sql.postgres.coldvalues import Cold
from appliance.store.sql.postgres.database import (
    Connection,
    Link,
    refusal,
    row_of,
    rows_columns,
)
from appliance.store.sql.postgres.follower import Follower, Head
from appliance.store.sql.postgres.replica import Replica
from appliance.store.sql.working import Written

log = structlog.get_logger(__name__)

_MAX_GROUP = 512
_MISSING = "PostgreSQL: a value is not where it should be; was the database restored?"
_PAUSE = Backoff(base_s=0.05, maximum_s=1.0)


class Group:
    """What the requests of one transaction put together."""

    def __init__(self, replica: Replica, remaining_s: dict[int, float]) -> None:
        self.replica = replica
        self.remaining_s = remaining_s
        """What the database says is left of the leases that were asked about."""
        self.compact_revision = replica.compact_revision
        self.written: list[Written] = []
        self.rows: list[tuple[int | bytes | str, ...]] = []
        self.others: list[tuple[str, tuple[Any, ...]]] = []
        self.epochs = 0
        self.committed: list[Callable[[], None]] = []
        """Run, in order, once the transaction is in."""

    def add(self, written: Written, wall_ms: int, author: str) -> None:
        """Changes of a revision."""
        self.written.append(written)
        for at, change in written.changes:
            kv = change.kv
            self.rows.append(
                (
                    *(row_of(at), kv.key, kv.create_revision, kv.version, kv.lease, at & 1),
                    *(wall_ms, author.replace("\0", ""), kv.value),
                )
            )

    def execute(self, text: str, *values: object) -> None:
        """A further statement."""
        self.others.append((text, values))

    def next_epoch(self) -> None:
        """A lease was made or ended: others must look."""
        self.epochs += 1
        self.execute(statements.NEXT_EPOCH)

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to write."""
        return not self.rows and not self.others


@dataclass(slots=True, kw_only=True)
class Entry:
    """A request: `decide` runs under the lock and gives its answer, or raises a refusal."""

    decide: Callable[[Group], Any]
    lease_id: int = 0
    """Look up what is left of this lease first."""
    give_up_at: float
    answer: asyncio.Future[Any] = field(default_factory=asyncio.Future)

    def refuse(self, error: Exception) -> None:
        """It failed."""
        if not self.answer.done():
            self.answer.set_exception(error)


@dataclass(frozen=True, slots=True)
class _Refused:
    why: Exception


class Writer:
    """The queue, and the one task that works it off."""

    def __init__(
        self,
        link: Link,
        follower: Follower,
        replica: Replica,
        *,
        answer_within_s: float,
        clock: Clock,
    ) -> None:
        self._link = link
        self._follower = follower
        self._replica = replica
        self._within_s = answer_within_s
        self._clock = clock
        self.commits = Durations()
        self._waiting: deque[Entry] = deque()
        self._work = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()

    async def submit(self, decide: Callable[[Group], Any], lease_id: int = 0) -> Any:
        """Run a request; returns when it is durable.

        Raises:
            StoreError: its refusal, or `Unavailable`.
        """
        give_up_at = self._clock.monotonic() + self._within_s
        entry = Entry(decide=decide, lease_id=lease_id, give_up_at=give_up_at)
        self._waiting.append(entry)
        self._idle.clear()
        self._work.set()
        return await asyncio.shield(entry.answer)

    async def drain(self) -> None:
        """Wait until everything accepted has been answered."""
        await self._idle.wait()

    async def run(self) -> None:
        """Work until cancelled."""
        failures = 0
        while True:
            await self._work.wait()
            entries = [self._waiting.popleft() for _ in range(min(len(self._waiting), _MAX_GROUP))]
            try:
                async with self._follower.turn:
                    await self._one(entries)
                failures = 0
            except (psycopg.Error, StoreError) as error:
                # Nothing was sent to be committed: these are tried again as long as they may.
                failures += 1
                why = refusal(error) if isinstance(error, psycopg.Error) else error
                if failures == 1:  # until it does again, which "connected" tells
                    log.warning("PostgreSQL does not take writes", why=str(why))
                await self._link.drop()
                self._put_back(entries, why)
                await self._clock.sleep(_PAUSE.delay(failures))
            if not self._waiting:
                self._work.clear()
                self._idle.set()

    def _put_back(self, entries: list[Entry], why: StoreError) -> None:
        now = self._clock.monotonic()
        for entry in reversed(entries):
            if entry.answer.done():
                continue
            if entry.give_up_at <= now or isinstance(why, Unusable):
                entry.refuse(why)
            else:
                self._waiting.appendleft(entry)

    async def _one(self, entries: list[Entry]) -> None:
        connection = await self._link.get()
        head, remaining_s = await self._begin(connection, entries)
        await self._follower.catch_up(connection, head)
        group = Group(self._replica, remaining_s)
        answers = [await self._decided(connection, entry, group) for entry in entries]
        if group.is_empty:
            await connection.execute("COMMIT")
        else:
            started = self._clock.monotonic()
            try:
                await self._commit(connection, group)
                self.commits.add(self._clock.monotonic() - started)
            except psycopg.Error as error:
                await self._not_known(entries, group, error)
                return
        self._finish(group)
        for entry, answer in zip(entries, answers, strict=True):
            if isinstance(answer, _Refused):
                entry.refuse(answer.why)
            elif not entry.answer.done():
                entry.answer.set_result(answer)

    async def _decided(self, connection: Connection, entry: Entry, group: Group) -> Any:
        """The answer, or the refusal of this one request."""
        wanted: set[int] = set()
        while True:
            try:
                return entry.decide(group)
            except Cold as more:
                wanted |= more.positions  # all of them each time: others may have let some go
                cold = Cold(wanted)
                found = await connection.execute(statements.SELECT_VALUES, (cold.rows,))
                self._replica.load(await found.fetchall())
                if self._replica.still_cold(cold):
                    return _Refused(Unavailable(_MISSING))
            except StoreError as error:
                return _Refused(error)
            except Exception as fault:
                log.exception("a request failed; the store goes on")
                return _Refused(fault)

    async def _begin(
        self, connection: Connection, entries: list[Entry]
    ) -> tuple[Head, dict[int, float]]:
        remaining_s: dict[int, float] = {}
        async with connection.pipeline():
            await connection.execute("BEGIN")
            # A statement of its own: the next one's snapshot must be taken under the lock.
            await connection.execute(f"SELECT {statements.LOCK}")
            head = await self._follower.head(connection)
        if any(entry.lease_id for entry in entries):
            cursor = await connection.execute(statements.SELECT_LEASES)
            remaining_s = {lease_id: left for lease_id, _, left in await cursor.fetchall()}
        return head, remaining_s

    async def _commit(self, connection: Connection, group: Group) -> None:
        async with connection.pipeline():
            if group.rows:
                columns = rows_columns(group.rows)
                await connection.execute(statements.INSERT_ROWS, columns)
            for text, values in group.others:
                await connection.execute(text, values)
            await connection.execute(statements.NOTIFY)
            await connection.execute("COMMIT")

    def _finish(self, group: Group) -> None:
        self._follower.lease_epoch += group.epochs
        for written in group.written:
            if written.changes:
                self._replica.commit(written)
                _tell(partial(self._follower.publish, written.revision, written.events()))
        for act in group.committed:
            _tell(act)
        self._follower.wake()
        self._replica.trim()

    async def _not_known(self, entries: list[Entry], group: Group, error: psycopg.Error) -> None:
        """COMMIT may or may not have happened."""
        why = refusal(error)
        log.error("PostgreSQL commit failed", why=str(why))
        self._replica.undo(group.written)
        self._follower.lease_epoch = -1  # leases are read again
        await self._link.drop()
        for entry in entries:
            entry.refuse(why)


def _tell(act: Callable[[], None]) -> None:
    """Call back; a fault there is told loudly, and is none of those who come after."""
    try:
        act()
    except Exception:
        log.exception("a callback of a commit failed; the store goes on")
