"""A lean gRPC client over raw sockets: closed loops, and what they took.

`Connection` walks the frames that come and makes nothing of them but "this stream has ended".
`closed_loop` keeps a number of calls in flight over a number of connections for a while. It uses
about 5 us of CPU a call, so that on two cores the server is what is measured.
"""

import select
import socket
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count

from bench.etcd import wire
from bench.etcd.wire import Template

_READ = 1 << 18
_GIVE_BACK = 1 << 24  # the connection's window is filled up again after so many bytes
_LONG_S = 60.0

Next = Callable[[int], tuple[Template, bytes, bytes]]
"""The call of a number: template, key, value."""


class Connection:
    """One connection; `received` is what streams have brought (only of those asked for)."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.sendall(wire.hello())
        self.keep = False
        self.received: dict[int, bytearray] = {}
        self.refused = 0
        self._in = b""
        self._next_stream = 1
        self._known_path = b""
        self._window = 65_535
        self._waiting = b""
        self._unanswered_bytes = 0

    def call(self, template: Template, key: bytes = b"", value: bytes = b"") -> tuple[int, bytes]:
        """A call's stream and its bytes."""
        stream_id, self._next_stream = self._next_stream, self._next_stream + 2
        block = wire.NEXT_BLOCK
        if template.path != self._known_path:
            self._known_path = template.path
            block = wire.first_block(template.path)
        return stream_id, template.bytes_for(stream_id, block, key, value)

    def send(self, data: bytes) -> None:
        """Send calls as the connection's window lets them."""
        waiting = self._waiting + data if self._waiting else data
        room, counted = _whole(waiting, self._window)
        self._waiting = waiting[room:]
        self._window -= counted
        if room:
            self.socket.sendall(waiting[:room])

    def open_stream(self, path: bytes, message: bytes) -> int:
        """Begin a call that goes on."""
        stream_id, self._next_stream = self._next_stream, self._next_stream + 2
        block = wire.NEXT_BLOCK if path == self._known_path else wire.first_block(path)
        self._known_path = path
        self.socket.sendall(
            wire.frame(1, 4, stream_id, block) + wire.frame(0, 0, stream_id, message)
        )
        return stream_id

    def read(self) -> list[int]:
        """Read once; gives the streams that have ended."""
        data = self.socket.recv(_READ)
        if not data:
            raise ConnectionError("the server closed the connection")
        if self._unanswered_bytes > _GIVE_BACK:
            self.socket.sendall(wire.frame(8, 0, 0, self._unanswered_bytes.to_bytes(4, "big")))
            self._unanswered_bytes = 0
        return self._walk(self._in + data if self._in else data)

    def _walk(self, data: bytes) -> list[int]:
        ended: list[int] = []
        place, end = 0, len(data)
        while end - place >= 9:
            after = place + 9 + (data[place] << 16 | data[place + 1] << 8 | data[place + 2])
            if after > end:
                break
            kind, flags = data[place + 3], data[place + 4]
            if kind <= 1:
                stream_id = int.from_bytes(data[place + 5 : place + 9], "big")
                if kind == 0:
                    self._unanswered_bytes += after - place - 9
                if kind == 0 and self.keep:
                    self.received.setdefault(stream_id, bytearray()).extend(data[place + 9 : after])
                if flags & 1:
                    ended.append(stream_id)
                    # A refusal says so in its trailers, and they are longer than "grpc-status: 0".
                    self.refused += kind == 1 and b"grpc-message" in data[place + 9 : after]
            else:
                self._control(kind, flags, data[place + 5 : after])
            place = after
        self._in = data[place:]
        return ended

    def _control(self, kind: int, flags: int, rest: bytes) -> None:
        stream_id, payload = int.from_bytes(rest[:4], "big"), rest[4:]
        if kind == 8 and stream_id == 0:
            self._window += int.from_bytes(payload, "big")
            if self._waiting:
                self.send(b"")
        elif kind == 4 and not flags & 1:
            self.socket.sendall(wire.frame(4, 1, 0))
        elif kind == 6 and not flags & 1:
            self.socket.sendall(wire.frame(6, 1, 0, payload))
        elif kind in {3, 7}:
            raise ConnectionError(f"the server gave up (frame {kind}): {payload!r}")

    def once(self, template: Template) -> bytes:
        """One call, its answer's bytes."""
        stream_id, data = self.call(template)
        self.keep = True
        self.send(data)
        while stream_id not in self.read():
            pass
        self.keep = False
        return bytes(self.received.pop(stream_id, b""))


