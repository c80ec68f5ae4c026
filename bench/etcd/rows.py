"""What is measured: each row asks one server for one figure.

`__main__` asks both servers in turn, several times, and sets the medians side by side.
"""

import random
import select
import struct
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count

from bench.etcd import wire
from bench.etcd.load import ClosedLoop, Connection, Took, closed_loop, for_seconds, random_keys
from bench.etcd.servers import Server

VALUE = random.Random(1).randbytes(256)
KEYS = 10_000
_MARK = b"\x01sent-at\x01"


@dataclass(frozen=True)
class Figure:
    """One figure and, beside a rate, what a call took."""

    value: float
    p50_ms: float = 0.0
    p99_ms: float = 0.0
    cpu_us: float = 0.0


@dataclass(frozen=True)
class Row:
    """A figure with its name; `rounds` 0 stands for as many as are asked for."""

    name: str
    unit: str
    measure: Callable[[Server], Figure]
    more_is_better: bool = True
    rounds: int = 0


def _loaded(server: Server, run: Callable[[], Took]) -> Figure:
    before = server.usage().cpu_s
    took = run()
    cpu_s = server.usage().cpu_s - before
    calls = max(1, len(took.latencies))
    return Figure(
        took.rate, took.quantile_ms(0.5), took.quantile_ms(0.99), cpu_s / calls * 1_000_000
    )


def put(connections: int, flight: int, value: bytes = VALUE) -> Callable[[Server], Figure]:
    """Puts of 256 B."""
    calls = random_keys(KEYS, wire.put(value))
    return lambda server: _loaded(
        server, lambda: closed_loop(server.port, (connections, flight), calls)
    )


def get(flight: int) -> Callable[[Server], Figure]:
    """Linearizable ranges of one key."""
    calls = random_keys(KEYS, wire.get())
    return lambda server: _loaded(server, lambda: closed_loop(server.port, (1, flight), calls))


def page(flight: int) -> Callable[[Server], Figure]:
    """Ranges of 500 keys."""
    template = wire.page(500)
    return lambda server: _loaded(
        server, lambda: closed_loop(server.port, (1, flight), lambda _: (template, b"", b""))
    )


def compare_and_set(flight: int) -> Callable[[Server], Figure]:
    """Transactions "if it is still as I know it, write": each has a key of its own.

    The revision a key has got comes with the answer, so this loop reads answers.
    """

    def run(server: Server) -> Took:
        connection = Connection(server.port)
        connection.keep = True
        latencies: list[float] = []
        known = [0] * flight
        places: dict[int, tuple[int, float]] = {}

        def ask(place: int) -> bytes:
            key = wire.KEY % (KEYS + place)
            template = wire.compare_and_set(key, known[place], VALUE)
            stream_id, data = connection.call(template)
            places[stream_id] = (place, time.perf_counter())
            return data

        for place in range(flight):
            once = connection.once(wire.put_of(wire.KEY % (KEYS + place), VALUE))
            known[place] = wire.header_revision(once)
        connection.keep = True
        started = time.perf_counter()
        until = for_seconds(2.0)
        connection.send(b"".join(ask(place) for place in range(flight)))
        ended_at = 0.0
        while places:
            out = []
            for stream_id in connection.read():
                place, at = places.pop(stream_id)
                latencies.append(time.perf_counter() - at)
                answer = bytes(connection.received.pop(stream_id))
                if not wire.succeeded(answer):
                    raise RuntimeError("a compare that must hold did not")
                known[place] = wire.header_revision(answer)
                if not until():
                    out.append(ask(place))
                elif not ended_at:
                    ended_at = time.perf_counter()
            if out:
                connection.send(b"".join(out))
        connection.socket.close()
        return Took(ended_at - started, latencies)

    return lambda server: _loaded(server, lambda: run(server))


def count_all(server: Server) -> Figure:
    """Count of all keys, one call after the other."""
    template = wire.count()
    return _loaded(server, lambda: closed_loop(server.port, (1, 1), lambda _: (template, b"", b"")))


