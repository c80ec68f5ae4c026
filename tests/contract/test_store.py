"""What every `Store` promises, run on each implementation."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from appliance.kit.clock import FakeClock, SystemClock
from appliance.store import ops
from appliance.store.base import (
    FROM_KEY,
    Compare,
    CompareResult,
    CompareTarget,
    Delete,
    DeleteResult,
    EventKind,
    Put,
    PutResult,
    Range,
    RangeResult,
    SortOrder,
    SortTarget,
    Store,
    Txn,
    TxnResult,
    WatchBatch,
    Watcher,
    WatchRequest,
    prefix_end,
)
from appliance.store.errors import (
    Closed,
    Compacted,
    DuplicateKey,
    EmptyKey,
    EmptyRange,
    FutureRevision,
    KeyNotFound,
    LeaseExists,
    LeaseNotFound,
    LeaseProvided,
    LeaseTtlTooLarge,
    StoreError,
    TooLarge,
    TooManyOps,
    ValueProvided,
)
from appliance.store.memory import MemoryStore
from appliance.store.notes import Notes
from appliance.store.options import StoreOptions
from appliance.store.remote.store import EtcdStore
from appliance.store.sql.postgres.store import PostgresStore
from appliance.store.sql.store import SqlStore
from tests.contract.databases import PostgresServer, etcd, postgres

ALL = {"key": FROM_KEY, "end": FROM_KEY}
Open = Callable[[StoreOptions], Awaitable[Store]]


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


FAKE_TIME = ["memory", "sql-inline", "sql-thread"]
REAL_TIME = ["etcd", "postgres"]
KEEPS_NOTES = [*FAKE_TIME, "postgres"]


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    with postgres() as server:
        yield server


@pytest.fixture(params=[*FAKE_TIME, *REAL_TIME])
async def open_store(
    request: pytest.FixtureRequest, tmp_path: Path, clock: FakeClock
) -> AsyncIterator[Open]:
    """Opens empty stores of one kind; for SQLite with each of its two ways to commit."""
    opened: list[Store] = []
    async with AsyncExitStack() as stack:

        async def open_one(options: StoreOptions) -> Store:
            store: Store
            if request.param == "memory":
                store = MemoryStore(clock, options)
            elif request.param == "etcd":
                member = stack.enter_context(etcd(tmp_path / f"etcd-{len(opened)}"))
                store = await EtcdStore.open(member.address, options, SystemClock())
            elif request.param == "postgres":
                server: PostgresServer = request.getfixturevalue("postgres_server")
                schema = f"s{uuid.uuid4().hex}"
                server.make_schema(schema)
                store = await PostgresStore.open(server.conninfo(schema), options, SystemClock())
            else:
                inline_s = 1.0 if request.param == "sql-inline" else 0.0
                options = replace(options, inline_commit_below_s=inline_s)
                store = await SqlStore.open(tmp_path / f"{len(opened)}.db", options, clock)
            opened.append(store)
            stack.push_async_callback(store.close)
            return store

        yield open_one


def on_stores(kinds: list[str]) -> pytest.MarkDecorator:
    """Run a test on these alone."""
    return pytest.mark.parametrize("open_store", kinds, indirect=True)


@pytest.fixture
async def store(open_store: Open) -> Store:
    return await open_store(StoreOptions())


async def fill(store: Store, *keys: bytes) -> None:
    for key in keys:
        await ops.put(store, key, b"v" + key)


async def take(watcher: Watcher, events: int) -> list[tuple[str, bytes, bytes, int]]:
    """The next events of a watcher, until there are so many."""
    seen: list[tuple[str, bytes, bytes, int]] = []
    async with asyncio.timeout(5):
        while len(seen) < events:
            batch = await anext(watcher)
            seen += [(e.kind.name, e.kv.key, e.kv.value, e.kv.mod_revision) for e in batch.events]
    return seen


async def silent(watcher: Watcher) -> bool:
    """Whether everything so far has been delivered: the next batch is pure progress."""
    watcher.progress()
    async with asyncio.timeout(5):
        return (await anext(watcher)).events == ()


# Revisions


async def test_story_of_a_key(store: Store) -> None:
    assert (await store.status()).revision == 1
    await ops.put(store, b"a", b"1")
    await ops.put(store, b"a", b"2")
    kv = await ops.get(store, b"a")
    assert kv is not None
    assert (kv.value, kv.create_revision, kv.mod_revision, kv.version) == (b"2", 2, 3, 2)
    assert (await ops.delete(store, b"a")).deleted == 1
    assert await ops.get(store, b"a") is None
    await ops.put(store, b"a", b"3")
    kv = await ops.get(store, b"a")
    assert kv is not None
    assert (kv.create_revision, kv.mod_revision, kv.version) == (5, 5, 1)


async def test_what_changes_nothing_takes_no_revision(store: Store) -> None:
    assert (await ops.delete(store, b"missing")).deleted == 0
    await store.txn(Txn(success=(Range(key=b"a"),)))
    await store.txn(Txn())
    await store.lease_grant(60)
    await store.compact(1)
    assert (await store.status()).revision == 1


async def test_the_head_is_the_newest_revision(store: Store) -> None:
    assert await store.head() == 1
    await fill(store, b"a", b"b")
    heads = await asyncio.gather(*(store.head() for _ in range(20)))
    assert heads == [3] * 20


async def test_concurrent_writes_get_revisions_of_their_own(store: Store) -> None:
    async with asyncio.TaskGroup() as group:
        puts = [group.create_task(ops.put(store, b"k%d" % n, b"")) for n in range(50)]
    assert sorted(put.result().revision for put in puts) == list(range(2, 52))
    assert (await store.range(Range(**ALL, count_only=True))).count == 50


async def test_one_transaction_has_one_revision(store: Store) -> None:
    await fill(store, b"x", b"y")
    result = await store.txn(
        Txn(success=(Put(key=b"b", value=b"1"), Put(key=b"a"), Delete(key=b"x", end=b"z")))
    )
    assert result.revision == 4
    assert (await store.status()).revision == 4
    assert [kv.mod_revision for kv in (await store.range(Range(**ALL))).kvs] == [4, 4]


# Reads


async def test_ranges(store: Store) -> None:
    await fill(store, b"a", b"a/1", b"a/2", b"b", b"a\xff")
    cases: list[tuple[bytes, bytes, list[bytes]]] = [
        (b"a", b"", [b"a"]),
        (b"a/", prefix_end(b"a/"), [b"a/1", b"a/2"]),
        (b"a/2", FROM_KEY, [b"a/2", b"a\xff", b"b"]),
        (FROM_KEY, FROM_KEY, [b"a", b"a/1", b"a/2", b"a\xff", b"b"]),
        (b"b", b"a", []),
        (b"b", b"b", []),
        (b"a\xff", prefix_end(b"a\xff"), [b"a\xff"]),
    ]
    for key, end, expected in cases:
        found = await store.range(Range(key=key, end=end))
        assert [kv.key for kv in found.kvs] == expected, (key, end)
        assert found.count == len(expected)


async def test_limit_count_and_more(store: Store) -> None:
    await fill(store, b"a", b"b", b"c")
    found = await store.range(Range(**ALL, limit=2))
    assert (len(found.kvs), found.count, found.more) == (2, 3, True)
    found = await store.range(Range(**ALL, limit=3))
    assert (len(found.kvs), found.count, found.more) == (3, 3, False)
    found = await store.range(Range(**ALL, limit=1, count_only=True))
    assert (len(found.kvs), found.count, found.more) == (0, 3, False)
    found = await store.range(Range(**ALL, keys_only=True, limit=-1))
    assert [(kv.key, kv.value) for kv in found.kvs] == [(b"a", b""), (b"b", b""), (b"c", b"")]


async def test_sort_and_filters(store: Store) -> None:
    await ops.put(store, b"b", b"1")
    await ops.put(store, b"a", b"3")
    await ops.put(store, b"c", b"2")
    await ops.put(store, b"b", b"4")
    cases: list[tuple[Range, list[bytes]]] = [
        (Range(**ALL, sort_order=SortOrder.DESCEND), [b"c", b"b", b"a"]),
        (Range(**ALL, sort_target=SortTarget.CREATE), [b"b", b"a", b"c"]),
        (Range(**ALL, sort_target=SortTarget.MOD, sort_order=SortOrder.DESCEND, limit=1), [b"b"]),
        (Range(**ALL, sort_target=SortTarget.VALUE, keys_only=True), [b"c", b"a", b"b"]),
        (
            Range(**ALL, sort_target=SortTarget.VERSION, sort_order=SortOrder.ASCEND, limit=1),
            [b"a"],
        ),
        (Range(**ALL, min_mod_revision=4), [b"b", b"c"]),
        (Range(**ALL, max_mod_revision=3), [b"a"]),
        (Range(**ALL, min_create_revision=3, max_create_revision=3), [b"a"]),
    ]
    for request, expected in cases:
        found = await store.range(request)
        assert [kv.key for kv in found.kvs] == expected, request
        assert found.count == 3


async def test_reads_of_the_past(store: Store) -> None:
    await fill(store, b"a", b"b")
    await ops.put(store, b"a", b"new")
    await ops.delete(store, b"b")
    old = await store.range(Range(**ALL, revision=3))
    assert [(kv.key, kv.value) for kv in old.kvs] == [(b"a", b"va"), (b"b", b"vb")]
    assert old.revision == 5
    assert await ops.get(store, b"b", revision=2) is None
    assert await ops.get(store, b"b", revision=5) is None
    with pytest.raises(FutureRevision):
        await store.range(Range(key=b"a", revision=6))
    with pytest.raises(EmptyKey):
        await store.range(Range(key=b""))


# Transactions


def on(key: bytes, target: CompareTarget, result: CompareResult, operand: int | bytes) -> Compare:
    return Compare(key=key, target=target, result=result, operand=operand)


async def test_compares(store: Store) -> None:
    lease = await store.lease_grant(60)
    await ops.put(store, b"a", b"m", lease.id)
    await ops.put(store, b"a", b"m", lease.id)
    target, is_ = CompareTarget, CompareResult
    cases = [
        (on(b"a", target.VERSION, is_.EQUAL, 2), True),
        (on(b"a", target.CREATE, is_.LESS, 3), True),
        (on(b"a", target.MOD, is_.GREATER, 3), False),
        (on(b"a", target.MOD, is_.NOT_EQUAL, 2), True),
        (on(b"a", target.VALUE, is_.LESS, b"n"), True),
        (on(b"a", target.LEASE, is_.EQUAL, lease.id), True),
        (on(b"none", target.MOD, is_.EQUAL, 0), True),
        (on(b"none", target.VALUE, is_.NOT_EQUAL, b"x"), False),
        (Compare(key=b"a", end=b"b", target=target.VERSION, operand=2), True),
        (Compare(key=b"b", end=b"c", target=target.CREATE, result=is_.GREATER, operand=0), False),
    ]
    for compare, expected in cases:
        assert (await store.txn(Txn(compares=(compare,)))).succeeded is expected, compare


async def test_create_update_delete_as_an_api_server_does(store: Store) -> None:
    def expect(mod: int, *then: Put | Delete) -> Txn:
        compare = Compare(key=b"k", target=CompareTarget.MOD, operand=mod)
        return Txn(compares=(compare,), success=then, failure=(Range(key=b"k"),))

    made = await store.txn(expect(0, Put(key=b"k", value=b"1")))
    assert made == TxnResult(2, True, (PutResult(2),))
    again = await store.txn(expect(0, Put(key=b"k", value=b"x")))
    assert not again.succeeded
    (seen,) = again.results
    assert isinstance(seen, RangeResult)
    assert seen.kvs[0].value == b"1"
    assert (await store.txn(expect(2, Put(key=b"k", value=b"2")))).succeeded
    gone = await store.txn(expect(3, Delete(key=b"k", prev_kv=True)))
    (result,) = gone.results
    assert isinstance(result, DeleteResult)
    assert (result.deleted, result.prev_kvs[0].value, gone.revision) == (1, b"2", 4)


async def test_operations_of_a_transaction_see_each_other(store: Store) -> None:
    result = await store.txn(
        Txn(
            success=(
                Range(key=b"a"),
                Put(key=b"a", value=b"1"),
                Range(key=b"a"),
                Txn(
                    compares=(on(b"a", CompareTarget.MOD, CompareResult.EQUAL, 0),),
                    success=(Put(key=b"b"), Range(**ALL, count_only=True)),
                ),
            )
        )
    )
    before, _, after, nested = result.results
    assert isinstance(before, RangeResult)
    assert isinstance(after, RangeResult)
    assert isinstance(nested, TxnResult)
    assert (before.count, after.count, after.kvs[0].mod_revision) == (0, 1, 2)
    assert nested.succeeded, "compares of nested transactions see the state before all of it"
    assert isinstance(nested.results[1], RangeResult)
    assert nested.results[1].count == 2
    assert result.revision == 2


async def test_an_open_end_may_take_along_what_the_same_transaction_puts(store: Store) -> None:
    """etcd's own exception: it does not see the overlap, and does both, in order."""
    both = (Put(key=b"k", value=b"1"), Delete(key=b"a", end=FROM_KEY))
    assert (await store.txn(Txn(success=both))).revision == 2
    assert await ops.get(store, b"k") is None
    await store.txn(Txn(success=both[::-1]))
    kv = await ops.get(store, b"k")
    assert kv is not None
    assert kv.version == 1


