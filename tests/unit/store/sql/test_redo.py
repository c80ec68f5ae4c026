"""The redo log: small writes are durable before the database has them, and no crash shows it."""

import errno
import os
import shutil
import sqlite3
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from appliance.kit.clock import FakeClock
from appliance.store import ops
from appliance.store.base import FROM_KEY, Range, WatchRequest
from appliance.store.errors import NoSpace, Unusable
from appliance.store.options import StoreOptions
from appliance.store.sql import redo, redoing
from appliance.store.sql.redo import SECTOR, RedoLog
from appliance.store.sql.rows import Row
from appliance.store.sql.store import SqlStore

OPTIONS = StoreOptions(keep_history_s=0, reserve_bytes=0)
EVERYTHING = WatchRequest(key=FROM_KEY, end=FROM_KEY, start_revision=1)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "db" / "state.db"


@pytest.fixture
async def store(path: Path) -> AsyncIterator[SqlStore]:
    store = await SqlStore.open(path, OPTIONS, FakeClock())
    yield store
    await store.close()


def crashed(path: Path, name: str = "crashed") -> Path:
    """What the disk holds now, as another store's folder."""
    folder = path.parent.with_name(name)
    shutil.copytree(path.parent, folder)
    return folder / path.name


async def seen(path: Path, options: StoreOptions = OPTIONS) -> list[tuple[int, bytes]]:
    """Revisions and keys of all history, as a store tells it that opens the file."""
    store = await SqlStore.open(path, options, FakeClock())
    try:
        return await told(store)
    finally:
        await store.close()


async def told(store: SqlStore) -> list[tuple[int, bytes]]:
    watcher = store.watch(EVERYTHING)
    watcher.progress()
    events = (await anext(watcher)).events
    watcher.close()
    return [(event.kv.mod_revision, event.kv.key) for event in events]


def in_database(store: SqlStore) -> int:
    return int(store._database.reader.execute("SELECT count(*) FROM history").fetchone()[0])


def row(revision: int, value: bytes = b"") -> Row:
    return revision << 20, b"k", revision, 1, 0, 0, 0, "", value


async def test_a_small_write_is_on_disk_and_not_yet_in_the_database(
    store: SqlStore, path: Path
) -> None:
    for number in range(5):
        await ops.put(store, b"k%d" % number, b"v")
    assert in_database(store) == 0
    everything = [(number + 2, b"k%d" % number) for number in range(5)]
    assert await seen(crashed(path)) == everything
    assert await seen(crashed(path, "without"), StoreOptions(redo_bytes=0)) == everything
    assert await told(store) == everything
    await store.settle()
    assert in_database(store) == 5
    assert await told(store) == everything


async def test_reads_of_the_past_join_the_database_and_the_log(store: SqlStore) -> None:
    await ops.put(store, b"a", b"1")
    await ops.put(store, b"b", b"1")
    await store.settle()
    await ops.put(store, b"a", b"2")
    await ops.delete(store, b"b")
    await ops.put(store, b"c", bytes(100_000))  # too large for the log: takes the others along
    await ops.put(store, b"a", b"3")
    assert in_database(store) == 5
    values = [(await ops.get(store, b"a", revision=n)) for n in (2, 4, 7)]
    assert [kv.value for kv in values if kv] == [b"1", b"2", b"3"]
    assert (await store.range(Range(key=b"b", revision=4))).count == 1
    assert [n for n, _ in await told(store)] == [2, 3, 4, 5, 6, 7]
    places = [(revision, sub) for revision, sub, _ in await store.history_rows((3, 0), 3)]
    assert places == [(4, 0), (5, 0), (6, 0)]
    assert len(await store.history_rows((3, 0), 100)) == 4


async def test_values_are_found_whoever_has_them(path: Path) -> None:
    """With no room to keep values in memory, they come from where they lie."""
    options = StoreOptions(value_cache_bytes=0, keep_history_s=0)
    store = await SqlStore.open(path, options, FakeClock())
    await ops.put(store, b"a", b"1")
    await store.settle()
    await ops.put(store, b"b", b"2")
    found = (await store.range(Range(key=FROM_KEY, end=FROM_KEY))).kvs
    assert [kv.value for kv in found] == [b"1", b"2"]
    await store.close()


