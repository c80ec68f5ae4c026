"""Several masters over one PostgreSQL, and what happens when it ends or breaks."""

import asyncio
import random
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack

import psycopg
import pytest

from appliance.kit.clock import SystemClock
from appliance.store import ops
from appliance.store.base import (
    FROM_KEY,
    Compare,
    CompareTarget,
    Put,
    Range,
    Txn,
    Watcher,
    WatchRequest,
)
from appliance.store.errors import (
    Compacted,
    LeaseNotFound,
    StoreError,
    Unavailable,
    Unusable,
)
from appliance.store.options import StoreOptions
from appliance.store.sql.postgres.database import conninfo
from appliance.store.sql.postgres.store import PostgresStore
from tests.contract.databases import PostgresServer, free_port, postgres

EVERYTHING = WatchRequest(key=FROM_KEY, end=FROM_KEY)
OPTIONS = StoreOptions(answer_within_s=5, min_lease_ttl_s=1)


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    """Not the one of other tests: this one is killed."""
    with postgres("fsync=on", "log_min_messages=fatal") as server:
        yield server


@pytest.fixture
def schema(server: PostgresServer) -> str:
    name = f"s{uuid.uuid4().hex}"
    server.make_schema(name)
    return name


Open = Callable[[], Awaitable[PostgresStore]]


@pytest.fixture
async def another(server: PostgresServer, schema: str) -> AsyncIterator[Open]:
    """Opens one master's store after the other, on the same database."""
    async with AsyncExitStack() as stack:

        async def open_one() -> PostgresStore:
            store = await PostgresStore.open(server.conninfo(schema), OPTIONS, SystemClock())
            stack.push_async_callback(store.close)
            return store

        yield open_one


async def revisions(watcher: Watcher, up_to: int) -> list[int]:
    seen: list[int] = []
    async with asyncio.timeout(20):
        while not seen or seen[-1] < up_to:
            seen += [event.kv.mod_revision for event in (await anext(watcher)).events]
    return seen


async def test_each_sees_what_the_other_was_told_is_written(another: Open) -> None:
    stores = [await another(), await another()]
    watchers = [store.watch(EVERYTHING) for store in stores]
    for n in range(40):
        writer, reader = stores[n % 2], stores[(n + 1) % 2]
        written = (await ops.put(writer, b"k", b"%d" % n)).revision
        if n % 3 == 0:
            assert await reader.head() == written
        kv = await ops.get(reader, b"k")
        assert kv is not None
        assert kv.value == b"%d" % n
    for watcher in watchers:
        assert await revisions(watcher, 41) == list(range(2, 42))


async def test_increments_by_both_are_all_counted(another: Open) -> None:
    stores = [await another(), await another()]
    watcher = stores[1].watch(WatchRequest(key=b"n"))
    await ops.put(stores[0], b"n", b"0")

    async def increment(store: PostgresStore) -> None:
        while True:
            kv = await ops.get(store, b"n")
            assert kv is not None
            same = Compare(key=b"n", target=CompareTarget.MOD, operand=kv.mod_revision)
            put = Put(key=b"n", value=b"%d" % (int(kv.value) + 1))
            if (await store.txn(Txn(compares=(same,), success=(put,)))).succeeded:
                return

    async with asyncio.timeout(60), asyncio.TaskGroup() as group:
        for n in range(40):
            group.create_task(increment(stores[n % 2]))
    kv = await ops.get(stores[0], b"n")
    assert kv is not None
    assert (kv.value, kv.version) == (b"40", 41)
    values: list[bytes] = []
    while len(values) < 41:
        values += [event.kv.value for event in (await anext(watcher)).events]
    assert values == [b"%d" % n for n in range(41)]


