"""Bytes from an engine become chunks and lines, however they are cut."""

import asyncio
import http
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.node.runtimes.base import LogChunk, NotThere, RuntimeFault, Unreachable
from appliance.node.runtimes.streams import EngineStreams, Frames, Lines

STREAMS = {1: "stdout", 2: "stderr"}


def frame(stream: int, data: bytes) -> bytes:
    return bytes([stream, 0, 0, 0]) + len(data).to_bytes(4, "big") + data


@given(
    st.lists(st.tuples(st.sampled_from([1, 2]), st.binary(max_size=30)), max_size=8),
    st.lists(st.integers(min_value=1, max_value=11), max_size=60),
)
def test_frames_are_the_same_however_the_network_cuts_them(
    said: list[tuple[int, bytes]], cuts: list[int]
) -> None:
    data, frames, chunks = b"".join(frame(*f) for f in said), Frames(), []
    for cut in [*cuts, len(data)]:
        chunks += frames.feed(data[:cut])
        data = data[cut:]

    for number, name in STREAMS.items():
        got = b"".join(c.data for c in chunks if c.stream == name)
        assert got == b"".join(d for n, d in said if n == number)


def test_a_long_frame_is_passed_on_before_it_is_complete() -> None:
    frames = Frames()
    assert frames.feed(frame(2, b"x" * 100)[:50]) == [LogChunk("stderr", b"x" * 42)]


@given(st.lists(st.integers(min_value=1, max_value=9), max_size=30))
def test_lines_are_values_however_they_are_cut(cuts: list[int]) -> None:
    data, lines, values = b'{"a": 1}\n{"b": "x"}\n\n{"c": 3}\n', Lines(), []
    for cut in [*cuts, len(data)]:
        values += lines.feed(data[:cut])
        data = data[cut:]
    assert values == [{"a": 1}, {"b": "x"}, {"c": 3}]


@pytest.fixture
async def endpoint(tmp_path: Path) -> AsyncIterator[str]:
    """An engine that answers with what the path asks for: /<status>/<body>."""
    path = tmp_path / "engine.sock"

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        _, status, body = unquote(head.split()[1].decode()).split("/", 2)
        phrase = http.HTTPStatus(int(status)).phrase
        writer.write(f"HTTP/1.1 {status} {phrase}\r\nConnection: close\r\n\r\n{body}".encode())
        writer.close()
        await writer.wait_closed()

    async with await asyncio.start_unix_server(serve, path):
        yield f"unix://{path}"


@pytest.fixture
async def streams(endpoint: str) -> AsyncIterator[EngineStreams]:
    opened = EngineStreams(endpoint)
    yield opened
    await opened.close()


@pytest.mark.parametrize(
    ("path", "fault", "message"),
    [
        ("/404/no%20such%20thing", NotThere, "no such thing"),
        ('/404/{"message":"gone"}', NotThere, "gone"),
        ("/500/broken", RuntimeFault, "broken"),
        ("/409/", RuntimeFault, "HTTP 409"),
    ],
)
async def test_a_refusal_says_what_the_engine_said(
    streams: EngineStreams, path: str, fault: type[Exception], message: str
) -> None:
    with pytest.raises(fault, match=message) as refused:
        async with streams.open("GET", path):
            pytest.fail("it was refused")
    assert type(refused.value) is fault


async def test_a_progress_report_is_read_for_its_error(streams: EngineStreams) -> None:
    fine, bad = '/200/{"status":"fine"}%0A', '/200/{"status":"x"}%0A{"error":"disk%20full"}%0A'
    assert await streams.complaint(fine, {}, timeout_s=5) == ""
    assert await streams.complaint(bad, {}, timeout_s=5) == "disk full"


async def test_nobody_there_is_unreachable(tmp_path: Path) -> None:
    streams = EngineStreams(f"unix://{tmp_path}/none.sock")
    with pytest.raises(Unreachable, match=r"none\.sock"):
        async with streams.open("GET", "/"):
            pytest.fail("nobody is there")
    await streams.close()


def test_a_line_that_was_written_in_pieces_has_one_stamp() -> None:
    said = [(1, b"1Z line"), (2, b"1Z other\n"), (1, b"2Z  2"), (1, b"3Z \n"), (1, b"4Z next\n")]
    data, frames = b"".join(frame(*one) for one in said), Frames(stamped=True)
    chunks = [chunk for at in range(len(data)) for chunk in frames.feed(data[at : at + 1])]
    out = b"".join(chunk.data for chunk in chunks if chunk.stream == "stdout")
    assert out == b"1Z line 2\n4Z next\n"
    assert b"".join(chunk.data for chunk in chunks if chunk.stream == "stderr") == b"1Z other\n"
