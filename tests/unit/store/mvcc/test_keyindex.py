"""The key index: the worked example of its module, and counting against looking."""

import random

import pytest

from appliance.store.base import FROM_KEY
from appliance.store.mvcc import keyindex
from appliance.store.mvcc.keyindex import KeyIndex, position, revision_of
from appliance.store.mvcc.ranges import covers

HISTORY = [(2, False), (5, False), (6, True), (9, False)]


def index_of(history: list[tuple[int, bool]], key: bytes = b"k") -> KeyIndex:
    index = KeyIndex()
    for revision, deleted in history:
        index.add(key, position(revision, deleted=deleted))
    return index


def left(index: KeyIndex, key: bytes = b"k") -> list[int]:
    """Revisions the index has of the key."""
    seen = {revision_of(index.before(key, position(r + 1))) for r in range(1, 20)}
    return sorted(seen - {0})


def test_a_key_lives_in_generations() -> None:
    index = index_of(HISTORY)
    seen = [revision_of(index.at(b"k", revision)) for revision in range(1, 11)]
    assert seen == [0, 2, 2, 2, 5, 0, 0, 0, 9, 9]
    assert index.living == 1


@pytest.mark.parametrize(
    ("revision", "kept"),
    [(1, [2, 5, 6, 9]), (2, [2, 5, 6, 9]), (5, [5, 6, 9]), (6, [6, 9]), (7, [9]), (12, [9])],
)
def test_compaction(revision: int, kept: list[int]) -> None:
    index = index_of(HISTORY)
    dropped = [revision_of(at) for at in index.compact(b"k", revision)]
    assert left(index) == kept
    assert sorted(dropped + kept) == [2, 5, 6, 9]


def test_compaction_removes_a_dead_key() -> None:
    index = index_of(HISTORY[:3])
    assert index.compact(b"k", 6) != []
    assert left(index) == [6], "a watch may start at 6"
    assert index.compactable() == [b"k"]
    index.compact(b"k", 7)
    assert left(index) == []
    assert index.select(b"a", FROM_KEY, 20) == []
    assert index.compactable() == []
    assert index.compact(b"k", 8) == []
    index.add(b"k", position(30))
    assert index.living == 1


def test_undo_takes_back_the_newest_change() -> None:
    index = index_of(HISTORY)
    for living, kept in ((0, [2, 5, 6]), (1, [2, 5]), (1, [2]), (0, [])):
        index.undo(b"k")
        assert (index.living, left(index)) == (living, kept)
    assert index.count(b"a", FROM_KEY, 20) == 0


def test_trim_lets_go_of_what_a_forgotten_change_replaced() -> None:
    index = index_of(HISTORY)
    assert [revision_of(at) for at in index.trim(b"k", position(5))] == [2]
    assert [revision_of(at) for at in index.trim(b"k", position(6, deleted=True))] == [5, 6]
    assert left(index) == [9]


def test_what_is_not_yet_committed_lies_above_what_readers_ask_for() -> None:
    index = index_of([(2, False)])
    index.add(b"new", position(3))
    assert len(index.select(b"a", FROM_KEY, 2)) == 1
    assert index.count(b"a", FROM_KEY, 2) == 1
    assert index.select_keys(b"a", FROM_KEY, 3) == [b"k", b"new"]


@pytest.mark.parametrize("remembered", [4, 1000])
def test_counting_agrees_with_looking(monkeypatch: pytest.MonkeyPatch, remembered: int) -> None:
    monkeypatch.setattr(keyindex, "_RECENT", remembered)
    chance = random.Random(7)  # noqa: S311 - the same run each time
    index, truth = KeyIndex(), [set[bytes](), set[bytes]()]
    compacted = 0
    for revision in range(2, 400):
        key = b"%02d" % chance.randrange(40)
        alive = set(truth[-1])
        deleted = key in alive and chance.random() < 0.4
        (alive.discard if deleted else alive.add)(key)
        index.add(key, position(revision, deleted=deleted))
        truth.append(alive)
        if chance.random() < 0.1:
            index.undo(key)
            index.add(key, position(revision, deleted=deleted))
        if chance.random() < 0.05:
            compacted = chance.randrange(max(1, compacted), revision)
            for changed in index.compactable():
                index.compact(changed, compacted)
        for _ in range(3):
            at = chance.randrange(max(1, compacted), revision + 1)
            start, end = b"%02d" % chance.randrange(40), b"%02d" % chance.randrange(41)
            expected = sorted(k for k in truth[at] if covers(start, end, k))
            assert index.select_keys(start, end, at) == expected
            assert index.count(start, end, at) == len(expected)
            assert len(index.select(start, end, at, limit=3)) == min(3, len(expected))
    assert index.living == len(truth[-1])


def test_loading_is_the_same_as_adding() -> None:
    changes = [(b"b", position(2)), (b"a", position(3)), (b"b", position(4, deleted=True))]
    loaded = KeyIndex()
    loaded.load(iter(changes))
    assert loaded.living == 1
    assert loaded.compactable() == [b"b"]
    assert [loaded.count(b"a", b"c", revision) for revision in (1, 2, 3, 4)] == [0, 1, 2, 1]
