"""Pings: who sends too many is told so, who answers none is let go."""

import asyncio

import pytest

from appliance.store.serve import frames
from appliance.store.serve.frames import Code, ConnectionFault, frame
from appliance.store.serve.http2 import Connection
from appliance.store.serve.keepalive import ANSWER_S, IDLE_S, Heartbeat
from tests.unit.store.serve import h2client
from tests.unit.store.serve.h2client import HELLO, Answers

PING = frame(frames.PING, 0, 0, b"12345678")
BLOCK = h2client.request_headers("/x/Y")


class Time:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def connection(time: Time) -> Connection:
    made = Connection(time)
    made.receive(HELLO)
    made.take()
    return made


def _pings(connection: Connection, time: Time, *, apart_s: float, count: int) -> None:
    for _ in range(count):
        time.now += apart_s
        connection.receive(PING)


def test_pings_far_enough_apart_are_answered_for_ever(connection: Connection, time: Time) -> None:
    connection.receive(h2client.headers(1, BLOCK))
    _pings(connection, time, apart_s=5.0, count=50)


def test_pings_too_close_end_the_connection(connection: Connection, time: Time) -> None:
    connection.receive(h2client.headers(1, BLOCK))
    _pings(connection, time, apart_s=10.0, count=1)
    _pings(connection, time, apart_s=1.0, count=2)
    with pytest.raises(ConnectionFault, match="too_many_pings"):
        connection.receive(PING)
    answers = Answers()
    answers.take(connection.take())
    assert answers.goaway == Code.ENHANCE_YOUR_CALM
    assert any(one.payload.endswith(b"too_many_pings") for one in answers.frames)


def test_a_client_without_calls_may_hardly_ping_at_all(connection: Connection, time: Time) -> None:
    _pings(connection, time, apart_s=60.0, count=3)
    with pytest.raises(ConnectionFault, match="too_many_pings"):
        _pings(connection, time, apart_s=60.0, count=1)


def test_whoever_is_sent_something_may_ping(connection: Connection) -> None:
    connection.receive(h2client.headers(1, BLOCK))
    connection.send_headers(1, BLOCK)
    for _ in range(20):  # as clients do that measure how much is under way
        connection.send_data(1, b"x")
        connection.receive(PING)
        connection.receive(PING)


class Peer:
    def __init__(self) -> None:
        self.pinged = 0
        self.lost = 0
        self.heartbeat = Heartbeat(self._ping, self._lose)

    def _ping(self) -> None:
        self.pinged += 1

    def _lose(self) -> None:
        self.lost += 1


@pytest.mark.looptime
async def test_a_silent_peer_is_asked_and_then_let_go() -> None:
    peer = Peer()
    await asyncio.sleep(IDLE_S + 1)
    assert (peer.pinged, peer.lost) == (1, 0)
    await asyncio.sleep(ANSWER_S)
    assert (peer.pinged, peer.lost) == (1, 1)


@pytest.mark.looptime
async def test_a_peer_that_answers_stays() -> None:
    peer = Peer()
    for _ in range(3):
        await asyncio.sleep(IDLE_S + 1)
        peer.heartbeat.heard = True
        await asyncio.sleep(ANSWER_S)
    assert peer.lost == 0
    assert peer.pinged >= 2
    peer.heartbeat.stop()


@pytest.mark.looptime
async def test_a_busy_peer_is_not_asked() -> None:
    peer = Peer()
    for _ in range(10):
        peer.heartbeat.heard = True
        await asyncio.sleep(IDLE_S)
    assert peer.pinged == 0
    peer.heartbeat.stop()
