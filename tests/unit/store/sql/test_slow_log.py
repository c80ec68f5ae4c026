"""What takes long is logged, with the reason."""

import asyncio
import sqlite3
from pathlib import Path

from structlog.testing import capture_logs

from appliance.kit.clock import SystemClock
from appliance.store import ops
from appliance.store.base import FROM_KEY, Range
from appliance.store.options import StoreOptions
from appliance.store.sql.store import SqlStore


async def test_slow_commits_and_ranges(tmp_path: Path) -> None:
    options = StoreOptions(slow_s=0.0)  # everything is slow
    store = await SqlStore.open(tmp_path / "state.db", options, SystemClock())
    with capture_logs() as logs:
        await ops.put(store, b"a", b"value")
        await store.range(Range(key=FROM_KEY, end=FROM_KEY))
    commit, found = logs
    assert (commit["event"], commit["reason"], commit["rows"]) == ("slow commit", "the disk", 1)
    assert (found["event"], found["reason"]) == ("slow range", "1 of 1 keys read")
    await store.close()


async def test_a_locked_file_is_named_as_the_reason(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    store = await SqlStore.open(path, StoreOptions(slow_s=0.05, redo_bytes=0), SystemClock())
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    asyncio.get_running_loop().call_later(0.2, other.execute, "ROLLBACK")
    with capture_logs() as logs:
        await ops.put(store, b"a", b"value")
    assert [one["reason"] for one in logs] == ["another program holds the file's lock"]
    other.close()
    await store.close()