def _whole(data: bytes, window: int) -> tuple[int, int]:
    """Bytes of the whole frames that a window lets through, and what they use of it.

    Whole, because control frames may come between frames only.
    """
    place = counted = 0
    while place < len(data):
        size = data[place] << 16 | data[place + 1] << 8 | data[place + 2]
        if not data[place + 3]:  # DATA
            if counted + size > window:
                break
            counted += size
        place += 9 + size
    return place, counted


@dataclass
class Took:
    """What calls took."""

    seconds: float
    latencies: list[float] = field(repr=False)

    @property
    def rate(self) -> float:
        """Calls per second."""
        return len(self.latencies) / self.seconds

    def quantile_ms(self, q: float) -> float:
        """A quantile of the latencies."""
        ordered = sorted(self.latencies)
        return ordered[min(len(ordered) - 1, int(len(ordered) * q))] * 1000 if ordered else 0.0


class ClosedLoop:
    """`flight` calls in flight on each connection: who has an answer asks again."""

    def __init__(self, connections: list[Connection], flight: int, calls: Next) -> None:
        self._connections = {c.socket.fileno(): c for c in connections}
        self._flight = flight
        self._calls = calls
        self._numbers = count()
        self._sent: dict[int, dict[int, float]] = {fd: {} for fd in self._connections}
        self.latencies: list[float] = []

    def run(self, until: Callable[[], bool], limit: int = 0) -> Took:
        """Go on until told (or until so many calls were sent), then wait for what is under way."""
        started = time.perf_counter()
        left = limit or sys.maxsize
        poll = select.epoll()
        for fd, connection in self._connections.items():
            poll.register(fd, select.EPOLLIN)
            left -= self._ask(fd, connection, min(left, self._flight))
        ended_at = 0.0
        while any(self._sent.values()):
            ready = poll.poll(_LONG_S)
            if not ready:
                raise RuntimeError(f"no answer came for a long time from {self._peers()}")
            for fd, _ in ready:
                connection = self._connections[fd]
                done = self._answered(fd, connection.read())
                if done and not ended_at and (until() or not left):
                    ended_at = time.perf_counter()
                elif done and not ended_at:
                    left -= self._ask(fd, connection, min(left, done))
        poll.close()
        refused = sum(c.refused for c in self._connections.values())
        if refused:
            raise RuntimeError(f"{refused} calls were refused")
        return Took((ended_at or time.perf_counter()) - started, self.latencies)

    def _peers(self) -> set[str]:
        return {str(c.socket.getpeername()) for c in self._connections.values()}

    def _ask(self, fd: int, connection: Connection, many: int) -> int:
        now, sent, out = time.perf_counter(), self._sent[fd], []
        for _ in range(many):
            stream_id, data = connection.call(*self._calls(next(self._numbers)))
            sent[stream_id] = now
            out.append(data)
        connection.send(b"".join(out))
        return many

    def _answered(self, fd: int, ended: list[int]) -> int:
        now, sent = time.perf_counter(), self._sent[fd]
        took = [now - at for stream_id in ended if (at := sent.pop(stream_id, 0.0))]
        self.latencies += took
        return len(took)


def for_seconds(seconds: float) -> Callable[[], bool]:
    """A closed loop's end by time."""
    end = time.perf_counter() + seconds
    return lambda: time.perf_counter() >= end


def closed_loop(
    port: int, shape: tuple[int, int], calls: Next, *, seconds: float = 2.0, limit: int = 0
) -> Took:
    """Run one on fresh connections; `shape`: how many, and calls in flight on each."""
    opened = [Connection(port) for _ in range(shape[0])]
    try:
        return ClosedLoop(opened, shape[1], calls).run(for_seconds(seconds), limit)
    finally:
        for connection in opened:
            connection.socket.close()


def random_keys(keys: int, template: Template, value: bytes = b"") -> Next:
    """The same call with keys in no order (a prime step visits them all)."""
    return lambda number: (template, wire.KEY % (number * 7919 % keys), value)