async def test_what_has_become_much_is_moved(path: Path) -> None:
    options = StoreOptions(redo_bytes=64 << 10, keep_history_s=0)
    store = await SqlStore.open(path, options, FakeClock())
    expected = []
    for number in range(600):  # several times around the ring
        revision = (await ops.put(store, b"k%d" % number, bytes(number))).revision
        expected.append((revision, b"k%d" % number))
        if number % 150 == 149:
            assert await seen(crashed(path, f"crashed-{number}")) == expected
    assert in_database(store) > 400
    assert path.with_name("state.db.redo").stat().st_size == options.redo_bytes
    await store.close()
    assert await seen(path) == expected


async def test_a_compaction_finds_rows_wherever_they_are(store: SqlStore, path: Path) -> None:
    for value in (b"1", b"2", b"3"):
        await ops.put(store, b"a", value)
    await ops.delete(store, b"a")
    await ops.put(store, b"b", b"1")
    await store.compact(6)
    await store.compacted()
    assert in_database(store) == 1
    await ops.put(store, b"c", b"1")
    again = await SqlStore.open(crashed(path, "again"), OPTIONS, FakeClock())
    assert [kv.key for kv in (await again.range(Range(key=FROM_KEY, end=FROM_KEY))).kvs] == [
        b"b",
        b"c",
    ]
    await again.close()


async def test_a_torn_log_leaves_a_whole_number_of_writes(store: SqlStore, path: Path) -> None:
    for number in range(20):
        await ops.put(store, b"k%d" % number, bytes(900))
    data = path.with_name("state.db.redo").read_bytes()
    kept = set()
    for sectors in range(1, 42, 5):
        torn = crashed(path, f"torn-{sectors}")
        torn.with_name("state.db.redo").write_bytes(
            data[: sectors * SECTOR] + bytes(len(data) - sectors * SECTOR)
        )
        found = await seen(torn)
        assert found == [(number + 2, b"k%d" % number) for number in range(len(found))]
        kept.add(len(found))
    assert min(kept) == 0
    assert max(kept) == 20


async def test_a_hole_in_the_log_gives_no_revision_out_twice(store: SqlStore, path: Path) -> None:
    for number in range(6):
        await ops.put(store, b"k%d" % number, b"v")
    broken = crashed(path)
    log = broken.with_name("state.db.redo")
    data = bytearray(log.read_bytes())
    data[SECTOR * 3 + 30] ^= 1  # in the third record
    log.write_bytes(data)
    again = await SqlStore.open(broken, OPTIONS, FakeClock())
    assert [kv.key for kv in (await again.range(Range(key=FROM_KEY, end=FROM_KEY))).kvs] == [
        b"k0",
        b"k1",
    ]
    assert (await ops.put(again, b"new", b"")).revision > 7
    await again.close()
    assert log.with_name("state.db.redo.torn").exists()


async def test_a_log_of_another_database_is_none(store: SqlStore, path: Path) -> None:
    await ops.put(store, b"a", b"1")
    other = path.parent.with_name("other") / path.name
    other.parent.mkdir()
    shutil.copy(path.with_name("state.db.redo"), other.with_name("state.db.redo"))
    fresh = await SqlStore.open(other, OPTIONS, FakeClock())
    assert await fresh.head() == 1
    await ops.put(fresh, b"b", b"1")
    assert await seen(crashed(other, "other-crashed")) == [(2, b"b")]
    await fresh.close()


async def test_an_older_copy_of_the_database_takes_what_follows(
    store: SqlStore, path: Path
) -> None:
    await ops.put(store, b"a", b"1")
    await store.settle()
    older = crashed(path, "older")
    await ops.put(store, b"b", b"1")
    await store.settle()
    newer = crashed(path, "newer")
    shutil.copy(newer.with_name("state.db.redo"), older.with_name("state.db.redo"))
    assert await seen(older) == [(2, b"a"), (3, b"b")]


