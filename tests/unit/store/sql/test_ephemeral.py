"""Ephemeral keys: real revisions, real watches, nothing on disk."""

from pathlib import Path

import pytest

from appliance.kit.clock import FakeClock
from appliance.store import ops
from appliance.store.base import FROM_KEY, Put, Range, Txn, WatchRequest, prefix_end
from appliance.store.errors import Compacted, Overrun
from appliance.store.options import StoreOptions
from appliance.store.sql.store import SqlStore

LEASES = b"/registry/leases/kube-node-lease/"
OPTIONS = StoreOptions(
    ephemeral_prefixes=(LEASES,),
    reserve_revisions=100,
    ephemeral_history=50,
    inline_commit_below_s=1.0,
)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state.db"


def on_disk(path: Path) -> list[tuple[str, int, int]]:
    """Every file of the store, with its size and when it was last written."""
    files = sorted(p for p in path.parent.iterdir() if not p.name.endswith("-shm"))
    return [(p.name, p.stat().st_size, p.stat().st_mtime_ns) for p in files]


async def test_a_store_with_only_ephemeral_writes_leaves_the_disk_alone(
    path: Path, clock: FakeClock
) -> None:
    store = await SqlStore.open(path, OPTIONS, clock)
    watcher = store.watch(WatchRequest(key=LEASES, end=prefix_end(LEASES), prev_kv=True))
    first = await ops.put(store, LEASES + b"node-1", b"0")
    before = on_disk(path)
    for n in range(1, 100):
        put = await ops.put(store, LEASES + b"node-1", b"%d" % n)
    assert put.revision == first.revision + 99
    assert on_disk(path) == before, "99 renewals, not one byte"
    events = (await anext(watcher)).events
    assert [int(e.kv.value) for e in events] == list(range(100))
    assert events[-1].prev_kv is not None
    assert events[-1].prev_kv.value == b"98"
    for n in range(3):
        await ops.put(store, LEASES + b"node-1", b"x%d" % n)
    assert on_disk(path) != before, "the high-water mark has moved on"
    await store.close()


async def test_no_revision_is_used_twice_after_a_crash(path: Path, clock: FakeClock) -> None:
    store = await SqlStore.open(path, OPTIONS, clock)
    await ops.put(store, b"a", b"")
    for _ in range(5):
        used = await ops.put(store, LEASES + b"node-1", b"")
    crashed = path.parent / "crashed" / "state.db"
    crashed.parent.mkdir()
    for name in ("state.db", "state.db-wal"):
        (crashed.parent / name).write_bytes((path.parent / name).read_bytes())
    await store.close()
    store = await SqlStore.open(crashed, OPTIONS, clock)
    assert (await store.status()).revision > used.revision
    assert (await ops.put(store, b"a", b"")).revision > used.revision
    assert await ops.get(store, LEASES + b"node-1") is None
    await store.close()


async def test_who_saw_the_lost_keys_is_told_to_list_again(path: Path, clock: FakeClock) -> None:
    store = await SqlStore.open(path, OPTIONS, clock)
    await ops.put(store, LEASES + b"node-1", b"")
    await ops.put(store, b"a", b"")
    seen = (await store.status()).revision
    await store.close()
    store = await SqlStore.open(path, OPTIONS, clock)
    leases = WatchRequest(key=LEASES, end=prefix_end(LEASES), start_revision=seen + 1)
    with pytest.raises(Compacted):
        await anext(store.watch(leases))
    with pytest.raises(Compacted):
        await store.range(Range(key=FROM_KEY, end=FROM_KEY, revision=seen))
    kv = await ops.get(store, b"a", revision=seen)
    assert kv is not None, "other keys are not concerned"
    found = await store.range(Range(key=LEASES, end=prefix_end(LEASES)))
    again = await store.range(Range(key=LEASES, end=prefix_end(LEASES), revision=found.revision))
    assert found == again, "a page of a list that has just begun"
    watcher = store.watch(
        WatchRequest(key=LEASES, end=prefix_end(LEASES), start_revision=found.revision + 1)
    )
    await ops.put(store, LEASES + b"node-1", b"back")
    assert [e.kv.value for e in (await anext(watcher)).events] == [b"back"]
    await store.close()


async def test_their_past_is_bounded(path: Path, clock: FakeClock) -> None:
    store = await SqlStore.open(path, OPTIONS, clock)
    first = await ops.put(store, LEASES + b"node-1", b"first")
    other = await ops.put(store, LEASES + b"node-2", b"quiet")
    slow = store.watch(WatchRequest(key=LEASES, end=prefix_end(LEASES)))
    for n in range(60):
        newest = await ops.put(store, LEASES + b"node-1", b"%d" % n)
    with pytest.raises(Compacted):
        await ops.get(store, LEASES + b"node-1", revision=first.revision)
    kv = await ops.get(store, LEASES + b"node-1", revision=newest.revision - 10)
    assert kv is not None
    assert kv.value == b"49"
    kv = await ops.get(store, LEASES + b"node-2")
    assert kv is not None, "a key that nobody renews stays"
    assert kv.mod_revision == other.revision
    with pytest.raises(Compacted):
        await anext(
            store.watch(WatchRequest(key=LEASES + b"node-1", start_revision=first.revision))
        )
    assert len((await anext(slow)).events) == 60, "its backlog still had all"
    await store.close()


async def test_a_watcher_that_fell_behind_what_is_remembered_is_cut(
    path: Path, clock: FakeClock
) -> None:
    options = StoreOptions(
        ephemeral_prefixes=(LEASES,), ephemeral_history=10, watch_backlog_events=4
    )
    store = await SqlStore.open(path, options, clock)
    slow = store.watch(WatchRequest(key=LEASES, end=prefix_end(LEASES)))
    for n in range(30):
        await ops.put(store, LEASES + b"node-1", b"%d" % n)
    with pytest.raises(Overrun):
        await anext(slow)
    await store.close()


async def test_one_transaction_can_touch_both(path: Path, clock: FakeClock) -> None:
    store = await SqlStore.open(path, OPTIONS, clock)
    await store.txn(Txn(success=(Put(key=LEASES + b"n", value=b"e"), Put(key=b"a", value=b"d"))))
    past = store.watch(WatchRequest(key=FROM_KEY, end=FROM_KEY, start_revision=2))
    assert [e.kv.key for e in (await anext(past)).events] == [LEASES + b"n", b"a"]
    await ops.delete(store, LEASES, prefix_end(LEASES))
    assert [e.kind.name for e in (await anext(past)).events] == ["DELETE"]
    await store.compact(3)
    await store.compacted()
    assert [kv.key for kv in (await store.range(Range(key=FROM_KEY, end=FROM_KEY))).kvs] == [b"a"]
    await store.close()


async def test_keys_written_before_their_prefix_became_ephemeral_go(
    path: Path, clock: FakeClock
) -> None:
    store = await SqlStore.open(path, StoreOptions(), clock)
    await ops.put(store, LEASES + b"node-1", b"durable")
    await ops.put(store, b"a", b"")
    await store.close()
    for options in (OPTIONS, StoreOptions()):
        store = await SqlStore.open(path, options, clock)
        assert [kv.key for kv in (await store.range(Range(key=FROM_KEY, end=FROM_KEY))).kvs] == [
            b"a"
        ]
        await store.close()
