import asyncio

import pytest

from appliance.kit.tasks import Tasks
from appliance.store.errors import Unavailable
from appliance.store.sharedread import SharedRead


class Source:
    """Answers with how often it was asked, when it is let."""

    def __init__(self) -> None:
        self.began = 0
        self.asked = asyncio.Event()
        self.let = asyncio.Event()
        self.fails = False

    async def read(self) -> int:
        self.began += 1
        self.asked.set()
        mine = self.began
        await self.let.wait()
        if self.fails:
            raise Unavailable
        return mine


async def test_who_asks_during_a_read_gets_the_next_one() -> None:
    source = Source()
    async with Tasks("test") as tasks:
        shared = SharedRead(source.read, tasks)
        early = [asyncio.ensure_future(shared.ask()) for _ in range(10)]
        await source.asked.wait()
        late = [asyncio.ensure_future(shared.ask()) for _ in range(10)]
        await asyncio.sleep(0)
        source.let.set()
        assert await asyncio.gather(*early) == [1] * 10
        assert await asyncio.gather(*late) == [2] * 10
        assert source.began == 2


async def test_a_failed_read_fails_those_who_waited_for_it_alone() -> None:
    source = Source()
    source.let.set()
    source.fails = True
    async with Tasks("test") as tasks:
        shared = SharedRead(source.read, tasks)
        gone = asyncio.ensure_future(shared.ask())
        await asyncio.sleep(0)
        gone.cancel()
        with pytest.raises(Unavailable):
            await shared.ask()
        source.fails = False
        assert await shared.ask() == source.began