async def test_malformed_transactions_leave_nothing_behind(store: Store) -> None:
    await fill(store, b"a")
    put = Put(key=b"k")
    many = tuple(Put(key=b"%d" % n) for n in range(129))
    cases: list[tuple[type[StoreError], Txn]] = [
        (EmptyKey, Txn(success=(Put(key=b""),))),
        (EmptyKey, Txn(success=(put, Txn(failure=(Delete(key=b"", end=b"z"),))))),
        (EmptyKey, Txn(compares=(on(b"", CompareTarget.MOD, CompareResult.EQUAL, 0),))),
        (DuplicateKey, Txn(success=(put, put))),
        (DuplicateKey, Txn(success=(put, Delete(key=b"a", end=b"z")))),
        (DuplicateKey, Txn(success=(Delete(key=b"a", end=b"z"), put))),
        (DuplicateKey, Txn(success=(put, Txn(failure=(put,))))),
        (TooManyOps, Txn(success=many)),
        (TooManyOps, Txn(success=(*many[:126], Txn(success=many[127:129])))),
        (TooLarge, Txn(success=(Put(key=b"k", value=bytes(1_600_000)),))),
        (ValueProvided, Txn(success=(Put(key=b"a", value=b"x", ignore_value=True),))),
        (LeaseProvided, Txn(success=(Put(key=b"a", lease=1, ignore_lease=True),))),
        (KeyNotFound, Txn(success=(put, Put(key=b"none", ignore_value=True)))),
        (KeyNotFound, Txn(success=(put, Put(key=b"none", ignore_lease=True)))),
        (LeaseNotFound, Txn(success=(put, Put(key=b"b", lease=404)))),
        (FutureRevision, Txn(success=(put, Range(key=b"a", revision=99)))),
        (Compacted, Txn(success=(put, Range(key=b"a", revision=-2)))),
    ]
    for error, request in cases:
        with pytest.raises(error):
            await store.txn(request)
    assert (await store.range(Range(**ALL))).count == 1
    assert (await store.status()).revision == 2


