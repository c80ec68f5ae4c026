"""A master that keeps no settled value in memory answers as one that keeps all of them."""

import asyncio
import random
import uuid
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass

import pytest

from appliance.kit.clock import SystemClock
from appliance.store import ops
from appliance.store.base import (
    FROM_KEY,
    Compare,
    CompareTarget,
    Delete,
    Event,
    Op,
    Put,
    Range,
    SortOrder,
    SortTarget,
    Txn,
    Watcher,
    WatchRequest,
)
from appliance.store.errors import Compacted
from appliance.store.options import StoreOptions
from appliance.store.serve.hashing import hash_kv
from appliance.store.sql.postgres.store import PostgresStore
from tests.contract.databases import PostgresServer, postgres

CLOCK = SystemClock()
ALL = {"key": FROM_KEY, "end": FROM_KEY}
KEYS = [b"k%d" % n for n in range(12)]


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    with postgres() as server:
        yield server


@dataclass
class Masters:
    """One that keeps nothing it need not, and one that keeps all."""

    info: str
    cold: PostgresStore
    warm: PostgresStore

    async def compact(self) -> None:
        await self.cold.head()  # nobody is behind what will be gone
        await self.warm.compact(await self.warm.head())
        for store in (self.cold, self.warm):
            await store.head()
            async with asyncio.timeout(20):
                while store._sweeper._done < store._replica.compact_revision:
                    store._sweeper.start()
                    await store.compacted()

    async def same(self, request: Range) -> None:
        assert await self.cold.range(request) == await self.warm.range(request)


@pytest.fixture
async def masters(server: PostgresServer) -> AsyncIterator[Masters]:
    name = f"s{uuid.uuid4().hex}"
    server.make_schema(name)
    info = server.conninfo(name)
    keep = StoreOptions(keep_history_s=0)
    cold = await PostgresStore.open(
        info, StoreOptions(keep_history_s=0, value_cache_bytes=0), CLOCK
    )
    warm = await PostgresStore.open(info, keep, CLOCK)
    yield Masters(info, cold, warm)
    await cold.close()
    await warm.close()


def is_cold(store: PostgresStore) -> int:
    return len(store._replica._settled.cold)


async def events(watcher: Watcher, up_to: int) -> list[Event]:
    seen: list[Event] = []
    async with asyncio.timeout(20):
        while not seen or seen[-1].kv.mod_revision < up_to:
            seen += (await anext(watcher)).events
    return seen


async def test_values_go_when_they_have_settled_and_come_when_they_are_wanted(
    masters: Masters,
) -> None:
    for key in KEYS:
        await ops.put(masters.cold, key, b"value of " + key)
    await masters.compact()
    # The newest lies at the mark itself, where a watch may still begin.
    assert is_cold(masters.cold) == len(KEYS) - 1
    assert is_cold(masters.warm) == 0
    kv = await ops.get(masters.cold, KEYS[0])
    assert kv is not None
    assert kv.value == b"value of k0"
    assert is_cold(masters.cold) == len(KEYS) - 1, "and goes again"
    for request in (
        Range(**ALL),
        Range(**ALL, limit=3, sort_order=SortOrder.DESCEND, sort_target=SortTarget.VALUE),
        Range(**ALL, keys_only=True),
        Range(**ALL, count_only=True),
    ):
        await masters.same(request)
    hashes = [await hash_kv(store, store, CLOCK) for store in (masters.cold, masters.warm)]
    assert hashes[0] == hashes[1]


async def test_a_start_reads_what_is_there_and_keeps_little(masters: Masters) -> None:
    for key in KEYS:
        await ops.put(masters.warm, key, b"value of " + key)
    await masters.compact()
    await ops.put(masters.warm, KEYS[3], b"newer")
    options = StoreOptions(keep_history_s=0, value_cache_bytes=40)
    again = await PostgresStore.open(masters.info, options, CLOCK)
    await again.compacted()
    assert len(KEYS) - 6 <= is_cold(again) < len(KEYS) - 2
    watcher = again.watch(WatchRequest(**ALL, start_revision=await again.head(), prev_kv=True))
    (event,) = await events(watcher, await again.head())
    assert event.prev_kv is not None
    assert event.prev_kv.value == b"value of k3"
    found = await again.range(Range(**ALL))
    assert found == await masters.warm.range(Range(**ALL))
    await again.close()


async def test_who_was_away_while_others_compacted_says_so_to_watches(masters: Masters) -> None:
    for key in KEYS:
        await ops.put(masters.cold, key, b"old")
    await masters.compact()
    watcher = masters.cold.watch(WatchRequest(**ALL, prev_kv=True))
    async with masters.cold._follower.turn:  # it hears of nothing meanwhile
        for value in (b"newer", b"newest"):
            await ops.put(masters.warm, KEYS[0], value)
        await masters.warm.compact(await masters.warm.head())
        await masters.warm.compacted()
    with pytest.raises(Compacted):
        await events(watcher, 1 << 40)
    await masters.same(Range(**ALL))
    kv = await ops.get(masters.cold, KEYS[0])
    assert kv is not None
    assert kv.value == b"newest"


@pytest.mark.parametrize("seed", range(2))
async def test_whatever_happens_both_say_the_same(masters: Masters, seed: int) -> None:
    rng, were_cold = random.Random(seed), 0  # noqa: S311 - a repeatable one
    watchers = [
        store.watch(WatchRequest(**ALL, prev_kv=True)) for store in (masters.cold, masters.warm)
    ]
    for step in range(150):
        store = rng.choice((masters.cold, masters.warm))
        done = await store.txn(_any(rng, step))
        if rng.random() < 0.15:
            await masters.same(Range(**ALL))
        if rng.random() < 0.1:
            await masters.same(Range(key=rng.choice(KEYS)))
        if rng.random() < 0.07 and done.revision > max(1, store._replica.compact_revision):
            await masters.compact()
            were_cold += is_cold(masters.cold)
    assert were_cold
    head = await masters.cold.head()
    await ops.put(masters.cold, b"last", b"")
    seen = [await events(watcher, head + 1) for watcher in watchers]
    assert seen[0] == seen[1]
    assert all(event.prev_kv is None or event.prev_kv.value for event in seen[0])
    mark = masters.cold._replica.compact_revision
    past = [
        store.watch(WatchRequest(**ALL, prev_kv=True, start_revision=mark))
        for store in (masters.cold, masters.warm)
    ]
    replayed = [await events(watcher, head + 1) for watcher in past]
    assert replayed[0] == replayed[1]


def _any(rng: random.Random, step: int) -> Txn:
    """Some transaction; values are never empty, so that a missing one shows."""
    key, other = rng.sample(KEYS, 2)
    put = Put(key=key, value=b"%d of %d" % (step, rng.randrange(1000)), prev_kv=True)
    plain = Put(key=other, value=b"plain")
    same = Compare(key=other, target=CompareTarget.VALUE, operand=b"%d" % step)
    wide: list[Op] = [Delete(key=b"k1", end=b"k2", prev_kv=True), Range(**ALL)]
    return rng.choice(
        [
            Txn(success=(put,)),
            Txn(success=(put, Range(key=other))),
            Txn(success=(Delete(key=key, prev_kv=True),)),
            Txn(success=tuple(wide)),
            Txn(
                compares=(same,),
                success=(put,),
                failure=(Range(key=key), plain),
            ),
            Txn(success=(Range(key=key), plain)),
        ]
    )
