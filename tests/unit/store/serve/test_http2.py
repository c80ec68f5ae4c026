"""The HTTP/2 connection alone: bytes in, events and bytes out."""

import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.store.serve import frames, hpack
from appliance.store.serve.frames import Code, ConnectionFault, frame
from appliance.store.serve.http2 import (
    CONNECTION_WINDOW,
    MAX_HEADER_BYTES,
    MAX_STREAMS,
    STREAM_WINDOW,
    Connection,
)
from appliance.store.serve.http2_events import Data, Drained, Opened, Reset
from tests.unit.store.serve.h2client import HELLO, Answers, data, headers, request_headers

BLOCK = request_headers("/a.B/C")


@pytest.fixture
def connection() -> Connection:
    made = Connection(lambda: 0.0)
    assert made.receive(HELLO) == []
    made.take()
    return made


def sent(connection: Connection) -> Answers:
    answers = Answers()
    answers.take(connection.take())
    return answers


def kinds(answers: Answers) -> list[int]:
    return [one.kind for one in answers.frames]


def initial_window(size: int) -> bytes:
    return frames.settings({frames.INITIAL_WINDOW_SIZE: size})


def test_settings_come_first_and_are_acknowledged() -> None:
    connection = Connection(lambda: 0.0)
    connection.receive(HELLO)
    answers = sent(connection)
    assert kinds(answers) == [frames.SETTINGS, frames.WINDOW_UPDATE, frames.SETTINGS]
    assert answers.frames[2].flags == frames.ACK


def test_a_request_comes_as_events(connection: Connection) -> None:
    opened, body = connection.receive(headers(1, BLOCK) + data(1, b"abc", end=True))
    assert isinstance(opened, Opened)
    assert dict(opened.headers)[b":path"] == b"/a.B/C"
    assert body == Data(1, b"abc", ended=True)


def test_bytes_may_come_one_by_one() -> None:
    connection = Connection(lambda: 0.0)
    stream = HELLO + headers(1, BLOCK) + data(1, b"abc", end=True)
    events = [event for byte in stream for event in connection.receive(bytes([byte]))]
    assert [type(event) for event in events] == [Opened, Data]


def test_a_header_block_may_come_in_pieces_with_padding_and_priority(
    connection: Connection,
) -> None:
    flags = frames.PADDED | frames.WITH_PRIORITY | frames.END_STREAM
    first = frame(frames.HEADERS, flags, 1, b"\x03" + b"\0" * 5 + BLOCK[:10] + b"\0" * 3)
    middle = frame(frames.CONTINUATION, 0, 1, BLOCK[10:20])
    last = frame(frames.CONTINUATION, frames.END_HEADERS, 1, BLOCK[20:])
    (opened,) = connection.receive(first + middle + last)
    assert isinstance(opened, Opened)
    assert opened.ended
    assert dict(opened.headers)[b":path"] == b"/a.B/C"


def test_padding_of_data_is_no_data_but_uses_the_window(connection: Connection) -> None:
    connection.receive(headers(1, BLOCK))
    padded = frame(frames.DATA, frames.PADDED, 1, b"\x02hi\0\0")
    assert connection.receive(padded) == [Data(1, b"hi", ended=False)]


def test_trailers_end_a_request(connection: Connection) -> None:
    connection.receive(headers(1, BLOCK))
    assert connection.receive(headers(1, b"\x00\x01a\x01b", end=True)) == [Data(1, b"", ended=True)]


def test_pings_are_answered_with_their_bytes(connection: Connection) -> None:
    connection.receive(frame(frames.PING, 0, 0, b"12345678"))
    (pong,) = sent(connection).frames
    assert (pong.kind, pong.flags, pong.payload) == (frames.PING, frames.ACK, b"12345678")
    connection.receive(frame(frames.PING, frames.ACK, 0, b"12345678"))
    assert connection.take() == b""


# Sending


