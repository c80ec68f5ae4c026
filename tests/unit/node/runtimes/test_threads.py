"""Blocking calls behind async ones."""

import asyncio
import threading

import pytest

from appliance.node.runtimes.base import Unreachable
from appliance.node.runtimes.threads import Threads, Turns


async def test_slow_calls_do_not_keep_quick_ones_out() -> None:
    threads, gate = Threads("test", quick=1, slow=2), threading.Event()
    waiting = [asyncio.ensure_future(threads.slow(gate.wait, 5)) for _ in range(4)]
    try:
        assert await threads.quick(lambda: "answer") == "answer"
    finally:
        gate.set()
        assert await asyncio.gather(*waiting) == [True] * 4
        threads.close()


async def test_a_deadline_frees_the_caller() -> None:
    threads, gate = Threads("test"), threading.Event()
    try:
        with pytest.raises(Unreachable, match=r"within 0\.01 s"):
            await threads.quick(gate.wait, timeout_s=0.01)
    finally:
        gate.set()
        threads.close()


async def test_errors_reach_the_caller() -> None:
    threads = Threads("test")
    with pytest.raises(ZeroDivisionError):
        await threads.quick(lambda: 1 / 0)
    threads.close()


async def test_pods_that_have_begun_come_before_new_ones() -> None:
    turns, order = Turns(1), list[str]()

    async def take(name: str, *, later: bool) -> None:
        async with turns.one(later=later):
            order.append(name)

    async with turns.one(later=True):
        waiting = [
            asyncio.ensure_future(take("new 1", later=True)),
            asyncio.ensure_future(take("new 2", later=True)),
            asyncio.ensure_future(take("begun", later=False)),
        ]
        await asyncio.sleep(0)
        waiting[0].cancel()
        await asyncio.sleep(0)
    await asyncio.gather(*waiting[1:])
    assert order == ["begun", "new 2"]
    async with turns.one(later=True):
        order.append("free again")
    assert order[-1] == "free again"


async def test_a_turn_given_to_one_who_left_goes_on() -> None:
    turns = Turns(1)

    async def take() -> None:
        async with turns.one(later=False):
            pass

    async with turns.one(later=False):
        leaving = asyncio.ensure_future(take())
        await asyncio.sleep(0)
    leaving.cancel()  # after it was given the turn, before it woke
    with pytest.raises(asyncio.CancelledError):
        await leaving
    async with asyncio.timeout(1):
        await take()
