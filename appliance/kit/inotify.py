"""inotify(7) in the event loop: wait until something in a folder changes, without polling.

Used where files are the wish of people (manifests, image archives). One `FolderWatch` is one
kernel watch and one descriptor; what the kernel says is only ever "look again", so lost or folded
events do no harm. The C library has the calls; Python has not.
"""

import asyncio
import ctypes
import os
import stat
import struct
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

# <sys/inotify.h>
_ATTRIB, _CLOSE_WRITE = 0x4, 0x8
_MOVED_FROM, _MOVED_TO, _CREATE, _DELETE = 0x40, 0x80, 0x100, 0x200
_DELETE_SELF, _MOVE_SELF, _ONLYDIR, _ISDIR = 0x400, 0x800, 0x1000000, 0x40000000
_WHOLE = _CLOSE_WRITE | _MOVED_FROM | _MOVED_TO | _DELETE | _ATTRIB | _DELETE_SELF | _MOVE_SELF
_BUFFER = 1 << 16
_EVENT = struct.Struct("iIII")  # watch, what, cookie, length of the name that follows

_libc = ctypes.CDLL(None, use_errno=True)


class FolderWatch:
    """Rings when a file in a folder was written to its end, moved there or away, or removed.

    A file that is only just being written does not ring: it will when it is closed. Links and
    folders, which nobody closes, ring when they are made.

    Raises:
        OSError: the folder is not there, or the kernel has no watch left.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._changed = asyncio.Event()
        self._fd: int = _libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        if self._fd < 0:
            raise _error("inotify_init1", folder)
        mask = _WHOLE | _CREATE | _ONLYDIR
        if _libc.inotify_add_watch(self._fd, os.fsencode(folder), mask) < 0:
            fault = _error("inotify_add_watch", folder)
            os.close(self._fd)
            raise fault
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._fd, self._drain)

    async def wait(self) -> None:
        """Return after a change since the last `wait`."""
        await self._changed.wait()
        self._changed.clear()

    def close(self) -> None:
        """Let the kernel's watch go."""
        if self._fd >= 0:
            self._loop.remove_reader(self._fd)
            os.close(self._fd)
            self._fd = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _drain(self) -> None:
        try:
            data = os.read(self._fd, _BUFFER)
        except BlockingIOError:
            return
        if any(self._counts(what, name) for what, name in events_of(data)):
            self._changed.set()

    def _counts(self, what: int, name: str) -> bool:
        if what & ~_ISDIR != _CREATE:
            return True
        try:
            made = (self._folder / name).lstat()
        except OSError:
            return True  # gone already
        return not stat.S_ISREG(made.st_mode) or made.st_nlink > 1


def events_of(data: bytes) -> Iterator[tuple[int, str]]:
    """What the kernel wrote → (what happened, name); the name is "" for the folder itself."""
    at = 0
    while at + _EVENT.size <= len(data):
        _, what, _, length = _EVENT.unpack_from(data, at)
        at += _EVENT.size
        yield what, os.fsdecode(data[at : at + length].rstrip(b"\0"))
        at += length


def _error(call: str, folder: Path) -> OSError:
    code = ctypes.get_errno()
    return OSError(code, f"{call}: {os.strerror(code)}", str(folder))
