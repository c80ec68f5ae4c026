"""Seats go round: a noisy client makes nobody else wait for more than a turn."""

import asyncio
from collections.abc import Awaitable

import pytest

from appliance.api.errors import TooManyRequests
from appliance.control.http.fairness import Fairness, Level, Shares
from appliance.control.registry.base import User


def level(seats: int = 2, per_flow: int = 2, waiting: int = 3, wait_s: float = 60.0) -> Level:
    return Level(Shares(seats=seats, per_flow=per_flow, waiting=waiting), wait_s=wait_s)


class Queue:
    """Requests that wait for a seat, and the order in which they got one."""

    def __init__(self, made: Level) -> None:
        self._level = made
        self.order: list[str] = []
        self.tasks: list[asyncio.Task[None]] = []

    async def add(self, *flows: str) -> None:
        for flow in flows:
            self.tasks.append(asyncio.ensure_future(self._take(flow)))
        await turn()

    async def _take(self, flow: str) -> None:
        await self._level.take(flow)
        self.order.append(flow)

    async def leave(self, flow: str) -> None:
        self._level.leave(flow)
        await turn()


async def turn() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def refused(taking: Awaitable[None]) -> None:
    with pytest.raises(TooManyRequests) as caught:
        await taking
    assert caught.value.details is not None
    assert caught.value.details.retry_after_s == 1


async def test_a_quiet_client_waits_one_turn_behind_a_noisy_one() -> None:
    queue = Queue(level())
    await queue.add("noisy", "noisy", "noisy", "noisy", "noisy", "quiet")
    assert queue.order == ["noisy", "noisy"]
    await queue.leave("noisy")
    await queue.leave("noisy")
    assert queue.order == ["noisy", "noisy", "noisy", "quiet"]
    await queue.leave("quiet")
    await queue.leave("noisy")
    assert queue.order[4:] == ["noisy", "noisy"]
    await asyncio.gather(*queue.tasks)


async def test_only_so_many_of_a_flow_wait() -> None:
    made = level(seats=1, waiting=1)
    queue = Queue(made)
    await queue.add("a", "a")
    await refused(made.take("a"))
    await queue.add("b")
    await queue.leave("a")
    await queue.leave("a")
    assert queue.order == ["a", "a", "b"]


async def test_no_flow_fills_a_level_by_itself() -> None:
    queue = Queue(level(seats=3, per_flow=2))
    await queue.add("slow", "slow", "slow", "other")
    assert queue.order == ["slow", "slow", "other"]
    await queue.leave("other")
    assert queue.order == ["slow", "slow", "other"], "the seat stays free for others"
    await queue.leave("slow")
    assert queue.order == ["slow", "slow", "other", "slow"]


async def test_who_waits_too_long_is_told_to_come_back_and_leaves_no_trace() -> None:
    made = level(seats=1, wait_s=0.01)
    await made.take("a")
    await refused(made.take("b"))
    made.leave("a")
    await made.take("c")


async def test_a_client_that_goes_away_takes_no_seat_with_it() -> None:
    made = level(seats=1)
    await made.take("a")
    queue = Queue(made)
    await queue.add("b", "b")
    queue.tasks[0].cancel()
    await turn()
    made.leave("a")  # the second of b gets it
    await turn()
    assert queue.order == ["b"]
    queue.tasks[1].cancel()
    made.leave("b")
    await made.take("c")


async def test_a_seat_that_comes_with_the_end_is_passed_on() -> None:
    made = level(seats=1)
    await made.take("a")
    queue = Queue(made)
    await queue.add("b", "c")
    made.leave("a")
    queue.tasks[0].cancel()  # b was given the seat, but has not heard of it yet
    await turn()
    assert queue.order == ["c"]


def test_levels_follow_from_who_asks() -> None:
    fairness = Fairness()
    admin = User(name="root", groups=("system:masters",))
    node = User(name="system:node:n1", groups=("system:nodes",))
    jane, joe = User(name="jane"), User(name="joe")
    assert len({fairness.level_of(u) for u in (admin, node, jane)}) == 3
    assert fairness.level_of(jane) is fairness.level_of(joe)
