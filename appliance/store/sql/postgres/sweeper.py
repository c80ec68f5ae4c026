"""What compaction has made unreadable goes: from the memory of every master, and from the table.

Each master forgets when it hears of the mark; the one that set the mark deletes the rows, or sets
them aside for people (`retained.py`), in short statements that take no lock anybody waits for. A
second mark tells how far rows are gone: what a crash cut off is finished by the next master that
starts. PostgreSQL's own vacuum does the rest.
"""

import asyncio
from itertools import islice

import psycopg
import structlog

from appliance.kit.clock import Clock
from appliance.kit.tasks import Tasks
from appliance.store.errors import StoreError
from appliance.store.options import StoreOptions
from appliance.store.sql import tables
from appliance.store.sql.postgres import statements
from appliance.store.sql.postgres.database import Link
from appliance.store.sql.postgres.replica import Replica
from appliance.store.sql.postgres.retained import Retained

log = structlog.get_logger(__name__)


class Sweeper:
    """One sweep at a time."""

    def __init__(
        self, replica: Replica, link: Link, *, tasks: Tasks, options: StoreOptions, clock: Clock
    ) -> None:
        self._replica = replica
        self._link = link
        self._tasks = tasks
        self._step = options.compact_step
        self._retained = Retained(options)
        self._clock = clock
        self._done = -1
        self._mine = -1
        """The greatest mark whose rows we delete."""
        self._sweep: asyncio.Task[None] | None = None

    def start(self, mine: int = -1) -> None:
        """Look at the mark; rows up to `mine` are ours to delete."""
        self._mine = max(self._mine, mine)
        running = self._sweep is not None and not self._sweep.done()
        if self._done < self._replica.compact_revision and not running:
            self._sweep = self._tasks.spawn("sweep", self._run())

    async def wait(self) -> None:
        """Wait until the running sweep has ended."""
        if self._sweep is not None:
            await asyncio.wait([self._sweep])

    async def _run(self) -> None:
        while self._done < (revision := self._replica.compact_revision):
            # Part of what is forgotten now may lie behind a mark of ours.
            delete = self._mine > self._done
            rows = await self._forget()
            self._done = revision
            if delete:
                try:
                    await self._delete(sorted(rows), revision)
                except (psycopg.Error, StoreError) as error:
                    log.warning("compaction interrupted", why=str(error))
                    await self._link.drop()

    async def _forget(self) -> list[int]:
        rows: list[int] = []
        keys = iter(self._replica.index.compactable())
        while step := list(islice(keys, self._step)):
            rows += self._replica.forget(step)
            await self._clock.sleep(0)  # let the loop run between two steps
        self._replica.tidy()
        return rows

    async def _delete(self, rows: list[int], revision: int) -> None:
        connection = await self._link.get()
        await self._retained.retire(connection, rows, revision)
        await connection.execute(statements.SET_FACT, (tables.COMPACT_DONE, revision))
        await self._retained.trim(connection)
