"""A writer is killed at any moment: what it acknowledged is there, revisions only go up."""

import asyncio
import signal
import sys
from pathlib import Path

import pytest

from appliance.kit.clock import SystemClock
from appliance.store import ops
from appliance.store.base import FROM_KEY, WatchRequest
from appliance.store.options import StoreOptions
from appliance.store.sql.store import SqlStore

ROUNDS = 4
WRITES = 150  # acknowledged in a round before the kill, at least
WRITER = Path(__file__).with_name("crash_writer.py")


async def written_until_killed(path: Path, turn: int) -> list[tuple[bytes, int]]:
    """Let the writer run, kill it, return what it acknowledged."""
    writer = await asyncio.create_subprocess_exec(
        sys.executable,
        str(WRITER),
        str(path),
        str(turn),
        stdout=asyncio.subprocess.PIPE,
        env={"PYTHONPATH": str(WRITER.parents[2])},
    )
    assert writer.stdout is not None
    lines: list[bytes] = []
    async with asyncio.timeout(20):
        # Each round a little later, so that the kill falls on different moments.
        while len(lines) < WRITES + 37 * turn:
            lines.append(await writer.stdout.readline())
            assert lines[-1], "the writer ended by itself"
        writer.send_signal(signal.SIGKILL)
        rest = await writer.stdout.read()
        await writer.wait()
    whole = rest[: rest.rfind(b"\n") + 1].splitlines()
    words = [line.split() for line in (*lines, *whole)]
    return [(key, int(revision)) for key, revision in words if key != b"ready"]


@pytest.mark.slow
async def test_nothing_acknowledged_is_lost_and_no_revision_comes_twice(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    ledger: dict[int, bytes] = {}
    newest = 0
    for turn in range(ROUNDS):
        acknowledged = await written_until_killed(path, turn)
        for key, revision in acknowledged:
            assert revision > newest, "a revision of an earlier life"
            assert revision not in ledger
            ledger[revision] = key
        newest = max(ledger)
        store = await SqlStore.open(path, StoreOptions(ephemeral_prefixes=(b"e/",)), SystemClock())
        status = await store.status()
        assert status.revision >= newest
        assert await ops.get(store, b"e/x") is None
        for revision, key in ledger.items():
            if key != b"e/x":
                kv = await ops.get(store, key)
                assert kv is not None, (key, revision)
                assert (kv.value, kv.mod_revision) == (key, revision)
        await store.close()


async def test_a_torn_log_leaves_a_whole_number_of_revisions(tmp_path: Path) -> None:
    """A power cut can leave any part of what was not yet fsynced: here, of SQLite's log."""
    path = tmp_path / "state.db"
    store = await SqlStore.open(path, StoreOptions(redo_bytes=0), SystemClock())
    for n in range(30):
        await ops.put(store, b"k%d" % n, bytes(900))
    database, log = path.read_bytes(), path.with_name("state.db-wal").read_bytes()
    await store.close()
    survived = set()
    for part in range(1, 12):
        torn = tmp_path / str(part) / "state.db"
        torn.parent.mkdir()
        torn.write_bytes(database)
        torn.with_name("state.db-wal").write_bytes(log[: len(log) * part // 11])
        if part < 3:
            continue  # the schema itself is in the log's first part
        store = await SqlStore.open(torn, StoreOptions(), SystemClock())
        revision = (await store.status()).revision
        survived.add(revision)
        if revision > 1:
            watcher = store.watch(WatchRequest(key=FROM_KEY, end=FROM_KEY, start_revision=1))
            events = (await anext(watcher)).events
            assert [e.kv.mod_revision for e in events] == list(range(2, revision + 1))
            assert [e.kv.key for e in events] == [b"k%d" % n for n in range(revision - 1)]
        await store.close()
    assert max(survived) == 31
    assert len(survived) > 3, "the cuts fell on different revisions"
