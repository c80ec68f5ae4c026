"""Room on the disk: some is kept in reserve, given up when the disk is full, taken again later.

Deletes and compactions make room, but have to be written themselves first. So a file without
content holds a few MiB beside the database. When the disk is full it goes, and what it held is for
those; whatever adds data is refused from then on (`NoSpace`). As soon as there is room again, by
whatever means, the file is made anew and everything goes on as before: nobody has to do anything.

Nor may what the logs hold (SQLite's, and the redo log) be more than the file can still grow by, or
they could not be moved: that is looked at as they fill, so the disk counts as full a little before
it is.

Nothing polls: whether there is room is looked at when a refused write asks, once a second at most.
Where there is none yet, the log is moved again: what held it up before may have gone.
"""

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import structlog

from appliance.kit.clock import Clock
from appliance.store.errors import NoSpace

log = structlog.get_logger(__name__)

_LOOK_AGAIN_S = 1.0
_LOOK_BYTES = 64 << 10


class Space:
    """The reserve of one database file."""

    def __init__(self, path: Path, reserve_bytes: int) -> None:
        self.short = False
        """The disk is full: nothing may be added."""
        self.ahead_bytes = 0
        """What the redo log may hold."""
        self.make_room: Callable[[], object] = lambda: None
        """Called when there is no room yet; should move the log and give its room back."""
        self._path = path
        self._reserve = path.with_name(path.name + ".reserve")
        self._reserve_bytes = reserve_bytes
        self._least_bytes = reserve_bytes // 8
        self._given_up_bytes = 0
        self._unlooked_bytes = 0
        self._looked_at = -_LOOK_AGAIN_S

    def prepare(self) -> None:
        """Before the database is opened, which needs a little room, too."""
        if self._reserve_bytes and not self._held() and not self._hold():
            self.full()

    def wrote(self, size_bytes: int) -> None:
        """So much has gone to the log."""
        self._unlooked_bytes += size_bytes
        if self._unlooked_bytes >= _LOOK_BYTES and self._reserve_bytes:
            self._unlooked_bytes = 0
            if self._free_bytes() < self._log_bytes() + self.ahead_bytes:
                self.full()

    def full(self) -> None:
        """A write did not find room."""
        if self._reserve_bytes and not self.short:
            self.short = True
            before = self._free_bytes()
            self._reserve.unlink(missing_ok=True)
            self._given_up_bytes = self._free_bytes() - before
            log.error(
                "disk full: writes that add data are refused until there is room",
                path=str(self._path),
                free_bytes=self._free_bytes(),
            )

    def check(self, clock: Clock) -> None:
        """Refuse what adds data, unless there is room again.

        Raises:
            NoSpace: there is none.
        """
        now = clock.monotonic()
        if now - self._looked_at >= _LOOK_AGAIN_S:
            self._looked_at = now
            least_bytes = self._given_up_bytes + max(self._given_up_bytes, self._log_bytes())
            if self._free_bytes() > least_bytes and self._hold():
                self.short = False
                log.info("room on the disk again: all writes are taken", path=str(self._path))
                return
            self.make_room()
        raise NoSpace

    def is_full(self, clock: Clock) -> bool:
        """Whether what adds data is refused, now that we have looked."""
        if self.short:
            with suppress(NoSpace):
                self.check(clock)
        return self.short

    def _held(self) -> bool:
        try:
            return self._reserve.stat().st_blocks * 512 >= self._least_bytes
        except FileNotFoundError:
            return False

    def _hold(self) -> bool:
        """Take the reserve: half of what is free at most; False if that is next to nothing."""
        size_bytes = min(self._reserve_bytes, self._free_bytes() // 2)
        if size_bytes < self._least_bytes:
            return False
        file = os.open(self._reserve, os.O_WRONLY | os.O_CREAT, 0o600)
        try:
            os.posix_fallocate(file, 0, size_bytes)
        except OSError:
            self._reserve.unlink()
            return False
        finally:
            os.close(file)
        return True

    def _log_bytes(self) -> int:
        try:
            return self._path.with_name(self._path.name + "-wal").stat().st_size
        except FileNotFoundError:
            return 0

    def _free_bytes(self) -> int:
        disk = os.statvfs(self._path.parent)
        return disk.f_bavail * disk.f_frsize
