import pytest

from appliance.node.runtimes.base import LogChunk
from appliance.node.runtimes.tail import last_lines


def chunks(*texts: bytes) -> list[LogChunk]:
    return [LogChunk("stdout", text) for text in texts]


@pytest.mark.parametrize(
    ("texts", "lines", "said"),
    [
        ((b"a\nb\nc\n",), 1, b"c\n"),
        ((b"a\nb\nc\n",), 2, b"b\nc\n"),
        ((b"a", b"\n", b"b", b"\n"), 1, b"b\n"),
        ((b"a", b"\n", b"b", b"\n"), 2, b"a\nb\n"),
        ((b"a\nb",), 1, b"b"),
        ((b"a\n",), 5, b"a\n"),
        ((b"a\n\n",), 1, b"\n"),
        ((b"a\nb\n",), 0, b""),
        ((), 3, b""),
    ],
)
def test_lines_are_counted_not_writes(texts: tuple[bytes, ...], lines: int, said: bytes) -> None:
    assert b"".join(c.data for c in last_lines(chunks(*texts), lines)) == said


def test_streams_stay_what_they_are() -> None:
    mixed = [LogChunk("stdout", b"out\n"), LogChunk("stderr", b"err\n"), LogChunk("stdout", b"x\n")]
    assert last_lines(mixed, 2) == mixed[1:]
