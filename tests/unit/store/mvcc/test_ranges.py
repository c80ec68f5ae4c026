"""Range rules as tables."""

import pytest

from appliance.store.base import FROM_KEY, NO_END
from appliance.store.errors import Compacted, FutureRevision
from appliance.store.mvcc.ranges import check_revision, covers, is_empty, overlap


@pytest.mark.parametrize(
    ("key", "end", "candidate", "expected"),
    [
        (b"a", NO_END, b"a", True),
        (b"a", NO_END, b"a\x00", False),
        (b"a", b"b", b"a\xff", True),
        (b"a", b"b", b"b", False),
        (b"b", b"a", b"b", False),
        (b"a", FROM_KEY, b"z", True),
        (b"b", FROM_KEY, b"a", False),
        (FROM_KEY, FROM_KEY, b"\x00", True),
    ],
)
def test_covers(key: bytes, end: bytes, candidate: bytes, expected: bool) -> None:
    assert covers(key, end, candidate) is expected


@pytest.mark.parametrize(
    ("key", "end", "expected"),
    [
        (b"e/x", NO_END, True),
        (b"e", NO_END, False),
        (b"e", b"f", True),
        (b"a", b"e/", False),
        (b"a", b"e/a", True),
        (b"e/m", b"z", True),
        (b"e0", b"z", False),
        (b"a", FROM_KEY, True),
        (b"f", FROM_KEY, False),
    ],
)
def test_a_range_can_hold_a_key_of_the_prefix(key: bytes, end: bytes, expected: bool) -> None:
    assert overlap(key, end, b"e/") is expected


def test_empty_ranges() -> None:
    assert is_empty(b"b", b"a")
    assert is_empty(b"b", b"b")
    assert not is_empty(b"b", NO_END)
    assert not is_empty(b"b", FROM_KEY)


def test_revisions_that_can_be_read() -> None:
    for asked in (0, 5, 9):
        check_revision(asked, current=9, compacted=5)
    check_revision(1, current=1, compacted=-1)
    for asked in (-1, 4):
        with pytest.raises(Compacted):
            check_revision(asked, current=9, compacted=5)
    with pytest.raises(FutureRevision):
        check_revision(10, current=9, compacted=5)
