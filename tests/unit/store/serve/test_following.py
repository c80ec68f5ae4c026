"""Several masters over one store: what one changes of users and alarms the others know."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from appliance.kit.clock import FakeClock
from appliance.kit.tasks import Tasks
from appliance.store.memory import MemoryStore
from appliance.store.serve import alarms as of_alarms
from appliance.store.serve.alarms import NOSPACE, Alarms
from appliance.store.serve.auth import book as of_auth
from appliance.store.serve.auth.book import AuthBook
from appliance.store.serve.following import follow


class SharedStore(MemoryStore):
    notes_are_shared = True


@pytest.fixture
async def shared(clock: FakeClock) -> AsyncIterator[SharedStore]:
    store = SharedStore(clock)
    yield store
    await store.close()


async def _settle() -> None:
    for _ in range(30):
        await asyncio.sleep(0)


async def test_the_others_read_anew(shared: SharedStore, clock: FakeClock) -> None:
    mine, theirs = AuthBook(shared), AuthBook(shared)
    my_alarms, their_alarms = Alarms(shared), Alarms(shared)
    async with Tasks("test", clock) as tasks:
        follow(shared, of_auth.BOOK, theirs.load, tasks)
        follow(shared, of_alarms.BOOK, their_alarms.load, tasks)
        await _settle()
        await mine.add_role("reader")
        await my_alarms.raise_(1, NOSPACE)
        await _settle()
        assert theirs.state == mine.state
        assert their_alarms.on() == [(1, NOSPACE)]
        await my_alarms.lift(1, NOSPACE)
        await _settle()
        assert their_alarms.on() == []


async def test_alone_nothing_is_touched(store: MemoryStore) -> None:
    await AuthBook(store).add_role("reader")
    assert (await store.status()).revision == 1