async def test_well_formed_corner_cases_are_accepted(store: Store) -> None:
    put = Put(key=b"k")
    await store.txn(Txn(success=(put,), failure=(put,)))
    await store.txn(Txn(success=(Txn(success=(put,), failure=(Delete(key=b"k"),)),)))
    await store.txn(Txn(success=(Delete(key=b"a", end=b"z"), Delete(key=b"k"))))
    many = tuple(Put(key=b"%d" % n) for n in range(127))
    await store.txn(Txn(success=(*many[:126], Txn(success=many[126:]))))
    assert (await store.range(Range(**ALL))).count == 127


async def test_ignore_value_and_ignore_lease(store: Store) -> None:
    lease = await store.lease_grant(60)
    await ops.put(store, b"a", b"1", lease.id)
    await store.txn(Txn(success=(Put(key=b"a", ignore_value=True, ignore_lease=True),)))
    kv = await ops.get(store, b"a")
    assert kv is not None
    assert (kv.value, kv.lease, kv.version) == (b"1", lease.id, 2)
    put = await ops.put(store, b"a", b"2", prev_kv=True)
    assert put.prev_kv == kv
    assert (await store.lease_info(lease.id)).keys == ()


# Watches


async def test_a_watch_sees_changes_from_now_on(store: Store) -> None:
    await fill(store, b"a")
    watcher = store.watch(WatchRequest(key=b"a"))
    await fill(store, b"a", b"aa", b"b")
    await ops.delete(store, b"a")
    assert await take(watcher, 2) == [("PUT", b"a", b"va", 3), ("DELETE", b"a", b"", 6)]
    assert await silent(watcher)
    watcher.close()
    watcher.close()
    with pytest.raises(StopAsyncIteration):
        await anext(watcher)


