"""The one writer: what waits goes to disk in one transaction, then everyone is answered.

    submit → waiting ┐ next turn of the loop        ┌ commit on the loop   (one entry, quick disk)
                     └──────────────────────────────┤
                                                    └ commit on the thread (several, or slow disk)
    committed → each entry's `committed()` in order → the next group starts at once

No timer and no polling: a group is whatever has come while the one before was being written.
A lone entry is committed on the loop while commits take less than `inline_commit_below_s`,
which saves two thread switches (1.5 times the rate for one client); a slow disk never blocks
the loop. An entry without statements takes its turn in the order but touches no disk.

If a commit fails, its entries and all that wait behind it (they were computed on top of it) are
taken back, newest first. A full disk is answered with `NoSpace`, a file that another program
keeps locked with `TimedOut`, and both can heal; after any other error what is on disk is not
known, so the store refuses everything until it is opened again.

A group is bounded in entries and bytes; the queue by the requests that clients have open.
"""

import asyncio
import sqlite3
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

import structlog

from appliance.kit.clock import Clock
from appliance.store.durations import Durations
from appliance.store.errors import NoSpace, StoreError, TimedOut, Unusable
from appliance.store.options import StoreOptions
from appliance.store.sql import tables
from appliance.store.sql.engine import unusable
from appliance.store.sql.entries import Entry, Row, Statement

log = structlog.get_logger(__name__)

_MOVE = "PRAGMA wal_checkpoint(PASSIVE)"
_SHRINK = "PRAGMA wal_checkpoint(TRUNCATE)"
_ROWS_A_STATEMENT = 100  # so many texts at most are kept prepared
_MAX_GROUP = 512  # entries; bounds the wait of the first
_LEAST_S = 0.0005
_GROUP_BYTES = 8 << 10  # of the log, for a group of any size: whole pages are written
_MAX_GROUP_BYTES = 8 << 20  # bounds the memory of one transaction
_LOCKED_WAIT_MS = 10_000  # for a person with sqlite3 who holds the write lock


class Writer:
    """Queue and group commit over one connection."""

    def __init__(
        self, connection: sqlite3.Connection, path: Path, options: StoreOptions, clock: Clock
    ) -> None:
        self._connection = connection
        self._path = path
        self._options = options
        self._clock = clock
        self._loop = asyncio.get_running_loop()
        self._thread = ThreadPoolExecutor(1, "store-writer")
        self._waiting: deque[Entry] = deque()
        self._scheduled = False
        self._in_flight = False
        self._typical_s = 0.0  # running mean of what a commit takes
        self._broken: StoreError | None = None
        self._idle = asyncio.Event()
        self._idle.set()
        self.after_group: Callable[[int, bool], None] = lambda _bytes, _idle: None
        """Called after each group with the bytes written, and whether nothing waits."""
        self.commits = Durations()
        self.mover = Mover()
        self.must_move = False
        """The log may not grow: move it at once after each commit; any thread may set it."""
        self.checkpoint_next = False
        """Move the rest of the log into the file after the next commit; any thread may set it."""

    @property
    def busy(self) -> bool:
        """Whether something has been accepted and is not yet on disk."""
        return not self._idle.is_set()

    def check(self) -> None:
        """Refuse if the disk has failed.

        Raises:
            StoreError: it has.
        """
        if self._broken is not None:
            raise self._broken

    def submit(self, entry: Entry) -> None:
        """Take an entry; its turn comes after all that were taken before."""
        self._waiting.append(entry)
        self._idle.clear()
        if not self._in_flight and not self._scheduled:
            # At the end of this turn of the loop, so that tasks that are ready now can join.
            self._scheduled = True
            self._loop.call_soon(self._start)

    async def drain(self) -> None:
        """Wait until everything accepted is on disk."""
        await self._idle.wait()

    def close(self) -> None:
        """Free the thread; the queue must be empty."""
        self._thread.shutdown()

    def _start(self) -> None:
        self._scheduled = False
        if not self._waiting:
            self._idle.set()
            return
        group = self._take_group()
        rows = [row for entry in group for row in entry.rows]
        statements = [statement for entry in group for statement in entry.statements]
        if not rows and not statements:
            self._finish(group, None)
            return
        if len(group) == 1 and self._typical_s < self._options.inline_commit_below_s:
            error = self._commit(rows, statements, wait_ms=0)
            if not _is(error, sqlite3.SQLITE_BUSY):
                self._finish(group, error)
                return
        self._in_flight = True
        done = self._thread.submit(self._commit, rows, statements, wait_ms=_LOCKED_WAIT_MS)
        done.add_done_callback(lambda it: self._loop.call_soon_threadsafe(self._land, group, it))

    def _take_group(self) -> list[Entry]:
        group, size_bytes = [self._waiting.popleft()], 0
        while self._waiting and len(group) < _MAX_GROUP and size_bytes < _MAX_GROUP_BYTES:
            size_bytes += group[-1].size_bytes
            group.append(self._waiting.popleft())
        return group

    def _land(self, group: list[Entry], done: "Future[sqlite3.Error | None]") -> None:
        self._in_flight = False
        self._finish(group, done.result())

    def _finish(self, group: list[Entry], error: sqlite3.Error | None) -> None:
        if error is None:
            for entry in group:
                _tell(entry.committed)
            written = _GROUP_BYTES + sum(entry.size_bytes for entry in group)
            _tell(lambda: self.after_group(written, not self._waiting))
        else:
            self._fail([*group, *self._waiting], error)
            self._waiting.clear()
        if not self._waiting:
            self._idle.set()
        elif not self._scheduled:
            # Through the loop again: those just answered may have more to write.
            self._scheduled = True
            self._loop.call_soon(self._start)

    def _fail(self, entries: list[Entry], error: sqlite3.Error) -> None:
        refusal = _refusal(error) or unusable(self._path, error)
        if isinstance(refusal, Unusable):
            self._broken = refusal
        log.error("store commit failed", path=str(self._path), error=str(error))
        for entry in reversed(entries):
            _tell(partial(entry.failed, refusal))

    def _commit(
        self, rows: list[Row], statements: list[Statement], *, wait_ms: int
    ) -> sqlite3.Error | None:
        """One transaction; runs on the thread, or on the loop while the thread has nothing."""
        connection, started = self._connection, self._clock.monotonic()
        try:
            _begin(connection, wait_ms)
            begun = self._clock.monotonic()
            _insert(connection, rows)
            for text, parameters in _joined(statements):
                if parameters:
                    connection.executemany(text, parameters)
                else:
                    connection.execute(text).fetchall()  # a pragma
            connection.execute("COMMIT")
        except sqlite3.Error as error:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            if isinstance(_refusal(error), NoSpace):
                self.mover.full()
                self.mover.move(connection, wait=True, shrink=True)
            return error
        took = self._clock.monotonic() - started
        self.commits.add(took)
        if took >= self._options.slow_s:
            locked = begun - started > took / 2
            log.warning(
                "slow commit",
                took_ms=round(took * 1000),
                reason="another program holds the file's lock" if locked else "the disk",
                rows=len(rows),
                size_bytes=sum(len(row[-1]) for row in rows),
            )
        # One commit that waited for others on the disk says little: it counts as twice as usual.
        self._typical_s += (min(took, 2 * self._typical_s + _LEAST_S) - self._typical_s) / 8
        if self.checkpoint_next or self.must_move:
            self.checkpoint_next = False
            self.mover.move(connection, wait=self.must_move, shrink=self.must_move)
        return None


