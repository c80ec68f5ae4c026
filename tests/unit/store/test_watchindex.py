"""Who is concerned by a key."""

import random

from appliance.store.base import FROM_KEY, NO_END, prefix_end
from appliance.store.mvcc.ranges import covers
from appliance.store.watchindex import WatchIndex


def test_keys_prefixes_and_ranges() -> None:
    index: WatchIndex[str] = WatchIndex()
    index.add(b"a/1", NO_END, "key")
    index.add(b"a/", prefix_end(b"a/"), "prefix")
    index.add(b"a/0", b"a/5", "range")
    index.add(b"b", FROM_KEY, "rest")
    assert list(index.match(b"a/1")) == ["key", "prefix", "range"]
    assert list(index.match(b"a/9")) == ["prefix"]
    assert list(index.match(b"a")) == []
    assert list(index.match(b"bb")) == ["rest"]
    index.remove(b"a/", prefix_end(b"a/"), "prefix")
    index.remove(b"a/", prefix_end(b"a/"), "prefix")
    assert list(index.match(b"a/9")) == []


def test_it_agrees_with_comparing_every_range() -> None:
    chance = random.Random(5)  # noqa: S311 - the same run each time
    names = [b"", b"a", b"ab", b"abc", b"b", b"b\xff", b"c", b"\xff"]
    index: WatchIndex[int] = WatchIndex()
    waiting: dict[int, tuple[bytes, bytes]] = {}
    for who in range(300):
        key = chance.choice(names[1:])
        end = chance.choice([NO_END, FROM_KEY, prefix_end(key), *names[1:]])
        index.add(key, end, who)
        waiting[who] = (key, end)
        if chance.random() < 0.5:
            gone = chance.choice(list(waiting))
            index.remove(*waiting.pop(gone), gone)
        asked = chance.choice(names[1:]) + chance.choice(names)
        expected = {w for w, (key, end) in waiting.items() if covers(key, end, asked)}
        assert sorted(index.match(asked)) == sorted(expected), asked