def test_data_wait_for_both_windows(connection: Connection) -> None:
    connection.receive(initial_window(10) + headers(1, BLOCK, end=True))
    connection.take()
    connection.send_headers(1, b"\x88")
    assert connection.send_data(1, b"x" * 25) == 15
    connection.send_trailers(1, b"\x88")
    answers = sent(connection)
    assert 1 not in answers.ended
    connection.receive(frames.window_update(1, 10))
    answers.take(connection.take())
    assert sum(len(f.payload) for f in answers.frames if f.kind == frames.DATA) == 20
    connection.receive(frames.window_update(1, 100))
    answers.take(connection.take())
    assert sum(len(f.payload) for f in answers.frames if f.kind == frames.DATA) == 25
    assert 1 in answers.ended


def test_a_new_initial_window_counts_for_open_streams_by_its_difference(
    connection: Connection,
) -> None:
    connection.receive(initial_window(10) + headers(1, BLOCK, end=True))
    connection.send_data(1, b"x" * 100)
    connection.receive(initial_window(4))  # the stream's window is now -6
    connection.receive(frames.window_update(1, 7))
    answers = sent(connection)
    assert sum(len(f.payload) for f in answers.frames if f.kind == frames.DATA) == 11
    connection.receive(initial_window(93))
    answers.take(connection.take())
    assert sum(len(f.payload) for f in answers.frames if f.kind == frames.DATA) == 100


def test_streams_that_wait_share_what_the_connection_takes(connection: Connection) -> None:
    connection.receive(initial_window(1 << 20))
    for stream_id in (1, 3):
        connection.receive(headers(stream_id, BLOCK, end=True))
        connection.send_data(stream_id, b"x" * 100_000)
    taken = {1: 0, 3: 0}
    answers = sent(connection)
    for _ in range(8):
        connection.receive(frames.window_update(0, 16_384))
        answers.take(connection.take())
    for one in answers.frames:
        if one.kind == frames.DATA:
            assert len(one.payload) <= frames.MIN_FRAME_BYTES
            taken[one.stream_id] += len(one.payload)
    assert sum(taken.values()) == 65_535 + 8 * 16_384
    assert taken[3] > 0


def test_a_full_socket_stops_data_but_not_pings(connection: Connection) -> None:
    connection.receive(headers(1, BLOCK, end=True))
    connection.pause()
    connection.take()
    assert connection.send_data(1, b"x" * 50) == 50
    connection.receive(frame(frames.PING, 0, 0, b"12345678"))
    assert kinds(sent(connection)) == [frames.PING]
    connection.resume()
    assert kinds(sent(connection)) == [frames.DATA]


def test_a_writer_that_waits_is_told_when_the_peer_has_caught_up(connection: Connection) -> None:
    connection.receive(headers(1, BLOCK, end=True))
    connection.send_data(1, b"x" * 200_000)
    assert connection.await_drained(1)
    window = frames.window_update(0, 100_000)
    assert connection.receive(window + frames.window_update(1, 100_000)) == [Drained(1)]


def test_an_answer_before_the_request_ended_tells_the_peer_to_stop(
    connection: Connection,
) -> None:
    connection.receive(headers(1, BLOCK))
    connection.send_headers(1, b"\x88", end=True)
    answers = sent(connection)
    assert 1 in answers.ended
    assert answers.reset[1] == Code.NO_ERROR
    assert connection.receive(data(1, b"late")) == []