async def test_a_watch_from_the_past_replays_then_follows(store: Store) -> None:
    await fill(store, b"a", b"b", b"a")
    watcher = store.watch(WatchRequest(**ALL, start_revision=3))
    assert await take(watcher, 2) == [("PUT", b"b", b"vb", 3), ("PUT", b"a", b"va", 4)]
    await fill(store, b"c")
    assert await take(watcher, 1) == [("PUT", b"c", b"vc", 5)]


async def test_a_watch_from_the_future_waits_for_it(store: Store) -> None:
    watcher = store.watch(WatchRequest(**ALL, start_revision=4))
    watcher.progress()
    await fill(store, b"a")
    waiting = asyncio.ensure_future(anext(watcher))
    await fill(store, b"b")
    assert await waiting == WatchBatch(3), "progress only once the start is next"
    await fill(store, b"c")
    assert await take(watcher, 1) == [("PUT", b"c", b"vc", 4)]


async def test_changes_of_one_revision_come_in_one_batch_in_order(store: Store) -> None:
    request = Txn(success=(Put(key=b"b"), Put(key=b"a"), Put(key=b"c")))
    live = store.watch(WatchRequest(**ALL))
    await store.txn(request)
    past = store.watch(WatchRequest(**ALL, start_revision=2))
    for watcher in (live, past):
        batch = await anext(watcher)
        assert batch.revision == 2
        assert [event.kv.key for event in batch.events] == [b"b", b"a", b"c"]