async def test_a_new_master_finds_everything(another: Open) -> None:
    first = await another()
    lease = await first.lease_grant(60)
    for n in range(30):
        await ops.put(first, b"k%d" % (n % 7), b"%d" % n, lease.id if n == 29 else 0)
    await ops.delete(first, b"k3")
    everything = Range(key=FROM_KEY, end=FROM_KEY)
    second = await another()
    assert await second.range(everything) == await first.range(everything)
    old = Range(key=FROM_KEY, end=FROM_KEY, revision=15)
    assert await second.range(old) == await first.range(old)
    assert await revisions(
        second.watch(WatchRequest(key=FROM_KEY, end=FROM_KEY, start_revision=9)), 32
    ) == list(range(9, 33))
    assert (await second.lease_info(lease.id)).keys == (b"k1",)


async def test_leases_belong_to_all(another: Open) -> None:
    first, second = await another(), await another()
    lease = await first.lease_grant(1)
    await ops.put(second, b"mine", b"", lease.id)
    for _ in range(3):  # renewed by the one that did not grant it
        await asyncio.sleep(0.6)
        await second.lease_keep_alive(lease.id)
    assert await ops.get(first, b"mine") is not None
    watchers = [store.watch(WatchRequest(key=b"mine")) for store in (first, second)]
    for watcher in watchers:
        async with asyncio.timeout(10):
            assert [e.kind.name for e in (await anext(watcher)).events] == ["DELETE"]
    for store in (first, second):
        with pytest.raises(LeaseNotFound):
            await store.lease_keep_alive(lease.id)
        assert await store.lease_list() == []


async def test_compaction_holds_for_all_and_rows_go_once(
    another: Open, server: PostgresServer, schema: str
) -> None:
    first, second = await another(), await another()
    for n in range(50):
        await ops.put(first, b"k", b"%d" % n)
    await first.compact(40)
    with pytest.raises(Compacted):
        await second.compact(40)
    with pytest.raises(Compacted):
        await ops.get(second, b"k", 39)
    kv = await ops.get(second, b"k", 40)
    assert kv is not None
    assert kv.value == b"38"
    await first.compacted()
    with psycopg.connect(server.conninfo(schema)) as connection:
        assert connection.execute("SELECT min(revision), count(*) FROM revisions").fetchone() == (
            40,
            12,
        )
        current = connection.execute("SELECT key, value, revision FROM current_keys").fetchall()
        assert current == [("k", b"49", 51)]
    third = await another()
    with pytest.raises(Compacted):
        await anext(third.watch(WatchRequest(key=b"k", start_revision=39)))


async def test_killed_and_started_again_it_loses_nothing(
    another: Open, server: PostgresServer
) -> None:
    """Both go on by themselves; what was acknowledged is there, each revision once."""
    stores = [await another(), await another()]
    watcher = stores[1].watch(EVERYTHING)
    acknowledged: dict[int, bytes] = {}
    stop, news = asyncio.Event(), asyncio.Event()

    async def write(store: PostgresStore, name: bytes) -> None:
        n = 0
        while not stop.is_set():
            n += 1
            value = b"%s/%d" % (name, n)
            try:
                acknowledged[(await ops.put(store, name, value)).revision] = value
                news.set()
            except Unavailable:
                await asyncio.sleep(0.02)

    async def more(count: int) -> None:
        wanted = len(acknowledged) + count
        while len(acknowledged) < wanted:
            news.clear()
            await news.wait()

    async with asyncio.timeout(60), asyncio.TaskGroup() as group:
        for n in range(8):
            group.create_task(write(stores[n % 2], b"w%d" % n))
        for _ in range(2):
            await more(100)
            await asyncio.to_thread(server.kill)
            await asyncio.to_thread(server.start)
        await more(100)
        stop.set()
    last = await stores[0].head()
    seen: dict[int, bytes] = {}
    async with asyncio.timeout(20):
        while not seen or max(seen) < last:
            for event in (await anext(watcher)).events:
                assert event.kv.mod_revision not in seen
                seen[event.kv.mod_revision] = event.kv.value
    assert sorted(seen) == list(range(2, last + 1)), "a gap, or a revision that nobody saw"
    lost = {r: v for r, v in acknowledged.items() if seen.get(r) != v}
    assert not lost


