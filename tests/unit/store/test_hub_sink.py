"""Batches that go to a sink and not to whoever iterates: the same ones, in the same order."""

import asyncio
from pathlib import Path

import pytest

from appliance.kit.clock import FakeClock
from appliance.store import ops
from appliance.store.base import WatchBatch, WatchRequest
from appliance.store.errors import Overrun
from appliance.store.hub import HubWatcher
from appliance.store.options import StoreOptions
from appliance.store.sql.store import SqlStore


class Follower:
    """Reads a watcher as the Watch service does; `reads` False: its client is slow."""

    def __init__(self, watcher: HubWatcher) -> None:
        self.watcher = watcher
        self.reads = True
        self.told: list[int] = []
        self.direct = 0
        self.may_read = asyncio.Event()
        self._news = asyncio.Event()

    async def until(self, revision: int) -> None:
        while self.told[-1] < revision:
            self._news.clear()
            await self._news.wait()

    def sink(self, batch: WatchBatch) -> bool:
        self.direct += 1
        self._take(batch)
        return self.reads

    async def follow(self) -> None:
        self.watcher.tell(self.sink)
        async for batch in self.watcher:
            self._take(batch)
            if not self.reads:
                await self.may_read.wait()
            self.watcher.tell(self.sink)

    def _take(self, batch: WatchBatch) -> None:
        self.told += [event.kv.mod_revision for event in batch.events]
        assert batch.revision >= self.told[-1]
        self._news.set()


async def test_a_sink_that_says_no_and_goes_on_later_misses_nothing(tmp_path: Path) -> None:
    options = StoreOptions(watch_backlog_events=20, watch_page_revisions=7)
    store = await SqlStore.open(tmp_path / "state.db", options, FakeClock())
    watcher = store.watch(WatchRequest(key=b"k"))
    assert isinstance(watcher, HubWatcher)
    follower = Follower(watcher)
    following = asyncio.create_task(follower.follow())

    async def put(count: int) -> None:
        await asyncio.gather(*(ops.put(store, b"k", b"%d" % n) for n in range(count)))

    await put(1)
    async with asyncio.timeout(10):
        for round_ in range(6):
            follower.reads = round_ % 2 == 0
            if follower.reads:
                follower.may_read.set()
            for count in (1, 3, 15, 40):  # some of them more than a backlog holds
                await put(count)
            follower.may_read.clear()
        follower.reads = True
        follower.may_read.set()
        last = (await store.status()).revision
        await follower.until(last)
    assert follower.told == list(range(2, last + 1))
    assert follower.direct > 5
    watcher.close()
    await following
    await store.close()


async def test_a_sink_that_fails_is_cut_off_and_the_others_go_on(tmp_path: Path) -> None:
    store = await SqlStore.open(tmp_path / "state.db", StoreOptions(), FakeClock())
    broken, whole = (store.watch(WatchRequest(key=b"k")) for _ in range(2))
    assert isinstance(broken, HubWatcher)
    assert isinstance(whole, HubWatcher)

    def fails(batch: WatchBatch) -> bool:
        raise RuntimeError(f"no good: {batch}")

    async def read_broken() -> None:
        broken.tell(fails)
        async for _ in broken:
            raise AssertionError("its batch was given to the sink")

    follower = Follower(whole)
    follower.told.append(0)
    reading, following = asyncio.create_task(read_broken()), asyncio.create_task(follower.follow())
    await asyncio.sleep(0)
    await ops.put(store, b"k", b"")
    with pytest.raises(Overrun):
        await reading
    await ops.put(store, b"k", b"")
    await follower.until(3)
    assert follower.told == [0, 2, 3]
    following.cancel()
    await store.close()
