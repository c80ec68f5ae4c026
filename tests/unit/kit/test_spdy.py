"""SPDY/3.1 frames and their header blocks."""

import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.kit.spdy import (
    Data,
    Event,
    FrameReader,
    FrameWriter,
    GoAway,
    NotSpdy,
    Opened,
    Ping,
    Reset,
)
from appliance.kit.spdy_headers import (
    BLOCK_BYTES,
    DICTIONARY,
    BadHeaders,
    HeaderReader,
    HeaderWriter,
)

HEADERS = {"streamtype": "data", "port": "80", "requestid": "0"}

NAMES = st.text("abcdefghijklmnopqrstuvwxyz-", min_size=1)


def test_the_dictionary_is_the_protocols() -> None:
    assert len(DICTIONARY) == 1423
    assert zlib.adler32(DICTIONARY) == 0xE3C6A7C2


@given(st.lists(st.dictionaries(NAMES, st.text("abc 123/", max_size=50)), max_size=5))
def test_blocks_go_on_where_the_one_before_ended(blocks: list[dict[str, str]]) -> None:
    writer, reader = HeaderWriter(), HeaderReader()
    assert [reader.read(writer.write(block)) for block in blocks] == blocks


def test_blocks_that_swell_or_lie_are_refused() -> None:
    swollen = HeaderWriter().write({"x": "y" * BLOCK_BYTES})
    assert len(swollen) < 1000
    with pytest.raises(BadHeaders):
        HeaderReader().read(swollen)
    for block in (b"", b"nonsense", zlib.compress(b"\0\0\0\1")):
        with pytest.raises(BadHeaders):
            HeaderReader().read(block)


def said() -> tuple[bytes, list[Event]]:
    """A conversation, and what is to be heard of it."""
    writer = FrameWriter()
    parts = [
        writer.open(1, HEADERS),
        writer.open(3, {"streamType": "error"}, fin=True),
        writer.data(1, b"some bytes"),
        bytes.fromhex("80030009 00000008 00000001 00001000"),  # WINDOW_UPDATE
        bytes.fromhex("80030004 00000004 00000000"),  # SETTINGS without any
        writer.ping(7),
        writer.data(1, b"", fin=True),
        writer.reset(3, 5),
        bytes.fromhex("80030007 00000008 00000001 00000000"),  # GOAWAY
    ]
    return b"".join(parts), [
        Opened(1, HEADERS),
        Opened(3, {"streamtype": "error"}, fin=True),
        Data(1, b"some bytes"),
        Ping(7),
        Data(1, b"", fin=True),
        Reset(3, 5),
        GoAway(),
    ]


def joined(events: list[Event]) -> list[Event]:
    """Parts of one data frame put together again."""
    whole: list[Event] = []
    for event in events:
        last = whole[-1] if whole else None
        same = isinstance(event, Data) and isinstance(last, Data) and event.data and last.data
        if same and isinstance(event, Data) and isinstance(last, Data):
            whole[-1] = Data(last.stream, last.data + event.data, event.fin)
        else:
            whole.append(event)
    return whole


@pytest.mark.parametrize("step", [1, 3, 7, 1000])
def test_frames_are_heard_however_they_are_cut(step: int) -> None:
    wire, wanted = said()
    reader, heard = FrameReader(), list[Event]()
    for at in range(0, len(wire), step):
        heard += reader.feed(wire[at : at + step])
    assert joined(heard) == wanted


def test_data_is_given_on_in_parts_and_only_the_last_ends_the_stream() -> None:
    frame = FrameWriter.data(1, b"abcdef", fin=True)
    reader = FrameReader()
    assert reader.feed(frame[:10]) == [Data(1, b"ab")]
    assert reader.feed(frame[10:]) == [Data(1, b"cdef", fin=True)]


@pytest.mark.parametrize(
    "wire",
    [
        bytes.fromhex("80020001 00000000"),  # SPDY/2
        bytes.fromhex("80030001 00ffffff"),  # a control frame of 16 MB
        bytes.fromhex("80030001 00000004 00000001"),  # a stream without headers
        bytes.fromhex("80030003 00000004 00000001"),  # a reset without a status
    ],
)
def test_nonsense_ends_it(wire: bytes) -> None:
    with pytest.raises(NotSpdy):
        FrameReader().feed(wire)


@given(st.binary(max_size=200))
def test_any_bytes_are_either_frames_or_refused(wire: bytes) -> None:
    try:
        FrameReader().feed(wire)
    except NotSpdy:
        return