async def test_a_commit_whose_answer_was_lost_is_found_again(
    another: Open, server: PostgresServer, schema: str
) -> None:
    """Sessions are cut in the middle of a stream of writes: some commits go unanswered."""
    store = await another()
    rng = random.Random(7)  # noqa: S311 - a test
    outcomes: list[bool] = []
    with psycopg.connect(server.conninfo(schema), autocommit=True) as admin:
        for n in range(60):
            async with asyncio.TaskGroup() as group:
                write = group.create_task(outcome(store, n))
                await asyncio.sleep(rng.random() * 0.004)
                await asyncio.to_thread(cut_sessions, admin)
            outcomes.append(write.result())
    found = await store.range(Range(key=b"n/", end=b"n0"))
    there = {int(kv.key[2:]) for kv in found.kvs}
    assert {n for n, done in enumerate(outcomes) if done} <= there
    fresh = await another()
    everything = Range(key=FROM_KEY, end=FROM_KEY)
    assert await fresh.range(everything) == await store.range(everything)
    assert found.revision == 1 + len(there)


async def outcome(store: PostgresStore, n: int) -> bool:
    try:
        await ops.put(store, b"n/%d" % n, b"")
    except Unavailable:
        return False
    return True


def cut_sessions(admin: "psycopg.Connection[tuple[object, ...]]") -> None:
    admin.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = "
        "'appliance' AND pid <> pg_backend_pid()"
    )


async def test_a_listener_that_was_cut_misses_nothing(
    another: Open, server: PostgresServer, schema: str
) -> None:
    writer, follower = await another(), await another()
    watcher = follower.watch(EVERYTHING)
    await ops.put(writer, b"a", b"")
    assert await revisions(watcher, 2) == [2]
    with psycopg.connect(server.conninfo(schema), autocommit=True) as admin:
        cut_sessions(admin)
    last = 0
    for n in range(20):
        while not await outcome(writer, n):
            pass
        last = await writer.head()
    assert (await revisions(watcher, last))[-1] == last


async def test_a_database_that_went_back_in_time_is_refused(
    another: Open, server: PostgresServer, schema: str
) -> None:
    store = await another()
    for n in range(5):
        await ops.put(store, b"k", b"%d" % n)
    with psycopg.connect(server.conninfo(schema), autocommit=True) as admin:
        admin.execute("DELETE FROM history WHERE id >> 20 > 3")
    with pytest.raises(Unusable, match="lost revisions"):
        await store.head()
    with pytest.raises(StoreError, match="lost revisions"):
        await ops.put(store, b"k", b"")


async def test_tables_of_others_are_left_alone(server: PostgresServer, schema: str) -> None:
    with psycopg.connect(server.conninfo(schema), autocommit=True) as admin:
        admin.execute("CREATE TABLE fact (name text, value bigint)")
    with pytest.raises(Unusable, match="another program"):
        await PostgresStore.open(server.conninfo(schema), OPTIONS, SystemClock())
    with psycopg.connect(server.conninfo(schema), autocommit=True) as admin:
        admin.execute("INSERT INTO fact VALUES ('schema_version', 99)")
    with pytest.raises(Unusable, match="newer release"):
        await PostgresStore.open(server.conninfo(schema), OPTIONS, SystemClock())


async def test_the_host_that_takes_writes_is_used(server: PostgresServer, schema: str) -> None:
    """As with a replicated database whose first host has ended."""
    hosts = f"127.0.0.1:{free_port()},127.0.0.1:{server.port}"
    url = server.url(schema).replace(f"127.0.0.1:{server.port}", hosts)
    store = await PostgresStore.open(conninfo(url), OPTIONS, SystemClock())
    assert (await ops.put(store, b"a", b"1")).revision == 2
    await store.close()


def test_a_url_that_makes_no_sense_is_told() -> None:
    with pytest.raises(Unusable, match="makes no sense"):
        conninfo("postgresql+psycopg://h:port/db?nonsense=1")
