"""Ordered, unique, complete, whole per revision, resumable: for every watcher, however slow.

Random traffic against watchers of random ranges that read when chance says so, fall behind,
end and resume from where they were, while history is compacted under them. Each is compared
with what the acknowledged transactions say must have happened.
"""

import asyncio
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from appliance.kit.clock import FakeClock
from appliance.store.base import (
    FROM_KEY,
    NO_END,
    Delete,
    DeleteResult,
    Put,
    Range,
    Store,
    Txn,
    WatchBatch,
    Watcher,
    WatchRequest,
    prefix_end,
)
from appliance.store.errors import Compacted
from appliance.store.memory import MemoryStore
from appliance.store.mvcc.ranges import covers
from appliance.store.options import StoreOptions
from appliance.store.sql.store import SqlStore

KEYS = [b"a", b"a/1", b"a/2", b"b/1", b"b/2", b"c"]
RANGES = [
    (b"a", NO_END),
    (b"a/", prefix_end(b"a/")),
    (b"b/", prefix_end(b"b/")),
    (b"a/2", b"b/2"),
    (FROM_KEY, FROM_KEY),
]
OPTIONS = StoreOptions(
    watch_backlog_events=6, watch_page_revisions=4, compact_step=2, value_cache_bytes=2_000
)

Change = tuple[int, bytes, bytes | None]  # revision, key, value (None: deleted)


@dataclass(slots=True)
class Follower:
    """A consumer that resumes after what it has seen."""

    key: bytes
    end: bytes
    watcher: Watcher
    pace: float  # how often it reads
    next_revision: int = 2
    cut_before: int = 0  # what came before was lost to compaction, as it was told
    seen: list[Change] = field(default_factory=list)

    async def read(self, store: Store) -> bool:
        """Take a batch if there is one; False when all has been delivered."""
        self.watcher.progress()
        try:
            async with asyncio.timeout(5):
                batch = await anext(self.watcher)
        except Compacted as error:
            mark = error.compact_revision
        else:
            return self.take(batch)
        assert mark > self.next_revision, "cut without need"
        self.cut_before = self.next_revision = mark
        self.resume(store)
        return True

    def take(self, batch: WatchBatch) -> bool:
        revisions = [event.kv.mod_revision for event in batch.events]
        assert revisions == sorted(revisions)
        assert not revisions or revisions[0] >= self.next_revision, "told twice"
        assert not revisions or batch.revision >= revisions[-1]
        for event in batch.events:
            value = event.kv.value if event.kv.version else None
            self.seen.append((event.kv.mod_revision, event.kv.key, value))
        # What the batch says has been delivered is delivered: going on from there is safe.
        self.next_revision = batch.revision + 1
        return bool(batch.events)

    def resume(self, store: Store) -> None:
        self.watcher.close()
        self.watcher = store.watch(
            WatchRequest(key=self.key, end=self.end, start_revision=self.next_revision)
        )


class Traffic:
    """Random transactions, and the changes that their answers admit."""

    def __init__(self, store: Store, chance: random.Random) -> None:
        self.store = store
        self.chance = chance
        self.changes: list[Change] = []

    async def one(self, number: int) -> None:
        first, second = self.chance.sample(KEYS, 2)
        value = b"%d" % number
        if self.chance.random() < 0.7:
            result = await self.store.txn(
                Txn(success=(Put(key=second, value=value), Put(key=first, value=value)))
            )
            self.changes += [(result.revision, second, value), (result.revision, first, value)]
        else:
            delete = Delete(key=first, end=self.chance.choice([NO_END, FROM_KEY]), prev_kv=True)
            result = await self.store.txn(Txn(success=(delete,)))
            (deleted,) = result.results
            assert isinstance(deleted, DeleteResult)
            self.changes += [(result.revision, kv.key, None) for kv in deleted.prev_kvs]

    def of(self, follower: Follower, since: int) -> Iterator[Change]:
        for change in sorted(self.changes, key=lambda change: change[0]):
            if change[0] >= since and covers(follower.key, follower.end, change[1]):
                yield change


async def run(store: Store, seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311 - the same run each time
    traffic = Traffic(store, chance)
    followers = [
        Follower(key, end, store.watch(WatchRequest(key=key, end=end)), pace)
        for key, end in RANGES
        for pace in (0.05, 0.3)
    ]
    for number in range(0, 240, 4):
        await asyncio.gather(*(traffic.one(number + n) for n in range(4)))
        if chance.random() < 0.02:
            found = await store.range(Range(key=b"a", count_only=True))
            status = await store.status()
            behind = found.revision - chance.randrange(30)
            if behind > status.compact_revision:
                await store.compact(behind)
        for follower in followers:
            if chance.random() < follower.pace:
                await follower.read(store)
            if chance.random() < 0.02:
                follower.resume(store)
    for follower in followers:
        while await follower.read(store):
            pass
        expected = list(traffic.of(follower, follower.cut_before))
        after_cut = [change for change in follower.seen if change[0] >= follower.cut_before]
        assert after_cut == expected, (seed, follower.key, follower.end)
        before_cut = [change for change in follower.seen if change[0] < follower.cut_before]
        assert set(before_cut) <= set(traffic.of(follower, 0))
        follower.watcher.close()


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("kind", ["memory", "sql-inline", "sql-thread"])
async def test_watch_guarantees(tmp_path: Path, kind: str, seed: int) -> None:
    store: Store
    if kind == "memory":
        store = MemoryStore(FakeClock(), OPTIONS)
    else:
        inline_s = 1.0 if kind == "sql-inline" else 0.0
        options = StoreOptions(
            watch_backlog_events=6,
            watch_page_revisions=4,
            compact_step=2,
            value_cache_bytes=2_000,
            inline_commit_below_s=inline_s,
        )
        store = await SqlStore.open(tmp_path / "state.db", options, FakeClock())
    await run(store, seed)
    await store.close()
