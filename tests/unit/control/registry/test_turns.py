"""Turns over a store that is shared: two registries on one, as two masters have it."""

import asyncio

import pytest

from appliance.api.errors import ServiceUnavailable
from appliance.control.registry.turns import Turn
from appliance.kit.clock import FakeClock
from appliance.store.base import Lease, Range, prefix_end
from appliance.store.errors import Unavailable
from appliance.store.memory import MemoryStore


class Shared(MemoryStore):
    shared = True


async def test_one_master_at_a_time() -> None:
    store = Shared()
    turns = [Turn(store, "services") for _ in range(3)]
    inside = 0
    most = 0

    async def work(turn: Turn) -> None:
        nonlocal inside, most
        async with turn:
            inside += 1
            most = max(most, inside)
            await asyncio.sleep(0)
            inside -= 1

    async with asyncio.timeout(10):
        await asyncio.gather(*(work(turn) for turn in turns for _ in range(5)))
    assert most == 1
    prefix = b"/appliance/turns/"
    assert (await store.range(Range(key=prefix, end=prefix_end(prefix)))).count == 0
    assert await store.lease_list() == []


async def test_a_turn_of_a_master_that_ended_runs_out() -> None:
    clock = FakeClock()
    store = Shared(clock)
    dead = Turn(store, "services")
    await dead.__aenter__()  # and never leaves
    waiting = asyncio.ensure_future(Turn(store, "services").__aenter__())
    await clock.advance(9)
    assert not waiting.done()
    await clock.advance(2)
    async with asyncio.timeout(5):
        await waiting


async def test_alone_nothing_is_written() -> None:
    store = MemoryStore()
    async with Turn(store, "services"):
        assert await store.head() == 1
        assert await store.lease_list() == []


async def test_a_store_that_does_not_answer_gives_no_turn() -> None:
    class Silent(Shared):
        async def lease_grant(self, ttl_s: int, lease_id: int = 0) -> Lease:
            raise Unavailable(f"no lease {lease_id} of {ttl_s} s")

    turn = Turn(Silent(), "services")
    for _ in range(2):  # the second finds the lock of the first free
        with pytest.raises(ServiceUnavailable):
            await turn.__aenter__()
