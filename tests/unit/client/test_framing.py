"""Lines out of chunks."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.client import framing
from appliance.client.framing import Lines, LineTooLong


@given(st.lists(st.binary(min_size=1).filter(lambda b: b"\n" not in b)), st.data())
def test_however_a_stream_is_cut_the_lines_are_the_same(
    lines: list[bytes], data: st.DataObject
) -> None:
    stream = b"".join(line + b"\n" for line in lines)
    reader = Lines()
    found: list[bytes] = []
    position = 0
    while position < len(stream):
        size = data.draw(st.integers(1, len(stream) - position))
        found += reader.feed(stream[position : position + size])
        position += size
    assert found == lines


def test_a_line_without_end_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(framing, "LINE_LIMIT_BYTES", 10)
    reader = Lines()
    assert list(reader.feed(b"x" * 10)) == []
    with pytest.raises(LineTooLong):
        reader.feed(b"x")
