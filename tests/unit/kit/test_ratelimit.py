"""Tries are counted by key and forgiven over time."""

from appliance.kit.clock import FakeClock
from appliance.kit.ratelimit import RateLimit


async def test_a_burst_then_a_trickle() -> None:
    clock = FakeClock()
    limit = RateLimit(clock, burst=2, per_s=0.5)
    for _ in range(2):
        assert limit.wait_s("a") == 0
        limit.spend("a")
    assert limit.wait_s("a") == 2.0
    assert limit.wait_s("b") == 0
    await clock.advance(2.0)
    assert limit.wait_s("a") == 0
    limit.spend("a")
    assert limit.wait_s("a") == 2.0
    await clock.advance(3600)
    limit.spend("a")
    limit.spend("a")
    assert limit.wait_s("a") == 2.0, "rest does not save up more than a burst"


def test_strangers_do_not_fill_the_memory() -> None:
    limit = RateLimit(FakeClock(), burst=1, per_s=0.5)
    limit.spend("first")
    for number in range(1024):
        limit.spend(str(number))
    assert limit.wait_s("first") == 0, "forgotten"
    assert limit.wait_s("1023") == 2.0
