"""Sorted keys, against a sorted list."""

import random

import pytest

from appliance.store.base import FROM_KEY
from appliance.store.mvcc import sortedkeys
from appliance.store.mvcc.sortedkeys import SortedKeys


@pytest.mark.parametrize("block", [1, 3, 1024])
def test_it_is_a_sorted_list(monkeypatch: pytest.MonkeyPatch, block: int) -> None:
    monkeypatch.setattr(sortedkeys, "_BLOCK", block)
    chance = random.Random(3)  # noqa: S311 - the same run each time
    keys, truth = SortedKeys(), list[bytes]()
    for step in range(600):
        key = b"%03d" % chance.randrange(150)
        if key in truth:
            keys.remove(key)
            truth.remove(key)
        else:
            keys.add(key)
            truth = sorted([*truth, key])
        start, end = b"%03d" % chance.randrange(150), b"%03d" % chance.randrange(150)
        expected = [k for k in truth if start <= k < end]
        if start <= end:
            assert list(keys.between(start, end)) == expected
        assert keys.count(start, end) == len(expected)
        assert keys.count(start, FROM_KEY) == len([k for k in truth if k >= start])
        if step % 100 == 99:
            assert list(keys.between(b"\x00", FROM_KEY)) == truth
            keys.load(truth)
    assert len(keys) == len(truth)


def test_nothing_in_it() -> None:
    keys = SortedKeys()
    assert list(keys.between(b"a", FROM_KEY)) == []
    assert keys.count(b"a", b"b") == 0
    keys.load([])
    keys.add(b"a")
    keys.remove(b"a")
    assert len(keys) == 0
    assert list(keys.between(b"\x00", FROM_KEY)) == []
