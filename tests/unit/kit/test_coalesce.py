"""However many pokes: one run at once, and then at most one per interval."""

import asyncio

from appliance.kit.clock import FakeClock
from appliance.kit.coalesce import Coalesce
from appliance.kit.tasks import Tasks


async def test_the_first_poke_runs_at_once_the_next_wait_and_fold() -> None:
    clock = FakeClock()
    wish = Coalesce(clock, every_s=1.0)
    runs: list[float] = []

    async def loop() -> None:
        while True:
            await wish.wait()
            runs.append(clock.monotonic())

    started = clock.monotonic()
    async with Tasks("test") as tasks:
        _ = tasks.spawn("loop", loop())
        for _ in range(3):
            wish.poke()
        await turn()
        assert runs == [started]
        wish.poke()
        await turn()
        wish.poke()
        assert runs == [started]
        await clock.advance(1.0)
        assert runs == [started, started + 1.0]
        await clock.advance(60)
        assert len(runs) == 2, "nobody poked"


async def turn() -> None:
    for _ in range(5):
        await asyncio.sleep(0)