async def test_watch_options(store: Store) -> None:
    await fill(store, b"a")
    plain = store.watch(WatchRequest(key=b"a"))
    prev = store.watch(WatchRequest(key=b"a", prev_kv=True))
    puts = store.watch(WatchRequest(key=b"a", no_delete=True))
    deletes = store.watch(WatchRequest(key=b"a", no_put=True))
    nothing = store.watch(WatchRequest(key=b"a", no_put=True, no_delete=True))
    await ops.put(store, b"a", b"2")
    await ops.delete(store, b"a")
    batch = await anext(plain)
    assert [event.prev_kv for event in batch.events] == [None, None]
    batch = await anext(prev)
    assert [e.prev_kv and e.prev_kv.value for e in batch.events] == [b"va", b"2"]
    assert [kind for kind, *_ in await take(puts, 1)] == ["PUT"]
    assert [kind for kind, *_ in await take(deletes, 1)] == ["DELETE"]
    assert await silent(nothing)
    past = store.watch(WatchRequest(key=b"a", start_revision=2, prev_kv=True))
    batch = await anext(past)
    assert [e.prev_kv and e.prev_kv.value for e in batch.events] == [None, b"va", b"2"]
    assert batch.events[2].kind is EventKind.DELETE
    assert batch.events[2].kv.create_revision == 0


async def test_what_was_before_is_from_before_the_whole_transaction(store: Store) -> None:
    """Only a delete with an open end may meet a put of its own transaction."""
    first = (await store.status()).revision + 1
    live = store.watch(WatchRequest(**ALL, prev_kv=True))
    await fill(store, b"old")
    puts = (Put(key=b"new", value=b"1"), Put(key=b"old", value=b"2"))
    await store.txn(Txn(success=(*puts, Delete(key=b"new", end=FROM_KEY))))
    await fill(store, b"again")
    await store.txn(Txn(success=(Delete(key=b"again", end=FROM_KEY), Put(key=b"again"))))
    past = store.watch(WatchRequest(**ALL, start_revision=first, prev_kv=True))
    for watcher in (live, past):
        seen: list[tuple[bytes, bytes | None]] = []
        while len(seen) < 8:
            batch = await anext(watcher)
            seen += [(e.kv.key, e.prev_kv and e.prev_kv.value) for e in batch.events]
        assert seen == [
            (b"old", None),
            *[(b"new", None), (b"old", b"vold"), (b"new", None), (b"old", b"vold")],
            *[(b"again", None), (b"again", b"vagain"), (b"again", None)],
        ]


