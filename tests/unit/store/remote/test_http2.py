"""The client's half of HTTP/2 against the server's half: no socket between them."""

import pytest

from appliance.store.remote.http2 import (
    STREAM_WINDOW,
    ClientConnection,
    Data,
    Gone,
    Headers,
    Leaving,
    Pong,
)
from appliance.store.serve import frames, hpack, http2_events
from appliance.store.serve.frames import ConnectionFault
from appliance.store.serve.http2 import MAX_STREAMS, Connection

HEAD = hpack.encode([(b":method", b"POST"), (b":path", b"/x")])
OK = hpack.literal(b":status", b"200")
END = hpack.literal(b"grpc-status", b"0")


class Pair:
    """Both halves; what one says the other hears."""

    def __init__(self) -> None:
        self.client, self.server = ClientConnection(), Connection(lambda: 0.0)
        self.exchange()

    def exchange(self) -> tuple[list[object], list[object]]:
        """Carry bytes until nobody has anything to say."""
        at_client: list[object] = []
        at_server: list[object] = []
        while True:
            up, down = self.client.take(), self.server.take()
            if not (up or down):
                return at_client, at_server
            at_server += self.server.receive(up)
            at_client += self.client.receive(down)


def test_a_call_and_its_answer() -> None:
    pair = Pair()
    stream = pair.client.open(HEAD)
    pair.client.send(stream, b"hello", end=True)
    _, heard = pair.exchange()
    assert [type(event).__name__ for event in heard] == ["Opened", "Data"]
    assert heard[1] == http2_events.Data(stream, b"hello", ended=True)
    pair.server.answer(stream, OK, b"world", END)
    answer, _ = pair.exchange()
    assert answer == [
        Headers(stream, ((b":status", b"200"),), ended=False),
        Data(stream, b"world", ended=False),
        Headers(stream, ((b"grpc-status", b"0"),), ended=True),
    ]
    assert pair.client.open_streams == 0
    assert pair.client.max_streams == MAX_STREAMS


def test_a_request_larger_than_the_windows_waits_for_room() -> None:
    pair = Pair()
    stream = pair.client.open(HEAD)
    body = bytes(3 << 20)  # the server's window of a stream is 1 MiB
    pair.client.send(stream, body, end=True)
    size = 0
    while size < len(body):
        _, heard = pair.exchange()
        pieces = [event for event in heard if isinstance(event, http2_events.Data)]
        assert pieces, "the server gave room, so something must come"
        for piece in pieces:
            size += len(piece.data)
            pair.server.used(stream, len(piece.data))
    assert size == len(body)
    assert pieces[-1].ended


def test_an_answer_that_is_not_used_stops_at_the_window() -> None:
    pair = Pair()
    stream = pair.client.open(HEAD)
    pair.client.send(stream, b"", end=True)
    pair.exchange()
    pair.server.send_headers(stream, OK)
    pair.server.send_data(stream, bytes(STREAM_WINDOW + 1000))
    heard, _ = pair.exchange()
    assert sum(len(e.data) for e in heard if isinstance(e, Data)) == STREAM_WINDOW
    pair.client.used(stream, STREAM_WINDOW)
    heard, _ = pair.exchange()
    assert sum(len(e.data) for e in heard if isinstance(e, Data)) == 1000


def test_a_server_that_leaves_says_which_calls_it_has_not_looked_at() -> None:
    pair = Pair()
    seen = pair.client.open(HEAD)
    pair.exchange()
    pair.server.leave()
    late = pair.client.open(HEAD)
    heard, _ = pair.exchange()
    assert Leaving() in heard
    assert [event for event in heard if isinstance(event, Gone)] == [
        Gone(late, frames.Code.REFUSED_STREAM, untouched=True)
    ]
    pair.server.answer(seen, OK, b"still answered", END)
    heard, _ = pair.exchange()
    assert Data(seen, b"still answered", ended=False) in heard


def test_a_call_given_up_is_reset_at_the_server() -> None:
    pair = Pair()
    stream = pair.client.open(HEAD)
    pair.exchange()
    pair.client.reset(stream)
    _, heard = pair.exchange()
    assert heard == [http2_events.Reset(stream)]


def test_a_reset_ends_a_call_and_a_ping_is_answered() -> None:
    pair = Pair()
    stream = pair.client.open(HEAD)
    pair.exchange()
    pair.server.reset(stream, frames.Code.INTERNAL_ERROR)
    pair.client.ping()
    heard, _ = pair.exchange()
    assert heard == [Gone(stream, frames.Code.INTERNAL_ERROR, untouched=False), Pong()]


@pytest.mark.parametrize(
    "nonsense",
    [
        b"\xff\xff\xff" + bytes(6),
        frames.frame(frames.CONTINUATION, frames.END_HEADERS, 1, b"x"),
        frames.frame(frames.HEADERS, frames.END_HEADERS, 1, b"\xff"),
        frames.frame(frames.SETTINGS, 0, 0, b"12345"),
        frames.frame(frames.HEADERS, frames.END_HEADERS | frames.WITH_PRIORITY, 1, b"1234"),
        frames.frame(frames.HEADERS, 0, 1, b"") + frames.frame(frames.CONTINUATION, 0, 1, b""),
    ],
)
def test_nonsense_is_refused(nonsense: bytes) -> None:
    client = ClientConnection()
    client.open(HEAD)
    with pytest.raises(ConnectionFault):
        client.receive(nonsense)
