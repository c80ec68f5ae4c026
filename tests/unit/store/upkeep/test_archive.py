"""What can be read from beside a store that is in use."""

from pathlib import Path

import pytest

from appliance.kit.clock import FakeClock
from appliance.store import ops
from appliance.store.errors import Unusable
from appliance.store.sql.store import SqlStore
from appliance.store.upkeep.archive import Archive, FileArchive
from appliance.store.upkeep.usage import usage


async def test_history_of_a_key_with_times_and_authors(
    store: SqlStore, archive: Archive, clock: FakeClock
) -> None:
    begun_ms = int(clock.wall() * 1000)
    await ops.put(store, b"/a", b"one", author="ann")
    await ops.put(store, b"/b", b"other")
    await clock.advance(60)
    await ops.delete(store, b"/a", author="bob")
    changes = list(archive.changes(b"/a"))
    assert [(c.revision, c.author, c.deleted, c.wall_ms - begun_ms) for c in changes] == [
        (2, "ann", False, 0),
        (4, "bob", True, 60_000),
    ]
    assert archive.value(changes[0].row) == b"one"


async def test_states_of_the_past_outlast_compaction(store: SqlStore, archive: Archive) -> None:
    await ops.put(store, b"/a", b"1")
    await ops.put(store, b"/a", b"2")
    await ops.put(store, b"/b", b"1")
    await ops.delete(store, b"/a")
    await store.compact(5)
    await store.compacted()
    assert archive.state(b"/", b"0", 3) == {b"/a": b"2"}
    assert archive.state(b"/", b"0", 4) == {b"/a": b"2", b"/b": b"1"}
    assert archive.state(b"/b", b"\0", 5) == {b"/b": b"1"}
    assert archive.state(b"/a", b"", 2) == {b"/a": b"1"}
    assert (archive.floor, archive.newest()) == (0, 5)


async def test_the_revision_of_a_time(store: SqlStore, archive: Archive, clock: FakeClock) -> None:
    begun_ms = int(clock.wall() * 1000)
    await ops.put(store, b"/a", b"1")
    await clock.advance(60)
    await ops.put(store, b"/a", b"2")
    assert [archive.at(begun_ms + ms) for ms in (-1, 0, 59_999, 60_000)] == [0, 2, 2, 3]


async def test_what_takes_room(store: SqlStore, archive: Archive) -> None:
    await ops.put(store, b"/registry/pods/x/a", b"12345")
    await ops.put(store, b"/registry/pods/x/a", b"123")
    await ops.put(store, b"/registry/nodes/n", b"1")
    await ops.put(store, b"plain", b"1")
    await ops.delete(store, b"plain")
    sums = usage(archive.changes(b"\0", b"\0"), depth=2)
    assert [(u.prefix, u.keys, u.current_bytes, u.changes, u.kept_bytes) for u in sums] == [
        ("/registry/pods/", 1, 21, 2, 44),
        ("/registry/nodes/", 1, 18, 1, 18),
        ("plain", 0, 0, 2, 11),
    ]


async def test_questions_in_sql_cannot_write(store: SqlStore, archive: Archive) -> None:
    await ops.put(store, b"/a", b"1")
    assert archive.ask("SELECT key, revision FROM current_keys", ()) == (
        ["key", "revision"],
        [("/a", 2)],
    )
    for text in ("DELETE FROM history", "DROP TABLE history", "no sql"):
        with pytest.raises(Unusable, match="cannot be answered"):
            archive.ask(text, ())
    assert await ops.get(store, b"/a") is not None


def test_what_is_no_store_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Unusable, match="there is no store"):
        FileArchive(tmp_path / "absent.db")
    (tmp_path / "text").write_bytes(b"hello " * 1000)
    with pytest.raises(Unusable, match="cannot be read"):
        FileArchive(tmp_path / "text")
    (tmp_path / "empty").write_bytes(b"")
    with pytest.raises(Unusable, match="no store of ours"):
        FileArchive(tmp_path / "empty")
