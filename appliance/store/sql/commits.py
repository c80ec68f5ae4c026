"""Transactions of SQLite: rows and statements become durable, on whichever thread calls.

`Writer` calls `commit`, one at a time. `Mover` moves SQLite's log into the file.
"""

import sqlite3
import threading
from collections.abc import Callable
from itertools import chain
from typing import Any

import structlog

from appliance.kit.clock import Clock
from appliance.store.errors import NoSpace, StoreError, TimedOut
from appliance.store.options import StoreOptions
from appliance.store.sql import tables
from appliance.store.sql.rows import Row, Statement

log = structlog.get_logger(__name__)

_MOVE = "PRAGMA wal_checkpoint(PASSIVE)"
_SHRINK = "PRAGMA wal_checkpoint(TRUNCATE)"
_ROWS_A_STATEMENT = 100  # so many texts at most are kept prepared
_LEAST_S = 0.0002
_STEP = 1.1


class Pace:
    """What a commit typically takes; tells whether the loop may wait for one."""

    def __init__(self, bound_s: float) -> None:
        self._bound_s = bound_s
        self._typical_s = _LEAST_S

    @property
    def quick(self) -> bool:
        """Whether they are so short that a thread would cost more."""
        return self._typical_s < self._bound_s

    def took(self, seconds: float) -> None:
        """One more: a step towards it, so that half of all are longer than what is typical.

        Not a mean: where others use the disk, a few that had to wait would outweigh the rest.
        """
        step = _STEP if seconds > self._typical_s else 1 / _STEP
        self._typical_s = max(_LEAST_S, self._typical_s * step)


class Commits:
    """Transactions over one connection."""

    def __init__(self, connection: sqlite3.Connection, options: StoreOptions, clock: Clock) -> None:
        self._connection = connection
        self._slow_s = options.slow_s
        self._clock = clock
        self.pace = Pace(options.inline_commit_below_s)
        self.mover = Mover()
        self.must_move = False
        """The log may not grow: move it at once after each commit; any thread may set it."""
        self.checkpoint_next = False
        """Move the rest of the log into the file after the next commit; any thread may set it."""

    def finish_next(self) -> None:
        """Set `checkpoint_next`."""
        self.checkpoint_next = True

    def commit(
        self, rows: list[Row], statements: list[Statement], *, wait_ms: int
    ) -> sqlite3.Error | None:
        """One transaction; the error if nothing has been written."""
        connection, started = self._connection, self._clock.monotonic()
        try:
            _begin(connection, wait_ms)
            begun = self._clock.monotonic()
            insert(connection, rows)
            for text, parameters in _joined(statements):
                if parameters:
                    connection.executemany(text, parameters)
                else:
                    connection.execute(text).fetchall()  # a pragma
            connection.execute("COMMIT")
        except sqlite3.Error as error:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            if isinstance(refusal(error), NoSpace):
                self.mover.full()
                self.mover.move(connection, wait=True, shrink=True)
            return error
        took = self._clock.monotonic() - started
        if took >= self._slow_s:
            locked = begun - started > took / 2
            reason = "another program holds the file's lock" if locked else "the disk"
            tell_slow(took, rows, reason)
        self.pace.took(took)
        if self.checkpoint_next or self.must_move:
            self.checkpoint_next = False
            self.mover.move(connection, wait=self.must_move, shrink=self.must_move)
        return None


def tell_slow(took_s: float, rows: list[Row], reason: str) -> None:
    """A commit took long enough for a person to hear of it."""
    log.warning(
        "slow commit",
        took_ms=round(took_s * 1000),
        reason=reason,
        rows=len(rows),
        size_bytes=sum(len(row[-1]) for row in rows),
    )


def _begin(connection: sqlite3.Connection, wait_ms: int) -> None:
    """Take the write lock, which nobody else should have: wait only if it is not free."""
    try:
        connection.execute("BEGIN IMMEDIATE")
    except sqlite3.OperationalError as error:
        if not (wait_ms and is_code(error, sqlite3.SQLITE_BUSY)):
            raise
        connection.execute(f"PRAGMA busy_timeout = {wait_ms}")
        try:
            connection.execute("BEGIN IMMEDIATE")
        finally:
            connection.execute("PRAGMA busy_timeout = 0")


def insert(connection: sqlite3.Connection, rows: list[Row]) -> None:
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


def refusal(error: sqlite3.Error) -> StoreError | None:
    """What to answer if nothing was written for a reason that passes."""
    if is_code(error, sqlite3.SQLITE_FULL) or is_code(error, sqlite3.SQLITE_IOERR_SHMSIZE):
        return NoSpace()
    return TimedOut() if is_code(error, sqlite3.SQLITE_BUSY) else None


def is_code(error: Exception | None, code: int) -> bool:
    """Whether it is that error of SQLite's."""
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
            if not is_code(error, sqlite3.SQLITE_FULL):
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