async def test_watchers_of_many_ranges_get_what_is_theirs(store: Store) -> None:
    ranges = [(b"a/", prefix_end(b"a/")), (b"a/1", b""), (b"a/0", b"a/15"), (b"a/1", FROM_KEY)]
    watchers = [store.watch(WatchRequest(key=key, end=end)) for key, end in ranges]
    await fill(store, b"a", b"a/1", b"a/10", b"a/2", b"b")
    seen = [
        [key for _, key, *_ in await take(w, n)]
        for w, n in zip(watchers, (3, 1, 2, 4), strict=True)
    ]
    assert seen == [
        [b"a/1", b"a/10", b"a/2"],
        [b"a/1"],
        [b"a/1", b"a/10"],
        [b"a/1", b"a/10", b"a/2", b"b"],
    ]
    assert all([await silent(w) for w in watchers])
    with pytest.raises(EmptyRange):
        store.watch(WatchRequest(key=b"b", end=b"a"))


async def test_a_watcher_that_does_not_read_costs_little_and_loses_nothing(
    open_store: Open,
) -> None:
    store = await open_store(StoreOptions(watch_backlog_events=5, watch_page_revisions=4))
    watcher = store.watch(WatchRequest(**ALL))
    for n in range(40):
        await ops.put(store, b"k", b"%d" % n)
    assert [value for *_, value, _ in await take(watcher, 40)] == [b"%d" % n for n in range(40)]
    assert await silent(watcher)
    await ops.put(store, b"k", b"live")
    assert [value for *_, value, _ in await take(watcher, 1)] == [b"live"]


async def test_a_watcher_passed_by_compaction_is_told(open_store: Open) -> None:
    store = await open_store(StoreOptions(watch_backlog_events=2))
    slow = store.watch(WatchRequest(**ALL))
    for _ in range(10):
        await fill(store, b"k")
    await store.compact(8)
    with pytest.raises(Compacted) as caught:
        await anext(slow)
    assert caught.value.compact_revision == 8
    with pytest.raises(Compacted):
        await anext(store.watch(WatchRequest(**ALL, start_revision=7)))
    assert await take(store.watch(WatchRequest(**ALL, start_revision=8)), 4)


# Compaction


async def test_compaction_keeps_the_newest_of_each_key_unless_it_is_a_delete(store: Store) -> None:
    await fill(store, b"a", b"b", b"a")  # 2, 3, 4
    await ops.delete(store, b"b")  # 5
    await fill(store, b"a")  # 6
    await store.compact(5)
    assert [kv.mod_revision for kv in (await store.range(Range(**ALL, revision=5))).kvs] == [4]
    assert [kv.mod_revision for kv in (await store.range(Range(**ALL))).kvs] == [6]
    with pytest.raises(Compacted):
        await store.range(Range(**ALL, revision=4))
    with pytest.raises(Compacted):
        await store.compact(5)
    with pytest.raises(FutureRevision):
        await store.compact(7)
    assert await take(store.watch(WatchRequest(**ALL, start_revision=5)), 2) == [
        ("DELETE", b"b", b"", 5),
        ("PUT", b"a", b"va", 6),
    ]
    await store.compact(6)
    assert (await store.status()).compact_revision == 6
    assert await ops.get(store, b"b") is None
    await fill(store, b"b")
    kv = await ops.get(store, b"b")
    assert kv is not None
    assert kv.version == 1


async def test_a_compacted_store_shows_no_previous_value_from_before(store: Store) -> None:
    await fill(store, b"a", b"a", b"a")
    await store.compact(3)
    batch = await anext(store.watch(WatchRequest(**ALL, start_revision=3, prev_kv=True)))
    assert [e.prev_kv and e.prev_kv.mod_revision for e in batch.events] == [None, 3]


# Leases


@on_stores(FAKE_TIME)
async def test_a_lease_takes_its_keys_with_it(store: Store, clock: FakeClock) -> None:
    lease = await store.lease_grant(10, 77)
    assert (lease.id, lease.ttl_s, lease.remaining_s) == (77, 10, 10.0)
    await ops.put(store, b"b", b"", 77)
    await ops.put(store, b"a", b"", 77)
    watcher = store.watch(WatchRequest(**ALL))
    await clock.advance(6)
    assert (await store.lease_info(77)).remaining_s == pytest.approx(4)
    await store.lease_keep_alive(77)
    await clock.advance(9)
    assert (await store.lease_info(77)).keys == (b"a", b"b")
    await clock.advance(1.5)
    assert await take(watcher, 2) == [("DELETE", b"a", b"", 4), ("DELETE", b"b", b"", 4)]
    for call in (store.lease_info, store.lease_keep_alive, store.lease_revoke):
        with pytest.raises(LeaseNotFound):
            await call(77)


