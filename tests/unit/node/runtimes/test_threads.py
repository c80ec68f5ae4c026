"""Blocking calls behind async ones."""

import asyncio
import threading

import pytest

from appliance.node.runtimes.base import Unreachable
from appliance.node.runtimes.threads import Threads


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
