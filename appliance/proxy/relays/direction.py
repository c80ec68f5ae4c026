"""One direction of a connection: from one socket to another.

`move` is called when there may be something to read, or room to write again; it works until the
kernel has no more for it. Both are told by edges, so it must not stop earlier.
"""

import contextlib
import fcntl
import os
import socket

BUFFER = 64 * 1024
_PIPE = 1024 * 1024  # what a user may ask for by default; less is given where it is forbidden
_FLAGS = socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL
_SPLICE = os.SPLICE_F_NONBLOCK | os.SPLICE_F_MOVE

# One thread relays, and nothing stays here between two calls.
_shared = bytearray(BUFFER)
_view = memoryview(_shared)


class Direction:
    """Copies what comes; `over` when the source has ended and all of it was sent."""

    __slots__ = ("_in_pipe", "_pipe", "_source", "_target", "over", "waiting")

    def __init__(self, source: socket.socket, target: socket.socket) -> None:
        self._source = source
        self._target = target
        self._pipe: tuple[int, int] | None = None
        self._in_pipe = 0
        self.waiting = b""
        """What could not be sent yet; not empty, too, while a pipe is."""
        self.over = False

    def move(self, *, ended: bool) -> None:
        """Send on what there is; `ended` when the source has said that it will send no more.

        Raises:
            OSError: one of the sockets is broken.
        """
        if self.over:
            return
        if self._pipe is not None:
            self._splice(self._pipe)
            return
        if self.waiting:
            sent = _send(self._target, memoryview(self.waiting))
            self.waiting = self.waiting[sent:]
            if self.waiting:
                return
            ended = True  # what came meanwhile told its edge long ago: read to the very end
        self._copy(ended=ended)

    def close(self) -> None:
        """Give the pipe back."""
        if self._pipe is not None:
            os.close(self._pipe[0])
            os.close(self._pipe[1])
            self._pipe = None

    def _copy(self, *, ended: bool) -> None:
        while True:
            try:
                count = self._source.recv_into(_shared, BUFFER, socket.MSG_DONTWAIT)
            except BlockingIOError:
                return
            if not count:
                self._finish()
                return
            sent = _send(self._target, _view[:count])
            if sent < count:
                self.waiting = bytes(_view[sent:count])
                return
            if count == BUFFER:
                self._splice(self._open_pipe())
                return
            if not ended:
                return  # less than was asked for: the kernel has no more

    def _open_pipe(self) -> tuple[int, int]:
        self._pipe = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        with contextlib.suppress(OSError):  # the usual size does, with more calls
            fcntl.fcntl(self._pipe[1], fcntl.F_SETPIPE_SZ, _PIPE)
        self._source.setblocking(False)  # a pipe's flags are not asked at a socket
        self._target.setblocking(False)
        return self._pipe

    def _splice(self, pipe: tuple[int, int]) -> None:
        read_end, write_end = pipe
        source, target = self._source.fileno(), self._target.fileno()
        ended = False
        while True:
            if not ended and self._in_pipe < _PIPE:
                try:
                    count = os.splice(source, write_end, _PIPE - self._in_pipe, flags=_SPLICE)
                except BlockingIOError:
                    if not self._in_pipe:
                        self.waiting = b""
                        return
                else:
                    ended = not count
                    self._in_pipe += count
            if self._in_pipe:
                try:
                    self._in_pipe -= os.splice(read_end, target, self._in_pipe, flags=_SPLICE)
                except BlockingIOError:
                    self.waiting = b"in the pipe"
                    return
            if ended and not self._in_pipe:
                self.waiting = b""
                self._finish()
                return

    def _finish(self) -> None:
        self.over = True
        self._target.shutdown(socket.SHUT_WR)


def _send(target: socket.socket, data: memoryview) -> int:
    """Send what there is room for."""
    try:
        return target.send(data, _FLAGS)
    except BlockingIOError:
        return 0
