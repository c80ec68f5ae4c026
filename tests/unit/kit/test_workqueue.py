"""A dirty key reaches one worker, once, however often it is added."""

import asyncio

from appliance.kit.backoff import Backoff
from appliance.kit.clock import FakeClock
from appliance.kit.tasks import Tasks
from appliance.kit.workqueue import WorkQueue


async def test_a_key_that_changes_while_worked_on_comes_again_after_done() -> None:
    queue = WorkQueue(clock=FakeClock())
    queue.add("a")
    queue.add("a")
    assert await queue.get() == "a"
    queue.add("a")
    queue.add("a")
    queue.add("b")
    assert await queue.get() == "b", "a is in work: nobody else may take it"
    queue.done("a")
    assert await queue.get() == "a"
    queue.done("a")
    queue.done("b")
    assert queue.idle


async def test_keys_come_in_the_order_of_their_first_add() -> None:
    queue = WorkQueue(clock=FakeClock())
    for key in ("b", "a", "b", "c"):
        queue.add(key)
    assert [await queue.get() for _ in range(3)] == ["b", "a", "c"]


async def test_a_cancelled_taker_does_not_swallow_the_wake_up() -> None:
    queue = WorkQueue(clock=FakeClock())
    async with Tasks("test") as tasks:
        first = tasks.spawn("first", queue.get())
        second = tasks.spawn("second", queue.get())
        await asyncio.sleep(0)
        queue.add("a")
        first.cancel()
        assert await asyncio.wait_for(second, 1) == "a"


async def test_of_several_deadlines_the_earliest_counts_and_only_once() -> None:
    clock = FakeClock()
    queue = WorkQueue(clock=clock)
    async with Tasks("test") as tasks:
        tasks.spawn("timer", queue.keep_time())
        queue.add_after("a", 10)
        await asyncio.sleep(0)
        queue.add_after("a", 2)
        queue.add_after("b", 5)
        await clock.advance(1.9)
        assert len(queue) == 0
        await clock.advance(0.2)
        assert await queue.get() == "a"
        queue.done("a")
        await clock.advance(60)
        assert await queue.get() == "b"
        assert len(queue) == 0


async def test_an_earlier_deadline_wakes_the_timer_once_not_for_ever() -> None:
    clock = CountingClock()
    queue = WorkQueue(clock=clock)
    async with Tasks("test") as tasks:
        _ = tasks.spawn("timer", queue.keep_time())
        for seconds in (100, 50, 10):
            queue.add_after(f"in {seconds}", seconds)
            await asyncio.sleep(0)
        for _ in range(100):
            await asyncio.sleep(0)
        assert clock.sleeps <= 3


async def test_pauses_grow_with_failures_and_start_over_when_forgotten() -> None:
    queue = WorkQueue(clock=FakeClock(), backoff=Backoff(base_s=1, maximum_s=5))
    assert [queue.add_failed("a") for _ in range(4)] == [1, 2, 4, 5]
    queue.forget("a")
    assert queue.add_failed("a") == 1


async def test_no_pause_is_an_add() -> None:
    queue = WorkQueue(clock=FakeClock())
    queue.add_after("a", 0)
    assert await queue.get() == "a"


class CountingClock(FakeClock):
    """Counts how often somebody lies down."""

    def __init__(self) -> None:
        super().__init__()
        self.sleeps = 0

    async def sleep(self, seconds: float) -> None:
        self.sleeps += 1
        await super().sleep(seconds)
