"""Any mix of requests against the model, the same answers: strategies, and the common rules."""

import asyncio

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from appliance.kit.clock import FakeClock
from appliance.store.base import (
    FROM_KEY,
    NO_END,
    Compare,
    CompareResult,
    CompareTarget,
    Delete,
    Event,
    Op,
    Put,
    Range,
    SortOrder,
    SortTarget,
    Store,
    Txn,
    WatchRequest,
)
from appliance.store.errors import StoreError
from appliance.store.memory import MemoryStore
from appliance.store.options import StoreOptions

OPTIONS = StoreOptions(
    compact_step=2, value_cache_bytes=700, watch_page_revisions=3, inline_commit_below_s=1.0
)
keys = st.sampled_from([b"a", b"a/1", b"a/2", b"b", b"b\xff", b"c\x00"])
ends = st.sampled_from([NO_END, NO_END, FROM_KEY, b"a0", b"b", b"c"])
values = st.sampled_from([b"", b"1", b"2", b"long" * 50])
leases = st.sampled_from([0, 0, 0, 1, 2])
puts = st.builds(
    Put,
    key=keys,
    value=values,
    lease=leases,
    prev_kv=st.booleans(),
    ignore_value=st.just(False),
    ignore_lease=st.just(False),
) | st.builds(Put, key=keys, ignore_value=st.booleans(), ignore_lease=st.booleans())
deletes = st.builds(Delete, key=keys, end=ends, prev_kv=st.booleans())
ranges = st.builds(
    Range,
    key=keys,
    end=ends,
    revision=st.integers(0, 30),
    limit=st.integers(0, 3),
    sort_order=st.sampled_from(SortOrder),
    sort_target=st.sampled_from([SortTarget.KEY, SortTarget.MOD, SortTarget.CREATE]),
    keys_only=st.booleans(),
    count_only=st.booleans(),
    min_mod_revision=st.sampled_from([0, 0, 3]),
)
compares = st.builds(
    Compare,
    key=keys,
    end=ends,
    target=st.sampled_from(
        [CompareTarget.VERSION, CompareTarget.CREATE, CompareTarget.MOD, CompareTarget.LEASE]
    ),
    result=st.sampled_from(CompareResult),
    operand=st.integers(0, 6),
)


def txns(ops: st.SearchStrategy[Op]) -> st.SearchStrategy[Txn]:
    some = st.lists(ops, max_size=3).map(tuple)
    return st.builds(
        Txn, compares=st.lists(compares, max_size=2).map(tuple), success=some, failure=some
    )


plain_ops: st.SearchStrategy[Op] = puts | deletes | ranges
any_txn = txns(plain_ops | txns(plain_ops))


async def outcome(store: Store, request: Txn | Range) -> object:
    try:
        if isinstance(request, Txn):
            return await store.txn(request)
        return await store.range(request)
    except StoreError as error:
        return type(error), str(error)


async def history(store: Store) -> list[Event] | str:
    """All that a watch from the beginning of history shows."""
    status = await store.status()
    watcher = store.watch(
        WatchRequest(
            key=FROM_KEY, end=FROM_KEY, start_revision=max(1, status.compact_revision), prev_kv=True
        )
    )
    watcher.progress()
    seen: list[Event] = []
    async with asyncio.timeout(5):
        while True:
            batch = await anext(watcher)
            if not batch.events:
                watcher.close()
                return seen
            seen += batch.events


class Machine(RuleBasedStateMachine):
    """The same steps on a store and on the model."""

    store: Store

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.clock = FakeClock()
        self.run = self.runner.run
        self.model = MemoryStore(self.clock, OPTIONS)

    @rule(request=any_txn)
    def txn(self, request: Txn) -> None:
        assert self.asked(self.store, request) == self.asked(self.model, request)

    @rule(request=ranges)
    def range(self, request: Range) -> None:
        assert self.asked(self.store, request) == self.asked(self.model, request)

    @rule(lease=st.sampled_from([1, 2]), gone=st.booleans())
    def lease(self, lease: int, gone: bool) -> None:
        async def one(store: Store) -> object:
            try:
                if gone:
                    return await store.lease_revoke(lease)
                return (await store.lease_grant(60, lease)).id
            except StoreError as error:
                return type(error)

        assert self.run(one(self.store)) == self.run(one(self.model))

    @rule(back=st.integers(-1, 10))
    def compact(self, back: int) -> None:
        async def one(store: Store) -> object:
            try:
                await store.compact((await store.status()).revision - back)
            except StoreError as error:
                return type(error)
            return None

        assert self.run(one(self.store)) == self.run(one(self.model))

    @invariant()
    def same_state(self) -> None:
        everything = Range(key=FROM_KEY, end=FROM_KEY)
        assert self.run(outcome(self.store, everything)) == self.run(
            outcome(self.model, everything)
        )

    @rule()
    def same_history(self) -> None:
        assert self.run(history(self.store)) == self.run(history(self.model))

    @rule()
    def same_leases(self) -> None:
        async def all_leases(store: Store) -> list[object]:
            infos = [await store.lease_info(one) for one in sorted(await store.lease_list())]
            return [(info.id, info.ttl_s, info.keys) for info in infos]

        assert self.run(all_leases(self.store)) == self.run(all_leases(self.model))

    def asked(self, store: Store, request: Txn | Range) -> object:
        """The answer, without what a kind of store leaves open."""
        return self.run(outcome(store, request))

    def teardown(self) -> None:
        self.run(self.store.close())
        self.run(self.model.close())
        self.runner.close()


class Together(Machine):
    """For stores that take requests in the order in which they are made."""

    @rule(requests=st.lists(any_txn, min_size=2, max_size=6))
    def concurrent_txns(self, requests: list[Txn]) -> None:
        async def together() -> list[object]:
            return list(await asyncio.gather(*(outcome(self.store, r) for r in requests)))

        expected = [self.run(outcome(self.model, request)) for request in requests]
        assert self.run(together()) == expected
