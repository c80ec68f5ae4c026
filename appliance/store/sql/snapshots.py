"""Good copies of the file, for the day on which it is damaged (`upkeep.rescue` goes back to one).

Once a day, if something is written, a thread copies what has been committed (one read
transaction; writers go on), checks every page of the copy, and only then gives it its name. The
two newest are kept. Made only if it leaves room: a copy must never be what fills the disk.

Costs: the size of the database once a day, in writes and twice on disk; nothing while idle.
"""

import contextlib
import os
import sqlite3
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import structlog

from appliance.kit.clock import Clock

log = structlog.get_logger(__name__)

_FIRST_S = 300.0  # after the start, when none is there or the last is too old
_ROOM_FACTOR = 4  # free space that a copy must leave, in its own sizes


def snapshots_of(path: Path) -> list[Path]:
    """The copies that are there, the newest first."""
    names = (path.with_name(path.name + end) for end in (".good", ".good.old"))
    return [name for name in names if name.exists()]


class Snapshots:
    """Makes them, for one file."""

    def __init__(self, path: Path, every_s: float, clock: Clock) -> None:
        self._path = path
        self._every_s = every_s
        self._clock = clock
        self._thread = ThreadPoolExecutor(1, "store-snapshot")
        self._running: Future[None] | None = None
        known = snapshots_of(path)
        age_s = clock.wall() - known[0].stat().st_mtime if known else every_s
        self._due = clock.monotonic() + max(_FIRST_S, every_s - age_s)

    def written(self) -> None:
        """Something has been committed."""
        if self._every_s and self._clock.monotonic() >= self._due:
            self._due = self._clock.monotonic() + self._every_s
            self._running = self._thread.submit(self._run)

    def close(self) -> None:
        """Wait for the one that runs."""
        self._thread.shutdown()

    def _run(self) -> None:
        partial = self._path.with_name(self._path.name + ".partial")
        try:
            take(self._path, partial)
        except (OSError, sqlite3.Error) as error:
            log.warning("no copy of the store was made", path=str(self._path), error=str(error))
        finally:
            partial.unlink(missing_ok=True)


def take(path: Path, partial: Path) -> None:
    """Copy, check, name.

    Raises:
        OSError, sqlite3.Error: there is no room, or the copy is not whole.
    """
    log_file = path.with_name(path.name + "-wal")
    size_bytes = path.stat().st_size + (log_file.stat().st_size if log_file.exists() else 0)
    disk = os.statvfs(path.parent)
    if disk.f_bavail * disk.f_frsize < _ROOM_FACTOR * size_bytes:
        raise OSError(f"a copy of {size_bytes >> 20} MiB would leave too little room")
    partial.touch(mode=0o600)
    with contextlib.closing(sqlite3.connect(path)) as source:
        source.execute("PRAGMA query_only = 1")
        with contextlib.closing(sqlite3.connect(partial)) as copy:
            source.backup(copy)
            copy.execute("PRAGMA journal_mode = DELETE")
            found = copy.execute("PRAGMA quick_check(1)").fetchone()[0]
    if found != "ok":
        raise sqlite3.DatabaseError(f"the copy is damaged: {found}")
    newest, older = (path.with_name(path.name + end) for end in (".good", ".good.old"))
    _sync(partial)
    if newest.exists():
        newest.replace(older)
    partial.replace(newest)
    _sync(path.parent)
    log.info(
        "a good copy of the store was made", path=str(newest), size_bytes=newest.stat().st_size
    )


def _sync(path: Path) -> None:
    file = os.open(path, os.O_RDONLY)
    try:
        os.fsync(file)
    finally:
        os.close(file)