def fill(server: Server, keys: int, value: bytes, first: int = 0) -> None:
    """Write many keys in transactions that fit a stream's first window."""
    step = max(1, min(100, 48_000 // (len(value) + 40)))
    numbers = range(first, first + keys, step)
    templates = (wire.fill(n, min(step, first + keys - n), value) for n in numbers)
    closed_loop(
        server.port, (1, 4), lambda _: (next(templates), b"", b""), seconds=600, limit=len(numbers)
    )


def fan_out(watchers: int, pause_s: float, puts: int) -> Callable[[Server], Figure]:
    """From a put being sent until each watcher has it; the rate is events per second."""

    def run(server: Server) -> Figure:
        key = b"watched/%d" % random.Random().getrandbits(40)
        connections = [Connection(server.port) for _ in range(10)]
        for connection in connections:
            for _ in range(watchers // len(connections)):
                connection.open_stream(wire.WATCH, wire.watch(key, key + b"\xff"))
        tally = _Tally(connections)
        tally.wait_for_bytes(watchers)
        writer = Connection(server.port)
        before = server.usage().cpu_s
        started = time.perf_counter()
        pauses = count(1)

        def call(_: int) -> tuple[wire.Template, bytes, bytes]:
            wait = started + next(pauses) * pause_s - time.perf_counter()
            if wait > 0:
                time.sleep(wait)
            value = _MARK + struct.pack("<d", time.perf_counter()) + bytes(200) + b"."
            return wire.put_of(key + b"/1", value), b"", b""

        thread = threading.Thread(
            target=lambda: ClosedLoop([writer], 1, call).run(for_seconds(60), puts)
        )
        thread.start()
        tally.wait_for_events(puts * watchers)
        seconds = time.perf_counter() - started
        thread.join()
        cpu_s = server.usage().cpu_s - before
        for connection in (*connections, writer):
            connection.socket.close()
        took = Took(seconds, tally.latencies)
        cpu_us = cpu_s / (puts * watchers) * 1_000_000
        return Figure(took.rate, took.quantile_ms(0.5), took.quantile_ms(0.99), cpu_us)

    return run


class _Tally:
    """Counts what watchers are told."""

    def __init__(self, connections: list[Connection]) -> None:
        self._connections = {c.socket.fileno(): c for c in connections}
        self._poll = select.epoll()
        for fd, connection in self._connections.items():
            connection.keep = True
            self._poll.register(fd, select.EPOLLIN)
        self.latencies: list[float] = []

    def wait_for_bytes(self, streams: int) -> None:
        """Until every watch has been said to be open."""
        seen: set[tuple[int, int]] = set()
        while len(seen) < streams:
            for fd in self._read():
                seen |= {(fd, stream_id) for stream_id in self._connections[fd].received}
                self._connections[fd].received.clear()

    def wait_for_events(self, events: int) -> None:
        """Until so many have come."""
        while len(self.latencies) < events:
            for fd in self._read():
                self._take(self._connections[fd])

    def _read(self) -> list[int]:
        ready = [fd for fd, _ in self._poll.poll(60)]
        if not ready:
            raise RuntimeError("watchers were told nothing for a minute")
        for fd in ready:
            self._connections[fd].read()
        return ready

    def _take(self, connection: Connection) -> None:
        now = time.perf_counter()
        for data in connection.received.values():
            at = data.find(_MARK)
            while at >= 0:
                (sent,) = struct.unpack_from("<d", data, at + len(_MARK))
                self.latencies.append(now - sent)
                at = data.find(_MARK, at + 1)
        connection.received.clear()


def puts_during(
    begin: Callable[[Server, Connection], None], flight: int = 10
) -> Callable[[Server], Figure]:
    """p99 of puts while something large goes on; the value is p99 in ms."""

    def run(server: Server) -> Figure:
        other = Connection(server.port)
        calls = random_keys(KEYS, wire.put(VALUE))
        over = threading.Event()

        def work() -> None:
            begin(server, other)
            over.set()

        thread = threading.Thread(target=work)
        before = server.usage().cpu_s
        least = for_seconds(2.0)
        loop = ClosedLoop([Connection(server.port)], flight, calls)
        thread.start()
        took = loop.run(lambda: over.is_set() and least())
        thread.join()
        cpu_us = (server.usage().cpu_s - before) / len(took.latencies) * 1_000_000
        p99 = took.quantile_ms(0.99)
        return Figure(p99, took.quantile_ms(0.5), max(took.latencies) * 1000, cpu_us)

    return run


def compaction(server: Server, connection: Connection) -> None:
    """Compact everything."""
    del server
    revision = wire.header_revision(connection.once(wire.count()))
    connection.once(wire.compact(revision))


def take_snapshot(server: Server, connection: Connection) -> None:
    """Read a snapshot to its end."""
    del server
    connection.keep = False
    stream_id, data = connection.call(wire.snapshot())
    connection.send(data)
    while stream_id not in connection.read():
        pass


def written_per_put(connections: int, flight: int) -> Callable[[Server], Figure]:
    """Bytes that reach the disk for a put of 1 KiB."""

    def run(server: Server) -> Figure:
        before = server.usage().written_bytes
        calls = random_keys(KEYS, wire.put(random.Random(2).randbytes(1024)))
        took = closed_loop(server.port, (connections, flight), calls, seconds=3.0)
        time.sleep(1.0)  # what is moved after a burst belongs to it
        return Figure((server.usage().written_bytes - before) / len(took.latencies))

    return run


def memory(server: Server) -> Figure:
    """Resident memory after all that went before."""
    return Figure(server.usage().rss_bytes / (1 << 20))


def disk(server: Server) -> Figure:
    """What the folder takes."""
    return Figure(server.size_bytes() / (1 << 20))


def restart(server: Server) -> Figure:
    """Seconds from the start of the process until it answers."""
    server.stop()
    return Figure(server.start())
