"""History that clients have compacted stays in the file for people, for a time."""

from pathlib import Path

import pytest

from appliance.kit.clock import FakeClock
from appliance.store import ops
from appliance.store.base import FROM_KEY, Range
from appliance.store.errors import Compacted
from appliance.store.options import StoreOptions
from appliance.store.sql import tables
from appliance.store.sql.store import SqlStore

DAY_S = 86_400.0
KEEPING = StoreOptions(keep_history_s=0, retain_s=DAY_S, compact_step=2)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state.db"


def rows(store: SqlStore) -> list[tuple[int, bytes]]:
    found = store._database.reader.execute("SELECT id >> 20, value FROM history ORDER BY id")
    return [(revision, bytes(value)) for revision, value in found]


def fact(store: SqlStore, name: str) -> int | None:
    facts: dict[str, int] = dict(store._database.reader.execute(tables.SELECT_FACTS).fetchall())
    return facts.get(name)


async def overwritten(store: SqlStore, *values: bytes) -> int:
    for value in values:
        await ops.put(store, b"k", value)
    revision = await store.head()
    await store.compact(revision)
    await store.compacted()
    return revision


async def test_clients_cannot_read_what_people_still_can(path: Path) -> None:
    clock = FakeClock()
    store = await SqlStore.open(path, KEEPING, clock)
    await overwritten(store, b"1", b"2", b"3")
    assert rows(store) == [(2, b"1"), (3, b"2"), (4, b"3")]
    with pytest.raises(Compacted):
        await ops.get(store, b"k", revision=3)
    assert [event.kv.value for _, _, event in await store.history_rows((0, -1), 10)] == [b"3"]
    await store.close()
    again = await SqlStore.open(path, KEEPING, clock)
    found = await again.range(Range(key=FROM_KEY, end=FROM_KEY))
    assert [(kv.value, kv.version) for kv in found.kvs] == [(b"3", 3)]
    with pytest.raises(Compacted):
        await ops.get(again, b"k", revision=3)
    assert rows(again) == [(2, b"1"), (3, b"2"), (4, b"3")]
    await again.close()


async def test_a_delete_is_kept_too_and_stays_one(path: Path) -> None:
    clock = FakeClock()
    store = await SqlStore.open(path, KEEPING, clock)
    await ops.put(store, b"gone", b"1")
    await ops.delete(store, b"gone")
    await overwritten(store, b"1")
    assert [revision for revision, _ in rows(store)] == [2, 3, 4]
    await store.close()
    again = await SqlStore.open(path, KEEPING, clock)
    assert await ops.get(again, b"gone") is None
    assert (await again.status()).keys == 1
    await again.close()


async def test_it_goes_when_it_is_old(path: Path) -> None:
    clock = FakeClock()
    store = await SqlStore.open(path, KEEPING, clock)
    first = await overwritten(store, b"1", b"2", b"3")
    await clock.advance(DAY_S / 2)
    await overwritten(store, b"4", b"5")
    assert len(rows(store)) == 5
    assert fact(store, tables.RETAINED_FROM) == 0
    await clock.advance(DAY_S / 2 + 1)
    await overwritten(store, b"6")
    assert [value for _, value in rows(store)] == [b"3", b"4", b"5", b"6"]
    assert fact(store, tables.RETAINED_FROM) == first
    await store.close()


async def test_the_oldest_goes_when_it_is_much(path: Path) -> None:
    options = StoreOptions(keep_history_s=0, retain_s=DAY_S, retain_bytes=5_000)
    store = await SqlStore.open(path, options, FakeClock())
    await overwritten(store, b"a" * 2_000, b"b" * 2_000)
    await overwritten(store, b"c" * 2_000)
    await overwritten(store, b"d" * 2_000)
    assert [value[:1] for _, value in rows(store)] == [b"b", b"c", b"d"]
    await store.close()


async def test_without_it_nothing_is_kept_and_what_was_goes(path: Path) -> None:
    clock = FakeClock()
    store = await SqlStore.open(path, KEEPING, clock)
    await overwritten(store, b"1", b"2")
    await store.close()
    store = await SqlStore.open(path, StoreOptions(keep_history_s=0), clock)
    await overwritten(store, b"3")
    assert [value for _, value in rows(store)] == [b"3"]
    assert fact(store, tables.RETAINED_FROM) == -1
    await store.close()