def test_a_value_cannot_pass_for_a_record(tmp_path: Path) -> None:
    path = tmp_path / "log"
    forger = RedoLog(tmp_path / "other", 1 << 16, done=5)
    forger.number += 1
    forged = forger.encode([row(9)])
    assert forged is not None
    log = RedoLog(path, 1 << 16, done=5)
    # It begins at a sector, as a record would; the record around it is then overwritten.
    long = log.encode([row(2, bytes(SECTOR * 2 - 63) + forged)])
    assert long is not None
    place = long.index(forged)
    long = log.encode([row(2, bytes(SECTOR * 2 - 63 + (-place % SECTOR)) + forged)])
    assert long is not None
    assert long.index(forged) % SECTOR == 0
    log.append(long)
    short = log.encode([row(2)])
    assert short is not None
    log.append(short)
    assert [record.number for record in redo.read(path, 5).records] == [6]
    assert not redo.read(path, 5).torn
    for one in (forger, log):
        one.close()


async def test_a_failing_log_stops_the_store(
    store: SqlStore, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await ops.put(store, b"a", b"1")
    with monkeypatch.context() as broken:
        broken.setattr(RedoLog, "append", failing(errno.EIO))
        with pytest.raises(Unusable):
            await ops.put(store, b"b", b"1")
    with pytest.raises(Unusable):
        await ops.put(store, b"c", b"1")
    assert await seen(crashed(path)) == [(2, b"a")]


async def test_a_write_that_found_no_room_in_the_log_never_comes_back(
    store: SqlStore, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await ops.put(store, b"a", b"1")
    append = RedoLog.append

    def written_and_failed(log: RedoLog, record: bytes) -> None:
        append(log, record)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as broken:
        broken.setattr(RedoLog, "append", written_and_failed)
        with pytest.raises(NoSpace):
            await ops.put(store, b"refused", b"1")
    assert (await ops.put(store, b"b", b"1")).revision == 3
    assert (await ops.put(store, b"c", b"1")).revision == 4
    assert await seen(crashed(path)) == [(2, b"a"), (3, b"b"), (4, b"c")]


async def test_a_store_without_a_place_for_its_log_works(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(redo, "_create", failing(errno.EROFS))
    store = await SqlStore.open(path, OPTIONS, FakeClock())
    await ops.put(store, b"a", b"1")
    assert in_database(store) == 1
    await store.close()


async def test_a_full_disk_leaves_the_rows_in_the_log(
    store: SqlStore, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await store.lease_grant(60, 7)
    for number in range(3):
        await ops.put(store, b"k%d" % number, b"v", 7)
    left = crashed(path)

    def full(connection: sqlite3.Connection, rows: list[Row]) -> None:
        del rows
        connection.execute("PRAGMA max_page_count = 1")
        connection.execute("INSERT INTO note VALUES ('x', 'x', zeroblob(100000))")

    with monkeypatch.context() as no_room:
        no_room.setattr(redoing, "insert", full)
        again = await SqlStore.open(left, OPTIONS, FakeClock())
    assert await again.head() == 4
    assert [number for number, _ in await told(again)] == [2, 3, 4]
    assert (await again.lease_info(7)).keys == (b"k0", b"k1", b"k2")
    with pytest.raises(NoSpace):
        await ops.put(again, b"more", bytes(100_000))
    again._database.writer.execute("PRAGMA max_page_count = 100000")
    assert (await ops.put(again, b"more", b"")).revision == 5
    assert in_database(again) == 4
    assert len(await seen(crashed(left, "later"))) == 4
    await again.close()


async def test_the_log_is_written_where_direct_writes_cannot_be(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "preadv", failing(errno.EINVAL))
    store = await SqlStore.open(path, OPTIONS, FakeClock())
    await ops.put(store, b"a", b"1")
    assert in_database(store) == 0
    assert await seen(crashed(path)) == [(2, b"a")]
    await store.close()


def failing(code: int) -> Callable[..., None]:
    def fail(*_: object) -> None:
        raise OSError(code, os.strerror(code))

    return fail
