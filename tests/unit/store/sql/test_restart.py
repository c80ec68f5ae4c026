"""What a store remembers when it is opened again, and what it refuses to open."""

import sqlite3
from pathlib import Path

import pytest

from appliance.kit.clock import FakeClock
from appliance.store import ops
from appliance.store.base import FROM_KEY, Put, Range, Txn, WatchRequest
from appliance.store.errors import Compacted, LeaseNotFound, NoSpace, Unusable
from appliance.store.options import StoreOptions
from appliance.store.sql.store import SqlStore

OPTIONS = StoreOptions()
WITHOUT_LOG = StoreOptions(redo_bytes=0)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "db" / "state.db"


def mode_of(path: Path) -> int:
    return path.stat().st_mode & 0o777


def replace_with(path: Path, content: bytes) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)


def damage_pages(path: Path, *, values_only: bool = False) -> None:
    """Overwrite the start of pages; `values_only`: of those that hold nothing but long values."""
    damaged = bytearray(path.read_bytes())
    for page in range(4, len(damaged) // 4096):
        start, end = page * 4096, (page + 1) * 4096
        if not values_only or not any(damaged[start + 4 : end]):
            damaged[start : start + 64] = b"\xff" * 64
    path.write_bytes(damaged)


async def test_revisions_go_on_and_old_watches_are_replayed(path: Path, clock: FakeClock) -> None:
    store = await SqlStore.open(path, OPTIONS, clock)
    await ops.put(store, b"a", b"1")
    await ops.put(store, b"b", b"2")
    await ops.delete(store, b"a")
    await store.close()
    assert mode_of(path) == 0o600

    store = await SqlStore.open(path, OPTIONS, clock)
    assert (await store.status()).revision == 4
    assert (await store.status()).keys == 1
    kv = await ops.get(store, b"a", revision=3)
    assert kv is not None
    assert (kv.value, kv.version) == (b"1", 1)
    watcher = store.watch(WatchRequest(key=FROM_KEY, end=FROM_KEY, start_revision=3, prev_kv=True))
    assert (await ops.put(store, b"b", b"3")).revision == 5
    batch = await anext(watcher)
    seen = [(e.kv.key, e.kv.mod_revision, e.prev_kv and e.prev_kv.value) for e in batch.events]
    assert seen == [(b"b", 3, None), (b"a", 4, b"1"), (b"b", 5, b"2")]
    await store.close()


async def test_the_compaction_mark_outlives_the_rows(path: Path, clock: FakeClock) -> None:
    store = await SqlStore.open(path, OPTIONS, clock)
    for _ in range(3):
        await ops.put(store, b"a", b"")
        await ops.delete(store, b"a")
    await ops.put(store, b"b", b"")
    await store.compact(8)
    await store.compacted()
    await store.close()
    store = await SqlStore.open(path, OPTIONS, clock)
    with pytest.raises(Compacted):
        await store.range(Range(key=b"a", revision=7))
    assert (await store.status()).compact_revision == 8
    assert (await store.status()).revision == 8
    await store.close()
    with sqlite3.connect(path) as plain:
        assert plain.execute("SELECT revision, key FROM revisions").fetchall() == [(8, "b")]
    plain.close()


async def test_a_sweep_cut_off_by_a_crash_is_finished(path: Path, clock: FakeClock) -> None:
    store = await SqlStore.open(path, OPTIONS, clock)
    for n in range(20):
        await ops.put(store, b"a", b"%d" % n)
    await store.close()
    with sqlite3.connect(path) as plain:  # the mark was durable, no row was deleted yet
        plain.execute("INSERT INTO fact VALUES ('compact_wanted', 15)")
    plain.close()
    store = await SqlStore.open(path, OPTIONS, clock)
    with pytest.raises(Compacted):
        await ops.get(store, b"a", revision=14)
    await store.compacted()
    await store.close()
    with sqlite3.connect(path) as plain:
        assert plain.execute("SELECT min(id >> 20), count(*) FROM history").fetchone() == (15, 7)
        facts = dict(plain.execute("SELECT * FROM fact").fetchall())
    plain.close()
    assert facts["compact_done"] == 15


async def test_a_lease_keeps_its_deadline_over_a_restart(path: Path, clock: FakeClock) -> None:
    store = await SqlStore.open(path, OPTIONS, clock)
    await store.lease_grant(100, 1)
    await store.lease_grant(100, 2)
    await ops.put(store, b"a", b"", 1)
    await ops.put(store, b"b", b"", 1)
    await ops.put(store, b"b", b"")
    await clock.advance(60)
    await store.lease_keep_alive(2)
    await store.close()

    store = await SqlStore.open(path, OPTIONS, clock)
    assert (await store.lease_info(1)).remaining_s == pytest.approx(40, abs=0.01)
    assert (await store.lease_info(1)).keys == (b"a",)
    assert (await store.lease_info(2)).remaining_s == pytest.approx(100, abs=0.01)
    watcher = store.watch(WatchRequest(key=FROM_KEY, end=FROM_KEY))
    await clock.advance(41)
    assert [e.kv.key for e in (await anext(watcher)).events] == [b"a"]
    with pytest.raises(LeaseNotFound):
        await store.lease_info(1)
    await store.close()
    store = await SqlStore.open(path, OPTIONS, clock)
    assert await store.lease_list() == [2]
    await store.close()


async def test_history_tells_when_and_who(path: Path, clock: FakeClock) -> None:
    store = await SqlStore.open(path, OPTIONS, clock)
    await ops.put(store, b"a", b"1", author="alice")
    await ops.put(store, b"a", b"2", author="bob")
    await ops.delete(store, b"a", author="bob")
    await ops.put(store, b"b", b"3")
    await store.close()
    with sqlite3.connect(path) as plain:
        rows = plain.execute("SELECT revision, sub, key, deleted, author, wall FROM revisions")
        assert rows.fetchall() == [
            (2, 0, "a", 0, "alice", "2023-11-14 22:13:20"),
            (3, 0, "a", 0, "bob", "2023-11-14 22:13:20"),
            (4, 0, "a", 1, "bob", "2023-11-14 22:13:20"),
            (5, 0, "b", 0, "", "2023-11-14 22:13:20"),
        ]
        assert plain.execute("SELECT key, revision FROM current_keys").fetchall() == [("b", 5)]
    plain.close()


async def test_one_process_at_a_time(path: Path, clock: FakeClock) -> None:
    store = await SqlStore.open(path, OPTIONS, clock)
    with pytest.raises(Unusable, match=r"state\.db is in use by another process; stop it"):
        await SqlStore.open(path, OPTIONS, clock)
    await store.close()
    await (await SqlStore.open(path, OPTIONS, clock)).close()


async def test_files_that_cannot_be_used_are_named_with_a_remedy(
    path: Path, clock: FakeClock
) -> None:
    replace_with(path, b"this is not a database, it is a sentence of sixty bytes or more, really")
    with pytest.raises(Unusable, match=r"state\.db: the store cannot use this file.*Restore"):
        await SqlStore.open(path, OPTIONS, clock)

    replace_with(path, b"")
    with sqlite3.connect(path) as plain:
        plain.execute("CREATE TABLE somebody_elses (x)")
    plain.close()
    with pytest.raises(Unusable, match="another program; use another data directory"):
        await SqlStore.open(path, OPTIONS, clock)

    replace_with(path, b"")
    await (await SqlStore.open(path, OPTIONS, clock)).close()
    with sqlite3.connect(path) as plain:
        plain.execute("PRAGMA user_version = 99")
    plain.close()
    with pytest.raises(Unusable, match="newer release"):
        await SqlStore.open(path, OPTIONS, clock)


async def test_a_damaged_page_is_found_at_open(path: Path, clock: FakeClock) -> None:
    store = await SqlStore.open(path, OPTIONS, clock)
    many = tuple(Put(key=b"%d" % n, value=bytes(2000)) for n in range(100))
    await store.txn(Txn(success=many))
    await store.close()
    damage_pages(path)
    with pytest.raises(Unusable, match=r"state\.db.*Restore a backup"):
        await SqlStore.open(path, OPTIONS, clock)


async def test_a_full_disk_refuses_writes_and_heals(path: Path, clock: FakeClock) -> None:
    store = await SqlStore.open(path, OPTIONS, clock)
    await ops.put(store, b"a", b"1")
    watcher = store.watch(WatchRequest(key=FROM_KEY, end=FROM_KEY))
    store._database.writer.execute("PRAGMA max_page_count = 1")
    with pytest.raises(NoSpace):
        await ops.put(store, b"a", bytes(100_000))
    kv = await ops.get(store, b"a")
    assert kv is not None
    assert kv.value == b"1"
    assert (await store.status()).revision == 2
    store._database.writer.execute("PRAGMA max_page_count = 1000000")
    put = await ops.put(store, b"a", b"2", prev_kv=True)
    assert (put.revision, put.prev_kv) == (3, kv)
    assert [e.kv.value for e in (await anext(watcher)).events] == [b"2"]
    await store.close()


async def test_a_failing_disk_stops_the_store(path: Path, clock: FakeClock) -> None:
    store = await SqlStore.open(path, WITHOUT_LOG, clock)
    await ops.put(store, b"a", b"1")
    store._database.writer.execute("PRAGMA query_only = 1")
    with pytest.raises(Unusable, match=r"state\.db"):
        await ops.put(store, b"a", b"2")
    with pytest.raises(Unusable):
        await ops.get(store, b"a")
    await store.close()
    store = await SqlStore.open(path, OPTIONS, clock)
    kv = await ops.get(store, b"a")
    assert kv is not None
    assert kv.value == b"1"
    await store.close()


async def test_a_value_that_cannot_be_read_is_told_with_a_remedy(
    path: Path, clock: FakeClock
) -> None:
    store = await SqlStore.open(path, StoreOptions(value_cache_bytes=0), clock)
    for _ in range(3):
        await ops.put(store, b"a", bytes(100_000))
    await store.close()
    damage_pages(path, values_only=True)
    store = await SqlStore.open(path, StoreOptions(value_cache_bytes=0), clock)
    with pytest.raises(Unusable, match=r"state\.db.*Restore a backup"):
        await ops.get(store, b"a")
    with pytest.raises(Unusable, match=r"state\.db.*Restore a backup"):
        await anext(store.watch(WatchRequest(key=b"a", start_revision=2)))
    await store.close()


async def test_large_values_are_replayed_in_small_pages(path: Path, clock: FakeClock) -> None:
    store = await SqlStore.open(path, OPTIONS, clock)
    for n in range(8):
        await store.txn(Txn(success=(Put(key=b"a", value=bytes(1_500_000)), Put(key=b"b%d" % n))))
    watcher = store.watch(WatchRequest(key=b"a", end=b"c", start_revision=2))
    sizes, revisions = [], []
    while len(revisions) < 16:
        batch = await anext(watcher)
        sizes.append(len(batch.events))
        revisions += [event.kv.mod_revision for event in batch.events]
    assert revisions == sorted([*range(2, 10)] * 2)
    assert sizes == [6, 6, 4], "whole revisions, a little over 4 MiB each"
    await store.close()


async def test_notes_are_kept_also_in_files_that_had_none(path: Path, clock: FakeClock) -> None:
    await (await SqlStore.open(path, OPTIONS, clock)).close()
    with sqlite3.connect(path) as older:
        older.executescript("DROP TABLE note; PRAGMA user_version = 1")
    older.close()
    store = await SqlStore.open(path, OPTIONS, clock)
    await store.write_notes("auth", {"state": b"1"})
    await store.close()
    store = await SqlStore.open(path, OPTIONS, clock)
    assert await store.notes("auth") == {"state": b"1"}
    await store.close()
