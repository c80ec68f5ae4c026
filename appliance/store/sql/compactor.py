"""Compaction in short steps, space given back, the WAL moved into the file in idle moments.

`Compactor` runs one sweep at a time, each step behind the back of those who write: what is small
goes to the redo log meanwhile, what is large waits for one step at most. A mark in the database
says how far reads are refused, another how far rows are gone: a sweep that a crash cut off starts
again when the store opens.

`Checkpointer` copies the WAL into the file on its own connection and thread, passively: it
takes no lock that a commit would wait for. Called only after writes, so an idle store is idle.
"""

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice

import structlog

from appliance.kit.clock import Clock
from appliance.kit.tasks import Tasks
from appliance.store.errors import NoSpace, StoreError
from appliance.store.options import StoreOptions
from appliance.store.sql import tables
from appliance.store.sql.commits import Mover
from appliance.store.sql.keyspace import Keyspace
from appliance.store.sql.retained import Retained
from appliance.store.sql.rows import Statement

log = structlog.get_logger(__name__)

_VACUUM_PAGES = 256  # 1 MiB a step
_BUSY_FACTOR = 4  # a store that is never idle moves its log after so many times the bound
_ROWS_AT_ONCE = 50_000  # sorted together: some 5 ms on the loop
_KEEP_FREE_PAGES = 1_024  # 4 MiB stay in the file: the next writes reuse them

Write = Callable[[list[Statement]], Awaitable[None]]


class Compactor:
    """Deletes what compaction has made unreadable."""

    def __init__(
        self,
        keyspace: Keyspace,
        retained: Retained,
        write: Write,
        tasks: Tasks,
        *,
        options: StoreOptions,
        clock: Clock,
    ) -> None:
        self._keyspace = keyspace
        self._retained = retained
        self._write = write
        self._tasks = tasks
        self._clock = clock
        self._step = options.compact_step
        self._done = -1
        self._sweep: asyncio.Task[None] | None = None

    def start(self, done: int) -> None:
        """Rows below `done` are gone already; finish what is left, if anything is."""
        self._done = max(self._done, done)
        running = self._sweep is not None and not self._sweep.done()
        if self._done < self._keyspace.compact_revision and not running:
            self._sweep = self._tasks.spawn("compact", self._run())

    async def wait(self) -> None:
        """Wait until the running sweep has ended."""
        if self._sweep is not None:
            await asyncio.wait([self._sweep])

    async def _run(self) -> None:
        try:
            while self._done < self._keyspace.compact_revision:
                await self._one_sweep(self._keyspace.compact_revision)
            await self._retained.trim(self._write)
            await self._give_back()
        except StoreError as error:
            # The marks are on disk: the next compaction, or the next start, goes on from here.
            log.warning("compaction interrupted", done=self._done, error=str(error))

    async def _one_sweep(self, revision: int) -> None:
        keys = iter(self._keyspace.index.compactable())
        while gone := await self._forget(keys):
            # In the order of the file: rows of neighbouring revisions share their pages, so a
            # step rewrites a dozen pages and not one for each row.
            gone.sort()
            for at in range(0, len(gone), self._step):
                await self._retire(gone[at : at + self._step], revision)
        await self._write([(tables.SET_FACT, [(tables.COMPACT_DONE, revision)])])
        self._done = revision

    async def _retire(self, rows: list[int], revision: int) -> None:
        """Write one step; on a full disk a smaller one may fit into what the log can still take."""
        try:
            await self._write([self._retained.retire(rows, revision)])
        except NoSpace:
            if len(rows) == 1:
                raise
            half = len(rows) // 2
            await self._retire(rows[:half], revision)
            await self._retire(rows[half:], revision)

    async def _forget(self, keys: Iterator[bytes]) -> list[int]:
        """Let the index forget what the next keys no longer need: rows, a bounded number."""
        gone: list[int] = []
        while len(gone) < _ROWS_AT_ONCE and (step := list(islice(keys, self._step))):
            gone += self._keyspace.forget(step)
            await self._clock.sleep(0)  # let the loop run between two steps
        return gone

    async def _give_back(self) -> None:
        """Return free pages to the file system, but leave a working set of them."""
        for spare in self._spare_pages():
            pages = min(spare, _VACUUM_PAGES)
            await self._write([(f"PRAGMA incremental_vacuum({pages})", ())])

    def _spare_pages(self) -> Iterator[int]:
        """How many free pages there are too many, until there are none."""
        connection = self._keyspace.reader.connection
        while True:
            free, pages = (
                connection.execute(f"PRAGMA {name}").fetchone()[0]
                for name in ("freelist_count", "page_count")
            )
            spare = free - max(_KEEP_FREE_PAGES, pages // 8)
            if spare <= 0:
                return
            yield spare


class Checkpointer:
    """Moves the log into the database file.

    The bulk is copied here, beside the commits. What was committed meanwhile is left for the
    writer to finish (`finish`): only when the whole log has been moved can it be used again from
    its start, and under steady writes no other moment would ever come.
    """

    def __init__(
        self,
        connection: sqlite3.Connection,
        options: StoreOptions,
        *,
        finish: Callable[[], None],
        mover: Mover,
    ) -> None:
        self._connection = connection
        self._finish = finish
        self._mover = mover
        self._bound_bytes = options.checkpoint_bytes
        self._written_bytes = 0
        self._thread = ThreadPoolExecutor(1, "store-checkpoint")
        self._running: Future[None] | None = None

    def written(self, size_bytes: int, idle: bool) -> None:
        """A group has been committed; `idle` if nothing waits behind it."""
        self._written_bytes += size_bytes
        # A store that is never idle must not let the log grow without end either.
        bound = self._bound_bytes if idle else _BUSY_FACTOR * self._bound_bytes
        running = self._running is not None and not self._running.done()
        if self._written_bytes >= bound and not running:
            self._written_bytes = 0
            self._running = self._thread.submit(self._run)

    def close(self) -> None:
        """Wait for the one that runs."""
        self._thread.shutdown()

    def _run(self) -> None:
        self._mover.move(self._connection, wait=True)
        self._finish()
