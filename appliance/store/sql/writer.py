"""The one writer: what waits becomes durable as one group, then everyone is answered.

    submit → waiting ┐ next turn of the loop     ┌ a few rows: one record of the redo log
                     └───────────────────────────┤
                                                 └ else: a transaction of the database
    durable → each entry's `committed()` in order → the next group starts at once

No timer and no polling: a group is whatever has come while the one before was being written.
What is short goes to the log on the loop itself while that takes less than
`inline_commit_below_s`, which saves two thread switches; a slow disk never blocks the loop. So
does a lone entry of the database. An entry without statements takes its turn in the order but
touches no disk.

Beside all that, on the database's thread: what the log holds moves into the database when it has
become much or old, and what comes by `submit_later` (compaction, a step at a time) is written.
Groups for the log do not wait for it; a group for the database does, for one step.

If a commit fails, its entries and all that wait behind it (they were computed on top of it) are
taken back, newest first. A full disk is answered with `NoSpace`, a file that another program
keeps locked with `TimedOut`, and both can heal; after any other error what is on disk is not
known, so the store refuses everything until it is opened again.

A group is bounded in entries and bytes; the queue by the requests that clients have open.
"""

import asyncio
import errno
import sqlite3
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TypeVar

import structlog

from appliance.kit.clock import Clock
from appliance.store.durations import Durations
from appliance.store.errors import NoSpace, StoreError, Unusable
from appliance.store.options import StoreOptions
from appliance.store.sql.commits import Commits, Pace, is_code, refusal, tell_slow
from appliance.store.sql.engine import unusable
from appliance.store.sql.entries import Entry, Note
from appliance.store.sql.rows import Row, Statement
from appliance.store.sql.tail import Moving, Tail

log = structlog.get_logger(__name__)

_MAX_GROUP = 512  # entries; bounds the wait of the first
_GROUP_BYTES = 8 << 10  # of SQLite's log, for a group of any size: whole pages are written
_MAX_GROUP_BYTES = 8 << 20  # bounds the memory of one transaction
_RECORD_BYTES = 32 << 10  # a larger group pays for its pages
_INLINE_ROWS = 50  # more take too long for the loop
_MOVE_AFTER_S = 30.0  # people with `sqlite3` see no less than what is older
_TRY_AGAIN_S = 1.0  # the database would not take what the log holds
_LOCKED_WAIT_MS = 10_000  # for a person with sqlite3 who holds the write lock

Failure = sqlite3.Error | OSError
Result = TypeVar("Result")


