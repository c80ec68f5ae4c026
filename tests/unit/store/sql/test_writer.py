"""Group commit: what is seen while the disk is busy, and in which order things happen."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from appliance.kit.clock import FakeClock
from appliance.store import ops
from appliance.store.base import (
    FROM_KEY,
    Compare,
    CompareTarget,
    Put,
    Range,
    Txn,
    TxnResult,
    WatchRequest,
)
from appliance.store.errors import Overrun, StoreError, TimedOut
from appliance.store.options import StoreOptions
from appliance.store.sql import writer
from appliance.store.sql.store import SqlStore

THREAD = StoreOptions(inline_commit_below_s=0.0, redo_bytes=0)


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqlStore]:
    store = await SqlStore.open(tmp_path / "state.db", THREAD, FakeClock())
    yield store
    await store.close()


@contextmanager
def busy_disk(path: Path) -> Iterator[None]:
    """No commit of the store gets through while another connection holds the write lock."""
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        other.execute("ROLLBACK")
        other.close()


async def turns(count: int = 5) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


async def test_readers_and_watchers_see_only_what_is_on_disk(
    store: SqlStore, tmp_path: Path
) -> None:
    await ops.put(store, b"a", b"old")
    watcher = store.watch(WatchRequest(key=b"a"))
    with busy_disk(tmp_path / "state.db"):
        put = asyncio.ensure_future(ops.put(store, b"a", b"new"))
        await turns()
        kv = await ops.get(store, b"a")
        assert kv is not None
        assert kv.value == b"old"
        assert (await store.status()).revision == 2
        late = store.watch(WatchRequest(key=b"a"))
        watcher.progress()
        assert (await anext(watcher)).revision == 2
        assert not put.done()
    assert (await put).revision == 3
    for each in (watcher, late):
        assert [e.kv.value for e in (await anext(each)).events] == [b"new"]


async def test_a_transaction_decided_by_an_unfinished_one_waits_for_it(
    store: SqlStore, tmp_path: Path
) -> None:
    create = Txn(
        compares=(Compare(key=b"a", target=CompareTarget.MOD, operand=0),),
        success=(Put(key=b"a", value=b"x"),),
        failure=(Range(key=b"a"),),
    )
    with busy_disk(tmp_path / "state.db"):
        first, second = (asyncio.ensure_future(store.txn(create)) for _ in range(2))
        await turns()
        assert not first.done()
        assert not second.done(), "it has seen a write that may still fail"
    assert (await first).succeeded
    assert not (await second).succeeded
    assert (await second).revision == 2


async def test_what_waits_is_committed_together_and_told_in_order(
    store: SqlStore, tmp_path: Path
) -> None:
    texts: list[str] = []
    store._database.writer.set_trace_callback(texts.append)
    watcher = store.watch(WatchRequest(key=FROM_KEY, end=FROM_KEY))
    finished: list[int] = []

    async def put(n: int) -> None:
        finished.append((await ops.put(store, b"%02d" % n, b"")).revision)

    async with asyncio.TaskGroup() as group:
        with busy_disk(tmp_path / "state.db"):
            group.create_task(put(0))
            await turns()
            for n in range(1, 40):
                group.create_task(put(n))
            await turns()
    assert finished == list(range(2, 42))
    assert texts.count("COMMIT") == 2, "one alone, 39 together"
    events = []
    while len(events) < 40:
        events += (await anext(watcher)).events
    assert [e.kv.mod_revision for e in events] == list(range(2, 42))


async def test_a_caller_that_gives_up_does_not_take_the_write_back(
    store: SqlStore, tmp_path: Path
) -> None:
    with busy_disk(tmp_path / "state.db"):
        put = asyncio.ensure_future(ops.put(store, b"a", b"1"))
        await turns()
        put.cancel()
        with pytest.raises(asyncio.CancelledError):
            await put
    assert (await ops.put(store, b"b", b"")).revision == 3
    kv = await ops.get(store, b"a")
    assert kv is not None
    assert kv.mod_revision == 2


async def test_a_locked_file_never_blocks_the_loop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "locked.db"
    inline = StoreOptions(inline_commit_below_s=1.0, redo_bytes=0)
    store = await SqlStore.open(path, inline, FakeClock())
    await ops.put(store, b"a", b"1")
    with busy_disk(path):
        put = asyncio.ensure_future(ops.put(store, b"a", b"2"))
        await turns()
        kv = await ops.get(store, b"a")
        assert kv is not None
        assert kv.value == b"1"
    assert (await put).revision == 3
    monkeypatch.setattr(writer, "_LOCKED_WAIT_MS", 10)
    with busy_disk(path), pytest.raises(TimedOut):
        await ops.put(store, b"a", b"3")
    assert (await ops.put(store, b"a", b"4")).revision == 4, "and it goes on afterwards"
    await store.close()


async def test_closing_finishes_what_was_accepted(tmp_path: Path) -> None:
    path = tmp_path / "closing.db"
    store = await SqlStore.open(path, THREAD, FakeClock())
    puts = [asyncio.ensure_future(ops.put(store, b"%d" % n, b"")) for n in range(20)]
    await turns(1)
    await store.close()
    assert sorted(put.revision for put in await asyncio.gather(*puts)) == list(range(2, 22))
    store = await SqlStore.open(path, THREAD, FakeClock())
    assert (await store.status()).keys == 20
    await store.close()


async def test_a_failed_commit_fails_all_that_was_built_on_it(
    store: SqlStore, tmp_path: Path
) -> None:
    await ops.put(store, b"a", b"1", (await store.lease_grant(60, 7)).id)
    store._database.writer.execute("PRAGMA max_page_count = 1")
    with busy_disk(tmp_path / "state.db"):
        calls = [
            asyncio.ensure_future(call)
            for call in (
                ops.put(store, b"a", bytes(200_000)),
                ops.put(store, b"b", b""),
                ops.delete(store, b"a"),
                store.lease_grant(60, 8),
                store.lease_revoke(7),
                store.compact(2),
            )
        ]
        await turns()
    refused = await asyncio.gather(*calls, return_exceptions=True)
    assert {type(error).__name__ for error in refused} == {"NoSpace"}
    store._database.writer.execute("PRAGMA max_page_count = 100000")
    status = await store.status()
    assert (status.revision, status.keys, status.compact_revision) == (2, 1, 0)
    assert await store.lease_list() == [7]
    assert (await store.lease_info(7)).keys == (b"a",)
    assert (await ops.put(store, b"b", b"")).revision == 3


async def test_the_log_is_moved_into_the_file_and_keeps_its_size(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    options = replace(THREAD, checkpoint_bytes=100_000)
    store = await SqlStore.open(path, options, FakeClock())
    for _ in range(4):
        for n in range(30):
            await ops.put(store, b"%d" % n, bytes(8_000))
        store._checkpointer._running and store._checkpointer._running.result(5)
    file, log = path.stat().st_size, path.with_name("state.db-wal").stat().st_size
    assert file > 500_000, "most of a megabyte has been moved"
    assert log < 700_000, "the log is used again from its start"
    await store.close()


async def test_a_callback_that_fails_is_told_and_holds_up_nobody(
    store: SqlStore, tmp_path: Path
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("no good")

    healthy = store.watch(WatchRequest(key=FROM_KEY, end=FROM_KEY))
    answers: list[TxnResult | StoreError] = []
    with capture_logs() as logs:
        with busy_disk(tmp_path / "state.db"):
            first = asyncio.ensure_future(ops.put(store, b"0", b""))
            await turns()
            store.txn_soon(Txn(success=(Put(key=b"1"),)), "", broken)
            store.txn_soon(Txn(success=(Put(key=b"2"),)), "", answers.append)
        assert (await first).revision == 2
        await store._writer.drain()
        match, store._hub.index.match = store._hub.index.match, broken  # type: ignore[method-assign,assignment]
        assert (await ops.put(store, b"3", b"")).revision == 5, "it is on disk, so it is answered"
        store._hub.index.match = match  # type: ignore[method-assign]
        assert (await ops.put(store, b"4", b"")).revision == 6, "the writer goes on"
    (answer,) = answers
    assert isinstance(answer, TxnResult)
    assert [e.kv.key for e in (await anext(healthy)).events] == [b"0", b"1", b"2"]
    with pytest.raises(Overrun):  # it missed one, and is told so
        await anext(healthy)
    assert [log["event"].partition(";")[0] for log in logs] == ["a callback of a commit failed"] * 2
    assert all(log["exc_info"] for log in logs)