def test_windows_are_given_back_as_bytes_are_used(connection: Connection) -> None:
    connection.receive(headers(1, BLOCK))
    for _ in range(STREAM_WINDOW // 16_384):
        connection.receive(data(1, b"x" * 16_384))
    assert not [f for f in sent(connection).frames if f.stream_id == 1]
    connection.used(1, STREAM_WINDOW)
    (given_back,) = sent(connection).frames
    assert given_back.kind == frames.WINDOW_UPDATE
    assert int.from_bytes(given_back.payload, "big") == STREAM_WINDOW


# Bounds and faults


def test_beyond_the_window_the_connection_ends(connection: Connection) -> None:
    connection.receive(headers(1, BLOCK))
    for _ in range(STREAM_WINDOW // 16_384):
        connection.receive(data(1, b"x" * 16_384))
    with pytest.raises(ConnectionFault, match="stream's window"):
        connection.receive(data(1, b"x"))
    assert sent(connection).goaway == Code.FLOW_CONTROL_ERROR
    assert CONNECTION_WINDOW > STREAM_WINDOW


def test_too_many_streams_are_refused_one_by_one(connection: Connection) -> None:
    for number in range(MAX_STREAMS):
        connection.receive(headers(2 * number + 1, BLOCK))
    connection.take()
    last = 2 * MAX_STREAMS + 1
    assert connection.receive(headers(last, BLOCK)) == []
    assert sent(connection).reset == {last: Code.REFUSED_STREAM}


def test_rapid_resets_end_the_connection(connection: Connection) -> None:
    both = [headers(2 * n + 1, BLOCK) + frames.rst_stream(2 * n + 1, 8) for n in range(2000)]
    with pytest.raises(ConnectionFault, match="too many resets"):
        connection.receive(b"".join(both))


def test_whoever_does_not_read_acknowledgements_is_cut(connection: Connection) -> None:
    connection.pause()
    with pytest.raises(ConnectionFault, match="not read"):
        connection.receive(frames.settings({}) * 120_000)


def test_a_reset_is_told(connection: Connection) -> None:
    connection.receive(headers(1, BLOCK))
    assert connection.receive(frames.rst_stream(1, Code.CANCEL)) == [Reset(1)]
    connection.send_data(1, b"nobody reads this")
    assert connection.take() == b""


def test_after_goodbye_no_stream_is_taken(connection: Connection) -> None:
    connection.leave()
    assert sent(connection).goaway == Code.NO_ERROR
    assert connection.receive(headers(1, BLOCK) + data(1, b"x")) == []


def test_a_stream_window_too_large_ends_only_the_stream(connection: Connection) -> None:
    connection.receive(headers(1, BLOCK))
    assert connection.receive(frames.window_update(1, frames.MAX_WINDOW)) == [Reset(1)]
    assert sent(connection).reset == {1: Code.FLOW_CONTROL_ERROR}


HUGE = hpack.literal(b"a", b"x" * (MAX_HEADER_BYTES - 33 + 1))

FAULTS = {
    "no preface": (b"GET / HTTP/1.1\r\n\r\n", Code.PROTOCOL_ERROR),
    "frame too large": (struct.pack(">BHBBI", 1, 0, 0, 0, 1), Code.FRAME_SIZE_ERROR),
    "even stream": (headers(2, BLOCK), Code.PROTOCOL_ERROR),
    "stream 0": (headers(0, BLOCK), Code.PROTOCOL_ERROR),
    "data of no stream": (data(1, b"x"), Code.PROTOCOL_ERROR),
    "data after the end": (headers(1, BLOCK, end=True) + data(1, b"x"), Code.STREAM_CLOSED),
    "headers in mid-stream": (headers(1, BLOCK) + headers(1, BLOCK), Code.PROTOCOL_ERROR),
    "no continuation": (
        frame(frames.HEADERS, 0, 1, BLOCK) + frame(frames.PING, 0, 0, b"12345678"),
        Code.PROTOCOL_ERROR,
    ),
    "lone continuation": (frame(frames.CONTINUATION, 4, 1, BLOCK), Code.PROTOCOL_ERROR),
    "endless continuation": (
        frame(frames.HEADERS, 0, 1, b"x" * 9000) + frame(frames.CONTINUATION, 0, 1, b"x" * 9000),
        Code.ENHANCE_YOUR_CALM,
    ),
    "empty continuation": (
        frame(frames.HEADERS, 0, 1, BLOCK) + frame(frames.CONTINUATION, 0, 1),
        Code.ENHANCE_YOUR_CALM,
    ),
    "header list too large": (headers(1, HUGE), Code.ENHANCE_YOUR_CALM),
    "bad block": (headers(1, b"\x80"), Code.COMPRESSION_ERROR),
    "padding": (frame(frames.DATA, frames.PADDED, 1, b"\x05ab"), Code.PROTOCOL_ERROR),
    "priority size": (frame(frames.PRIORITY, 0, 1, b"\0"), Code.FRAME_SIZE_ERROR),
    "short priority": (
        frame(frames.HEADERS, frames.WITH_PRIORITY | 4, 1, b"\0"),
        Code.FRAME_SIZE_ERROR,
    ),
    "push": (frame(frames.PUSH_PROMISE, 4, 1, b"\0" * 4), Code.PROTOCOL_ERROR),
    "reset size": (frame(frames.RST_STREAM, 0, 1, b"\0"), Code.FRAME_SIZE_ERROR),
    "reset of no stream": (frames.rst_stream(1, 0), Code.PROTOCOL_ERROR),
    "settings size": (frame(frames.SETTINGS, 0, 0, b"\0"), Code.FRAME_SIZE_ERROR),
    "settings of a stream": (frame(frames.SETTINGS, 0, 1), Code.PROTOCOL_ERROR),
    "frame size setting": (frames.settings({frames.MAX_FRAME_SIZE: 1}), Code.PROTOCOL_ERROR),
    "window setting": (initial_window(2**31), Code.FLOW_CONTROL_ERROR),
    "window of 0": (frames.window_update(0, 0), Code.PROTOCOL_ERROR),
    "window too large": (frames.window_update(0, frames.MAX_WINDOW), Code.FLOW_CONTROL_ERROR),
    "window size": (frame(frames.WINDOW_UPDATE, 0, 0, b"\0"), Code.FRAME_SIZE_ERROR),
    "ping size": (frame(frames.PING, 0, 0, b"1"), Code.FRAME_SIZE_ERROR),
}


@pytest.mark.parametrize("name", FAULTS)
def test_faults_end_the_connection_with_a_reason(name: str) -> None:
    stream, code = FAULTS[name]
    connection = Connection(lambda: 0.0)
    if name == "padding":
        stream = headers(1, BLOCK) + stream
    with pytest.raises(ConnectionFault):
        connection.receive(stream if name == "no preface" else HELLO + stream)
    assert sent(connection).goaway == code


# Anything may come

RAW = st.binary(max_size=80)
FRAMES = st.builds(
    frame,
    st.sampled_from([*range(10), 77]),
    st.sampled_from([0, 1, 4, 5, 8, 0x20, 0x2D, 0xFF]),
    st.sampled_from([0, 1, 1, 3, 5, 2, 2**31 - 1]),
    st.one_of(RAW, st.just(BLOCK), st.sampled_from([b"\0\0\0\1", b"12345678", b"\0\4\0\0\0\5"])),
)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.one_of(FRAMES, FRAMES, RAW), max_size=12), st.integers(1, 40))
def test_any_bytes_are_events_or_a_goodbye(pieces: list[bytes], step: int) -> None:
    connection = Connection(lambda: 0.0)
    stream = HELLO + b"".join(pieces)
    answers = Answers()
    code = None
    try:
        for place in range(0, len(stream), step):
            for event in connection.receive(stream[place : place + step]):
                if isinstance(event, Opened):
                    connection.send_headers(event.stream_id, b"\x88")
                    connection.send_data(event.stream_id, b"x" * 100)
                    connection.send_trailers(event.stream_id, b"\x88")
            answers.take(connection.take())
    except ConnectionFault as fault:
        code = fault.code
    answers.take(connection.take())
    assert answers.goaway == code