class Writer:
    """Queue and group commit over one connection and one log."""

    def __init__(
        self, commits: Commits, tail: Tail, path: Path, *, options: StoreOptions, clock: Clock
    ) -> None:
        self._commits = commits
        self._tail = tail
        self._path = path
        self._options = options
        self._clock = clock
        self._loop = asyncio.get_running_loop()
        self._thread = ThreadPoolExecutor(1, "store-writer")
        self._log_thread = ThreadPoolExecutor(1, "store-redo")
        self._log_pace = Pace(options.inline_commit_below_s)
        self._waiting: deque[Entry] = deque()
        self._later: deque[Note] = deque()
        self._scheduled = False
        self._in_flight = False
        self._catching_up = False
        self._held_up = False
        self._old = False
        self._put_off = False
        self._timer: asyncio.TimerHandle | None = None
        self._broken: StoreError | None = None
        self._idle = asyncio.Event()
        self._idle.set()
        self.commits = Durations()
        """What groups took that wrote something."""
        self._began = 0.0
        self.after_group: Callable[[int, bool], None] = lambda _bytes, _idle: None
        """Called after each commit with the bytes written, and whether nothing waits."""
        self.after_record: Callable[[int], None] = lambda _bytes: None
        """Called after each record of the redo log, with its bytes."""

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
        if not self._in_flight and not self._held_up:
            self._start_soon()

    def submit_later(self, entry: Note) -> None:
        """Take one that nobody's answer waits for; with it, the database catches up."""
        if self._broken is not None:
            entry.failed(self._broken)
            return
        self._later.append(entry)
        self._catch_up()

    async def drain(self) -> None:
        """Wait until everything accepted is on disk."""
        await self._idle.wait()

    def close(self) -> None:
        """Free the threads and the log; the queue must be empty."""
        if self._timer is not None:
            self._timer.cancel()
        self._thread.shutdown()
        self._log_thread.shutdown()
        self._tail.close()

    # Groups

    def _start_soon(self) -> None:
        """At the end of this turn of the loop, so that tasks that are ready now can join."""
        if not self._scheduled:
            self._scheduled = True
            self._loop.call_soon(self._start)

    def _start(self) -> None:
        self._scheduled = False
        if not self._waiting:
            self._idle.set()
            self._catch_up()
            return
        group = self._take_group()
        rows = [row for entry in group for row in entry.rows]
        statements = [statement for entry in group for statement in entry.statements]
        self._began = self._clock.monotonic()
        if not rows and not statements:
            self._finish(group, None)
        elif (record := self._record(group, rows, statements)) is not None:
            self._to_log(group, rows, record)
        elif self._catching_up:
            self._waiting.extendleft(reversed(group))
            self._held_up = True
        else:
            self._to_database(group, rows, statements)

    def _take_group(self) -> list[Entry]:
        group, size_bytes = [self._waiting.popleft()], 0
        while self._waiting and len(group) < _MAX_GROUP and size_bytes < _MAX_GROUP_BYTES:
            size_bytes += group[-1].size_bytes
            group.append(self._waiting.popleft())
        return group

    def _record(
        self, group: list[Entry], rows: list[Row], statements: list[Statement]
    ) -> bytes | None:
        """The group as a record, if it is one for the log."""
        redo = self._tail.redo
        if redo is None or statements or self._commits.must_move:
            return None
        if sum(entry.size_bytes for entry in group) > _RECORD_BYTES:
            return None
        return redo.encode(rows)

    def _to_log(self, group: list[Entry], rows: list[Row], record: bytes) -> None:
        if self._log_pace.quick:
            self._logged(group, rows, record, self._append(record, rows))
            return
        self._in_flight = True

        def landed(error: OSError | None) -> None:
            self._in_flight = False
            self._logged(group, rows, record, error)

        self._run(self._log_thread, partial(self._append, record, rows), landed)

    def _append(self, record: bytes, rows: list[Row]) -> OSError | None:
        started = self._clock.monotonic()
        try:
            self._tail.append(record)
        except OSError as error:
            return error
        took = self._clock.monotonic() - started
        self._log_pace.took(took)
        if took >= self._options.slow_s:
            tell_slow(took, rows, "the disk")
        return None

    def _logged(
        self, group: list[Entry], rows: list[Row], record: bytes, error: OSError | None
    ) -> None:
        if error is None:
            self.commits.add(self._clock.monotonic() - self._began)
            self._tail.add(rows, record)
            _tell(partial(self.after_record, len(record)))
            if self._timer is None:
                self._look_again_in(_MOVE_AFTER_S)
        else:
            self._tail.skip()
            if error.errno == errno.ENOSPC:
                self._commits.mover.full()
                self._commits.must_move = True
        self._finish(group, error)

    def _to_database(
        self, group: list[Entry], rows: list[Row], statements: list[Statement]
    ) -> None:
        moving = self._tail.moving()
        rows, statements = moving.rows + rows, moving.statements + statements
        if len(group) == 1 and self._commits.pace.quick and len(rows) <= _INLINE_ROWS:
            error = self._commits.commit(rows, statements, wait_ms=0)
            if not is_code(error, sqlite3.SQLITE_BUSY):
                self._written(group, moving, error)
                return
        self._in_flight = True

        def landed(error: sqlite3.Error | None) -> None:
            self._in_flight = False
            self._written(group, moving, error)

        self._run(self._thread, self._commit(rows, statements), landed)

    def _written(self, group: list[Entry], moving: Moving, error: sqlite3.Error | None) -> None:
        if error is None:
            self.commits.add(self._clock.monotonic() - self._began)
            self._moved(moving)
        self._finish(group, error)
        if error is None:
            self._told(moving, group)

    def _finish(self, group: list[Entry], error: Failure | None) -> None:
        if error is None:
            for entry in group:
                _tell(entry.committed)
        else:
            self._fail([*group, *self._waiting], error)
            self._waiting.clear()
        if self._broken is not None:
            self._give_up()
        elif not self._waiting:
            self._idle.set()
        else:
            self._start_soon()  # not at once: those just answered may have more to write
        self._catch_up()

    def _fail(self, entries: list[Entry], error: Failure) -> None:
        why = self._refusal(error)
        if isinstance(why, Unusable):
            self._broken = why
        log.error("store commit failed", path=str(self._path), error=str(error))
        for entry in reversed(entries):
            _tell(partial(entry.failed, why))

    def _give_up(self) -> None:
        """Nothing more will be written: refuse all that waits."""
        assert self._broken is not None  # noqa: S101 - for the type
        left, self._waiting = [*self._later, *self._waiting], deque()
        self._later.clear()
        for entry in reversed(left):
            _tell(partial(entry.failed, self._broken))
        if not self._in_flight:
            self._idle.set()

    def _refusal(self, error: Failure) -> StoreError:
        if isinstance(error, OSError):
            return NoSpace() if error.errno == errno.ENOSPC else unusable(self._path, error)
        return refusal(error) or unusable(self._path, error)

    # Catching up

    def _grown_old(self) -> None:
        self._timer = None
        self._old, self._put_off = True, False
        self._catch_up()

    def _look_again_in(self, seconds: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_later(seconds, self._grown_old)

    def _catch_up(self) -> None:
        """Move what the log holds into the database, if it is time, with one entry of `later`."""
        tail = self._tail
        if self._in_flight or self._catching_up or self._held_up or self._broken:
            return
        if not (self._later or ((tail.is_much or self._old) and not self._put_off)):
            return
        entries: list[Entry] = [self._later.popleft()] if self._later else []
        moving = tail.moving()
        statements = moving.statements + [one for entry in entries for one in entry.statements]
        self._catching_up = True
        commit = self._commit(moving.rows, statements)
        self._run(self._thread, commit, partial(self._caught_up, entries, moving))

    def _caught_up(self, entries: list[Entry], moving: Moving, error: sqlite3.Error | None) -> None:
        self._catching_up = self._held_up = False
        if error is None:
            self._moved(moving)
            for entry in entries:
                _tell(entry.committed)
            self._told(moving, entries)
        else:
            self._fail(entries, error)
            # What is in the log is safe there, until the database can take it.
            self._put_off = True
            self._look_again_in(_TRY_AGAIN_S)
        if self._broken is not None:
            self._give_up()
        elif not self._in_flight:
            self._start_soon()

    def _moved(self, moving: Moving) -> None:
        self._tail.moved(moving)
        self._old = self._put_off = False
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if len(self._tail):
            self._look_again_in(_MOVE_AFTER_S)

    def _told(self, moving: Moving, entries: list[Entry]) -> None:
        written = _GROUP_BYTES + moving.size_bytes + sum(entry.size_bytes for entry in entries)
        _tell(lambda: self.after_group(written, not self._waiting))

    def _commit(
        self, rows: list[Row], statements: list[Statement]
    ) -> Callable[[], sqlite3.Error | None]:
        return lambda: self._commits.commit(rows, statements, wait_ms=_LOCKED_WAIT_MS)

    def _run(
        self, thread: ThreadPoolExecutor, work: Callable[[], Result], then: Callable[[Result], None]
    ) -> None:
        done = thread.submit(work)
        done.add_done_callback(lambda it: self._loop.call_soon_threadsafe(then, it.result()))


def _tell(act: Callable[[], None]) -> None:
    """Call back; a fault there is told loudly, and is none of those who come after."""
    try:
        act()
    except Exception:
        log.exception("a callback of a commit failed; the store goes on")
