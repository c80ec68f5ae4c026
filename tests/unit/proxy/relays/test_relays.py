"""The relays on this host's loopback: what goes in comes out, ends and resets included."""

import hashlib
import os
import random
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest

from appliance.kit.clock import SystemClock
from appliance.proxy.relays.control import Control
from appliance.proxy.relays.poller import Poller
from tests.lab.cluster import free_port

HERE = "127.0.0.1"
Serve = Callable[[socket.socket], None]


class Room:
    """Relays in a thread, and servers behind them."""

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack
        self.poller = Poller(SystemClock())
        self.control = Control(self.poller, SystemClock(), ["127.0.0.0/8"])
        self._thread = threading.Thread(target=self.poller.run)
        self.port = free_port()

    def start(self, *ends: int, protocol: str = "tcp") -> None:
        self.plan(*ends, protocol=protocol)
        self._thread.start()

    def plan(self, *ends: int, protocol: str = "tcp") -> None:
        plan = {"inside": [[HERE, end] for end in ends]}
        said = {"open": {f"{protocol} {HERE} {self.port}": plan}}
        assert self.control.answer(said) == {"refused": {}}

    def stop(self) -> None:
        self.control.answer({"stop": True})
        if self._thread.ident:
            with socket.socket() as nudge:
                nudge.connect_ex((HERE, self.port))
            self._thread.join(5)
            assert not self._thread.is_alive()

    def server(self, serve: Serve) -> int:
        """A server that handles each connection in a thread."""
        listening = self._stack.enter_context(socket.create_server((HERE, 0), backlog=200))
        pool = self._stack.enter_context(ThreadPoolExecutor(64))

        def accept() -> None:
            while True:
                try:
                    taken, _ = listening.accept()
                except OSError:
                    return
                pool.submit(handle, taken)

        def handle(taken: socket.socket) -> None:
            with taken:
                serve(taken)

        thread = threading.Thread(target=accept)
        thread.start()
        self._stack.callback(thread.join, 5)
        self._stack.callback(listening.shutdown, socket.SHUT_RDWR)
        return int(listening.getsockname()[1])

    def call(self) -> socket.socket:
        return socket.create_connection((HERE, self.port), timeout=5)


@pytest.fixture
def room() -> Iterator[Room]:
    with ExitStack() as stack:
        room = Room(stack)
        stack.callback(room.stop)
        yield room


def echo(taken: socket.socket) -> None:
    while data := taken.recv(65536):
        taken.sendall(data)


def everything(source: socket.socket) -> bytes:
    return b"".join(iter(lambda: source.recv(1 << 16), b""))


@pytest.mark.parametrize("size", [1, 4096, 65535, 65536, 65537, 5_000_000])
def test_what_goes_in_comes_out_and_half_closed_connections_stay(room: Room, size: int) -> None:
    data = random.Random(size).randbytes(size)  # noqa: S311 - a test

    def count_first(taken: socket.socket) -> None:
        got = everything(taken)  # to the client's end, and only then
        taken.sendall(hashlib.sha256(got).digest() + got)

    room.start(room.server(count_first))
    with room.call() as call:
        call.sendall(data)
        call.shutdown(socket.SHUT_WR)
        assert everything(call) == hashlib.sha256(data).digest() + data


def test_bulk_both_ways_at_once_past_slow_readers(room: Room) -> None:
    room.start(room.server(echo))
    data = random.Random(7).randbytes(3_000_000)  # noqa: S311 - a test
    with room.call() as call, ThreadPoolExecutor(1) as pool:
        call.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 16)
        sent = pool.submit(lambda: (call.sendall(data), call.shutdown(socket.SHUT_WR)))
        got = b"".join(iter(lambda: call.recv(10_000), b""))
        sent.result(10)
    assert got == data


def test_who_speaks_first_does_not_matter(room: Room) -> None:
    room.start(room.server(lambda taken: taken.sendall(b"220 hello")))
    for _ in range(20):
        with room.call() as call:
            assert everything(call) == b"220 hello"


def test_many_at_once(room: Room) -> None:
    room.start(room.server(echo), room.server(echo))

    def talk(number: int) -> bool:
        text = f"number {number}".encode()
        with room.call() as call:
            for _ in range(5):
                call.sendall(text)
                got = b""
                while len(got) < len(text):
                    got += call.recv(100)
                if got != text:
                    return False
            return True

    with ThreadPoolExecutor(40) as pool:
        assert all(pool.map(talk, range(200)))


def test_a_reset_is_passed_on(room: Room) -> None:
    def reset(taken: socket.socket) -> None:
        taken.recv(1)
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")

    room.start(room.server(reset))
    with room.call() as call:
        call.sendall(b"x")
        with pytest.raises(ConnectionResetError):
            call.recv(1)


def test_a_dead_endpoint_is_passed_over_and_nobody_left_is_a_reset(room: Room) -> None:
    dead = free_port()
    room.start(dead, room.server(echo))
    for _ in range(6):
        with room.call() as call:
            call.sendall(b"x")
            assert call.recv(1) == b"x"
    room.plan(dead)
    with pytest.raises(ConnectionResetError), room.call() as call:
        call.recv(1)


def test_open_connections_go_on_when_their_front_is_closed(room: Room) -> None:
    room.start(room.server(echo))
    with room.call() as call:
        call.sendall(b"x")
        assert call.recv(1) == b"x"
        room.control.answer({"close": [f"tcp {HERE} {room.port}"]})
        with pytest.raises(ConnectionRefusedError):
            room.call()
        call.sendall(b"y")
        assert call.recv(1) == b"y"


def test_no_descriptor_is_left_of_connections_that_ended(room: Room) -> None:
    def fds() -> int:
        return len(os.listdir("/proc/self/fd"))

    room.start(room.server(echo))
    with room.call() as call:
        call.sendall(b"x")
        call.recv(1)
    before = fds()
    for size in (1, 300_000):
        for _ in range(20):
            with room.call() as call, ThreadPoolExecutor(1) as pool:
                pool.submit(call.sendall, b"x" * size)
                got = 0
                while got < size:
                    got += len(call.recv(1 << 16))
    deadline = SystemClock().monotonic() + 5
    while fds() > before and SystemClock().monotonic() < deadline:
        threading.Event().wait(0.01)
    assert fds() <= before


def test_udp_answers_come_from_the_address_that_was_asked(room: Room) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as end:
        end.bind((HERE, 0))
        end.settimeout(5)
        room.port = free_port()
        plan = {"inside": [[HERE, end.getsockname()[1]]]}
        assert room.control.answer({"open": {f"udp 0.0.0.0 {room.port}": plan}})["refused"] == {}
        room.start(end.getsockname()[1])
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.settimeout(5)
            client.sendto(b"ask", ("127.0.0.2", room.port))
            data, relay = end.recvfrom(100)
            assert data == b"ask"
            end.sendto(b"answer", relay)
            assert client.recvfrom(100) == (b"answer", ("127.0.0.2", room.port))


def test_a_taken_port_is_told_and_others_work(room: Room) -> None:
    with socket.create_server((HERE, 0)) as taken:
        port = taken.getsockname()[1]
        refused = room.control.answer({"open": {f"tcp {HERE} {port}": {"inside": [[HERE, 1]]}}})
    assert list(refused["refused"]) == [f"tcp {HERE} {port}"]