def _tell(act: Callable[[], None]) -> None:
    """Call back; a fault there is told loudly, and is none of those who come after."""
    try:
        act()
    except Exception:
        log.exception("a callback of a commit failed; the store goes on")


def _begin(connection: sqlite3.Connection, wait_ms: int) -> None:
    """Take the write lock, which nobody else should have: wait only if it is not free."""
    try:
        connection.execute("BEGIN IMMEDIATE")
    except sqlite3.OperationalError as error:
        if not (wait_ms and _is(error, sqlite3.SQLITE_BUSY)):
            raise
        connection.execute(f"PRAGMA busy_timeout = {wait_ms}")
        try:
            connection.execute("BEGIN IMMEDIATE")
        finally:
            connection.execute("PRAGMA busy_timeout = 0")


def _insert(connection: sqlite3.Connection, rows: list[Row]) -> None:
    """Add rows, many by one statement.

    The driver gives the interpreter's lock away at each statement, and has to wait for it again:
    row by row a busy loop would stand in the way of its own commit a hundred times.
    """
    if len(rows) == 1:
        connection.execute(tables.INSERT_ROW, rows[0])
        return
    for at in range(0, len(rows), _ROWS_A_STATEMENT):
        some = rows[at : at + _ROWS_A_STATEMENT]
        connection.execute(tables.insert_rows(len(some)), list(chain.from_iterable(some)))


def _refusal(error: sqlite3.Error) -> StoreError | None:
    """What to answer if nothing was written for a reason that passes."""
    if _is(error, sqlite3.SQLITE_FULL) or _is(error, sqlite3.SQLITE_IOERR_SHMSIZE):
        return NoSpace()
    return TimedOut() if _is(error, sqlite3.SQLITE_BUSY) else None


def _is(error: sqlite3.Error | None, code: int) -> bool:
    return getattr(error, "sqlite_errorcode", None) == code


class Mover:
    """Moves what can be moved of the log into the file; two at once would be in the other's way."""

    def __init__(self) -> None:
        self.full: Callable[[], None] = lambda: None
        """Called if the file could not grow; should make room for a second try."""
        self._alone = threading.Lock()

    def move(
        self, connection: sqlite3.Connection, *, wait: bool = False, shrink: bool = False
    ) -> None:
        """Wait for no reader and no writer, and for another mover only if it must be.

        `shrink` gives the log's room back: only where room is short, else it is overwritten.
        """
        if not self._alone.acquire(blocking=wait):
            return
        try:
            self._move(connection, _MOVE)
            if shrink:
                connection.execute(_SHRINK).fetchall()
        except sqlite3.Error as error:
            # Nothing is lost: the log keeps it all, and SQLite tries by itself at 64 MiB.
            log.warning("checkpoint failed", error=str(error))
        finally:
            self._alone.release()

    def _move(self, connection: sqlite3.Connection, text: str) -> None:
        try:
            connection.execute(text).fetchall()
        except sqlite3.OperationalError as error:
            if not _is(error, sqlite3.SQLITE_FULL):
                raise
            self.full()
            connection.execute(text).fetchall()


def _joined(statements: list[Statement]) -> list[Statement]:
    """Neighbours with the same text become one call."""
    joined: list[tuple[str, list[tuple[Any, ...]]]] = []
    for text, rows in statements:
        if joined and joined[-1][0] == text:
            joined[-1][1].extend(rows)
        else:
            joined.append((text, list(rows)))
    return list(joined)
