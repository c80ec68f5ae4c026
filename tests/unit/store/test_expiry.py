"""Leases are revoked at their deadlines, and nothing ticks in between."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from appliance.kit.clock import FakeClock
from appliance.kit.tasks import Tasks
from appliance.store.errors import NoSpace
from appliance.store.expiry import Expiry
from appliance.store.mvcc.leasing import LeaseBook


class CountingClock(FakeClock):
    """Counts how often anyone goes to sleep."""

    sleeps = 0

    async def sleep(self, seconds: float) -> None:
        self.sleeps += 1
        await super().sleep(seconds)


class Desk:
    """A book with an expiry, and what was revoked when."""

    def __init__(self) -> None:
        self.clock = CountingClock(start=0.0)
        self.book = LeaseBook(min_ttl_s=1)
        self.tasks = Tasks("test", self.clock)
        self.expiry = Expiry(self.book, self.revoke, self.clock, self.tasks)
        self.revoked: list[tuple[int, float]] = []
        self.refuse = 0

    async def revoke(self, lease_id: int) -> None:
        if self.refuse:
            self.refuse -= 1
            raise NoSpace
        self.book.get(lease_id)
        self.book.drop(lease_id)
        self.revoked.append((lease_id, self.clock.monotonic()))

    async def grant(self, lease_id: int, ttl_s: int) -> None:
        self.book.grant(ttl_s, lease_id, self.clock.monotonic())
        self.expiry.changed()
        await asyncio.sleep(0)  # let the alarm be set before time moves


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    desk = Desk()
    yield desk
    await desk.tasks.close()


async def test_each_lease_ends_at_its_deadline(desk: Desk) -> None:
    await desk.grant(1, 30)
    await desk.grant(2, 10)
    await desk.grant(3, 20)
    await desk.grant(4, 20)
    await desk.clock.advance(31)
    assert desk.revoked == [(2, 10.0), (3, 20.0), (4, 20.0), (1, 30.0)]


async def test_a_renewed_lease_lives_on(desk: Desk) -> None:
    await desk.grant(1, 10)
    await desk.clock.advance(9)
    desk.book.get(1).deadline = 19.0
    await desk.clock.advance(9.5)
    assert desk.revoked == []
    await desk.clock.advance(1)
    assert desk.revoked == [(1, 19.0)]


async def test_nothing_ticks(desk: Desk) -> None:
    desk.expiry.changed()
    await desk.clock.advance(3600)
    assert desk.clock.sleeps == 0
    await desk.grant(1, 3600)
    await desk.grant(2, 7200)
    await desk.clock.advance(3599)
    assert desk.clock.sleeps == 1, "one alarm for all leases"


async def test_a_refused_revocation_is_tried_again(desk: Desk) -> None:
    desk.refuse = 2
    await desk.grant(1, 10)
    await desk.clock.advance(30)
    assert desk.revoked == [(1, 20.0)]


async def test_a_lease_revoked_by_its_owner_is_no_error(desk: Desk) -> None:
    await desk.grant(1, 10)
    desk.book.drop(1)
    await desk.grant(2, 20)
    await desk.clock.advance(21)
    assert desk.revoked == [(2, 20.0)]