@on_stores(FAKE_TIME)
async def test_leases_expire_in_the_order_of_their_deadlines(
    store: Store, clock: FakeClock
) -> None:
    late, early = await store.lease_grant(20), await store.lease_grant(5)
    assert await store.lease_list() == [early.id, late.id]
    await ops.put(store, b"late", b"", late.id)
    await ops.put(store, b"early", b"", early.id)
    watcher = store.watch(WatchRequest(**ALL))
    await clock.advance(6)
    assert [key for _, key, *_ in await take(watcher, 1)] == [b"early"]
    assert await store.lease_list() == [late.id]
    await clock.advance(15)
    assert [key for _, key, *_ in await take(watcher, 1)] == [b"late"]


@on_stores(REAL_TIME)
async def test_a_lease_lives_as_long_as_it_is_renewed(store: Store) -> None:
    """Where the database keeps the time."""
    lease = await store.lease_grant(2, 77)
    assert (lease.id, lease.ttl_s, lease.remaining_s) == (77, 2, 2.0)
    await ops.put(store, b"b", b"", 77)
    await ops.put(store, b"a", b"", 77)
    watcher = store.watch(WatchRequest(**ALL))
    for _ in range(3):
        await asyncio.sleep(0.9)
        await store.lease_keep_alive(77)
    info = await store.lease_info(77)
    assert info.keys == (b"a", b"b")
    assert info.remaining_s > 0
    assert await take(watcher, 2) == [("DELETE", b"a", b"", 4), ("DELETE", b"b", b"", 4)]
    for call in (store.lease_info, store.lease_keep_alive, store.lease_revoke):
        with pytest.raises(LeaseNotFound):
            await call(77)


async def test_leases_are_listed_by_deadline(store: Store) -> None:
    late, early = await store.lease_grant(20), await store.lease_grant(5)
    assert await store.lease_list() == [early.id, late.id]


async def test_lease_rules(store: Store) -> None:
    await store.lease_grant(60, 5)
    with pytest.raises(LeaseExists):
        await store.lease_grant(60, 5)
    with pytest.raises(LeaseTtlTooLarge):
        await store.lease_grant(9_000_000_001)
    assert 1 <= (await store.lease_grant(0)).ttl_s <= 2
    await ops.put(store, b"a", b"", 5)
    await ops.put(store, b"a", b"")  # without a lease: detached
    await ops.put(store, b"b", b"", 5)
    await ops.delete(store, b"b")
    revision = (await store.status()).revision
    await store.lease_revoke(5)
    assert (await store.status()).revision == revision, "no keys, no revision"
    assert await ops.get(store, b"a") is not None


# Ends


async def test_a_closed_store_refuses(open_store: Open) -> None:
    store = await open_store(StoreOptions())
    await fill(store, b"a")
    watcher = store.watch(WatchRequest(**ALL))
    waiting = asyncio.ensure_future(anext(watcher))
    await asyncio.sleep(0)
    await store.close()
    await store.close()
    with pytest.raises(Closed):
        await waiting
    with pytest.raises(Closed):
        await ops.get(store, b"a")
    with pytest.raises(Closed):
        await ops.put(store, b"a", b"")


@on_stores(KEEPS_NOTES)
async def test_notes_are_beside_the_keys(open_store: Open) -> None:
    store = await open_store(StoreOptions())
    assert isinstance(store, Notes)
    await store.write_notes("one", {"a": b"1", "b": b"2"})
    await store.write_notes("two", {"a": b"other"})
    await store.write_notes("one", {"a": None, "b": b"3", "c": b"\x00"})
    assert await store.notes("one") == {"b": b"3", "c": b"\x00"}
    assert await store.notes("two") == {"a": b"other"}
    assert await store.notes("three") == {}
    assert (await store.range(Range(**ALL))).kvs == ()
    assert (await store.status()).revision == 1
