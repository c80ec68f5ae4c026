"""History is kept for a while, then compacted; a store that is idle stays idle."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from appliance.kit.clock import FakeClock
from appliance.store import ops
from appliance.store.errors import Compacted
from appliance.store.options import StoreOptions
from appliance.store.sql.store import SqlStore

OPTIONS = StoreOptions(keep_history_s=300, ephemeral_prefixes=(b"e/",), inline_commit_below_s=1.0)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
async def store(tmp_path: Path, clock: FakeClock) -> AsyncIterator[SqlStore]:
    store = await SqlStore.open(tmp_path / "state.db", OPTIONS, clock)
    yield store
    await store.close()


async def passes(store: SqlStore, clock: FakeClock, seconds: float) -> None:
    await asyncio.sleep(0)  # a task started by the last write sets its timer
    await clock.advance(seconds)
    await store.settle()  # behind what a timer may have set going
    await store.compacted()


async def compacted(store: SqlStore) -> int:
    return (await store.status()).compact_revision


async def test_history_is_kept_for_the_time_asked(store: SqlStore, clock: FakeClock) -> None:
    seen = []
    for _ in range(3):  # revision 2 at 0 s, 3 at 200 s, 4 at 400 s
        await ops.put(store, b"a", b"")
        await passes(store, clock, 200)
        seen.append(await compacted(store))
    assert seen == [0, 2, 3], "timers rang at 300 s and at 600 s"
    await passes(store, clock, 299)
    assert await ops.get(store, b"a", revision=3) is not None
    await passes(store, clock, 1)
    assert await compacted(store) == 4
    with pytest.raises(Compacted):
        await ops.get(store, b"a", revision=3)


async def test_an_idle_store_writes_no_mark(store: SqlStore, clock: FakeClock) -> None:
    await ops.put(store, b"a", b"")
    await passes(store, clock, 301)
    assert await compacted(store) == 2
    for _ in range(20):
        await ops.put(store, b"e/lease", b"")
        await passes(store, clock, 100)
    assert await compacted(store) == 2, "ephemeral writes leave nothing on disk to compact"


async def test_a_client_that_compacts_is_not_in_the_way(store: SqlStore, clock: FakeClock) -> None:
    await ops.put(store, b"a", b"")
    await ops.put(store, b"a", b"")
    await passes(store, clock, 10)
    await store.compact(3)
    await passes(store, clock, 300)
    await ops.put(store, b"a", b"")
    await passes(store, clock, 601)
    assert await compacted(store) == 4


async def test_what_an_earlier_process_left_is_compacted(tmp_path: Path, clock: FakeClock) -> None:
    path = tmp_path / "earlier.db"
    store = await SqlStore.open(path, OPTIONS, clock)
    await ops.put(store, b"a", b"")
    await ops.put(store, b"a", b"")
    await store.close()
    store = await SqlStore.open(path, OPTIONS, clock)
    await passes(store, clock, 301)
    assert await compacted(store) == 3
    await store.close()


async def test_zero_keeps_everything(tmp_path: Path, clock: FakeClock) -> None:
    store = await SqlStore.open(tmp_path / "all.db", StoreOptions(keep_history_s=0), clock)
    await ops.put(store, b"a", b"")
    await ops.put(store, b"a", b"")
    await passes(store, clock, 10_000)
    assert await compacted(store) == 0
    await store.close()


async def test_so_many_revisions_can_be_kept_instead(tmp_path: Path, clock: FakeClock) -> None:
    options = StoreOptions(keep_history_s=0, keep_revisions=3, inline_commit_below_s=1.0)
    store = await SqlStore.open(tmp_path / "count.db", options, clock)
    for _ in range(2):  # revision 3
        await ops.put(store, b"a", b"")
    await passes(store, clock, 301)
    assert await compacted(store) == 0, "there are no more than are kept"
    for _ in range(5):  # revision 8
        await ops.put(store, b"a", b"")
    await passes(store, clock, 301)
    assert await compacted(store) == 5
    await passes(store, clock, 10_000)
    assert await compacted(store) == 5, "nothing was written"
    await store.close()
