"""Quotas of prefixes: what is refused, what goes through, and what counts."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from appliance.kit.clock import FakeClock
from appliance.kit.tasks import Tasks
from appliance.store import ops
from appliance.store.base import Compare, CompareTarget, Delete, Put, Range, Txn
from appliance.store.errors import NoSpace, PrefixFull
from appliance.store.memory import MemoryStore
from appliance.store.options import StoreOptions
from appliance.store.prefixquota import BOOK, PrefixQuotas

LIMIT = 1_000
A, B, C = b"p/a", b"p/b", b"p/c"


class Bounded:
    def __init__(self, clock: FakeClock) -> None:
        self.quotas = PrefixQuotas({b"p/": LIMIT})
        self.store = MemoryStore(clock, StoreOptions(admit=self.quotas.hook))

    @property
    def used(self) -> int:
        return self.quotas.quotas[0].used_bytes


@pytest.fixture
async def bounded() -> AsyncIterator[Bounded]:
    clock = FakeClock()
    made = Bounded(clock)
    async with Tasks("test", clock) as tasks:
        await ops.put(made.store, A, b"x" * 597)  # was there before
        await made.quotas.start(made.store, tasks)
        yield made
    await made.store.close()


async def _put(bounded: Bounded, key: bytes, size: int) -> None:
    await ops.put(bounded.store, key, b"x" * size)
    await _turns()


async def _turns() -> None:
    """Let the watch tell what was committed."""
    for _ in range(5):
        await asyncio.sleep(0)


async def test_a_new_key_must_fit(bounded: Bounded) -> None:
    assert bounded.used == 600
    with pytest.raises(PrefixFull) as refused:
        await _put(bounded, B, 398)
    assert str(refused.value) == (
        "etcdserver: mvcc: database space exceeded: p/ holds 600 bytes of its quota of 1000;"
        " delete some of it, or raise --prefix-quota"
    )
    assert isinstance(refused.value, NoSpace)
    await _put(bounded, B, 397)
    await _put(bounded, b"elsewhere", 5_000)


async def test_what_is_there_may_grow_by_a_tenth_and_always_shrink(bounded: Bounded) -> None:
    await _put(bounded, B, 397)
    with pytest.raises(PrefixFull):
        await _put(bounded, C, 0)
    await _put(bounded, A, 697)
    assert bounded.used == 1_100
    with pytest.raises(PrefixFull):
        await _put(bounded, A, 698)
    await _put(bounded, A, 600)


async def test_room_that_was_made_counts_at_once(bounded: Bounded) -> None:
    await _put(bounded, B, 397)
    await ops.delete(bounded.store, A)
    await _turns()
    await _put(bounded, C, 500)
    await bounded.store.lease_grant(60, 7)
    await ops.delete(bounded.store, C)
    await _turns()
    await ops.put(bounded.store, C, b"x" * 500, 7)
    await bounded.store.lease_revoke(7)
    await _turns()
    await _put(bounded, A, 590)


async def test_both_branches_of_a_transaction_are_looked_at(bounded: Bounded) -> None:
    large = Put(key=B, value=b"x" * 500)
    never = Compare(key=b"no", target=CompareTarget.MOD, operand=7)
    for request in (
        Txn(success=(large,)),
        Txn(compares=(never,), failure=(large,)),
        Txn(success=(Txn(failure=(large,)),)),
        Txn(success=(Put(key=B, value=b"x" * 300), Put(key=C, value=b"x" * 300))),
    ):
        with pytest.raises(PrefixFull):
            await bounded.store.txn(request)
    assert (await bounded.store.range(Range(key=b"p/", end=b"p0"))).count == 1
    await bounded.store.txn(Txn(success=(Delete(key=A), large)))


async def test_which_quotas_there_are_is_noted(bounded: Bounded) -> None:
    assert await bounded.store.notes(BOOK) == {b"p/".hex(): b"1000"}
    async with Tasks("test") as tasks:
        await PrefixQuotas({}).start(bounded.store, tasks)
    assert await bounded.store.notes(BOOK) == {}


async def test_after_being_cut_off_all_is_counted_again() -> None:
    clock = FakeClock()
    bounded = Bounded(clock)
    async with Tasks("test", clock) as tasks:
        await bounded.quotas.start(bounded.store, tasks)
        bounded.store._hub.cut(NoSpace())
        await _put(bounded, A, 597)
        await clock.advance(60)
        await _turns()
        assert bounded.used == 600
        await _put(bounded, B, 97)
        assert bounded.used == 700
    await bounded.store.close()
