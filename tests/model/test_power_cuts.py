"""The power is cut: what was acknowledged is there, no revision comes twice, the store opens.

A real store with 50 writers runs while every write and sync of its files is written down, in one
order with its acknowledgements. From that, disks are made as cuts at any moment would leave them:
everything un-synced may be missing, torn or in part there. Each is opened by a new store.

`POWER_CUTS` says how many; `make prove-store` asks for more than CI does.
"""

import asyncio
import os
import random
import shutil
import sys
from pathlib import Path

import pytest

from appliance.kit.clock import SystemClock
from appliance.store import ops
from appliance.store.base import WatchRequest
from appliance.store.errors import StoreError
from appliance.store.options import StoreOptions
from appliance.store.sql.store import SqlStore
from tests.model import disklog
from tests.model.disklog import Disk, Record

CUTS = int(os.environ.get("POWER_CUTS", "10"))
LIVES = max(2, CUTS // 10)
CLIENTS = 50
WRITES = 1_500  # acknowledged in a life
WRITER = Path(__file__).with_name("crash_writer.py")
OPTIONS = StoreOptions(ephemeral_prefixes=(b"e/",), keep_history_s=0)

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(disklog.COMPILER is None, reason="no C compiler for the recorder (cc)"),
]


async def recorded_life(folder: Path, library: Path, turn: int) -> list[Record]:
    """Let a writer work on a folder's store, then kill it; gives all that it did."""
    journal = folder.with_name(f"{folder.name}.journal")
    writer = await asyncio.create_subprocess_exec(
        sys.executable,
        *(str(WRITER), str(folder / "state.db"), str(turn), str(CLIENTS)),
        stdout=asyncio.subprocess.PIPE,
        env={
            "PYTHONPATH": str(WRITER.parents[2]),
            "LD_PRELOAD": str(library),
            "DISKLOG_DIR": f"{folder}/",
            "DISKLOG": str(journal),
        },
    )
    assert writer.stdout is not None
    async with asyncio.timeout(60):
        for _ in range(WRITES):
            assert await writer.stdout.readline(), "the writer ended by itself"
        writer.kill()
        await writer.stdout.read()
        await writer.wait()
    return disklog.read(journal)


def acknowledged(records: list[Record]) -> dict[int, bytes]:
    """Revision to key, of what was said."""
    said = b"".join(record.data for record in records if record.op == "A")
    words = [line.split() for line in said[: said.rfind(b"\n") + 1].splitlines()]
    return {int(revision): key for key, revision in words if key != b"ready"}


async def look(path: Path, ledger: dict[int, bytes]) -> None:
    """Open what a cut has left: everything acknowledged is there, and history has no gap."""
    store = await SqlStore.open(path, OPTIONS, SystemClock())
    try:
        status = await store.status()
        newest = max(ledger, default=1)
        assert status.revision >= newest
        for revision, key in ledger.items():
            if key != b"e/x":
                kv = await ops.get(store, key)
                assert kv is not None, (key, revision)
                assert (kv.value, kv.mod_revision) == (key, revision)
        await look_at_history(store, status.revision, ledger)
        assert (await ops.put(store, b"after", b"")).revision > max(status.revision, newest)
    finally:
        await store.close()


async def look_at_history(store: SqlStore, revision: int, ledger: dict[int, bytes]) -> None:
    """A watch from the compaction on tells every acknowledged change, each once, in order."""
    start = max(1, (await store.status()).compact_revision)
    watcher = store.watch(WatchRequest(key=b"0", end=b"e/", start_revision=start))
    watcher.progress()
    told: dict[int, bytes] = {}
    last = 0
    while batch := (await anext(watcher)).events:
        for event in batch:
            assert event.kv.mod_revision > last
            last = event.kv.mod_revision
            told[last] = event.kv.key
    watcher.close()
    expected = {r: key for r, key in ledger.items() if start <= r <= revision and key != b"e/x"}
    assert expected.items() <= told.items()


async def test_a_power_cut_loses_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    library = disklog.build(tmp_path)
    rng = random.Random(int(os.environ.get("SEED", "1")))  # noqa: S311 - a seed repeats it
    folder = tmp_path / "life-0"
    folder.mkdir()
    store = await SqlStore.open(folder / "state.db", OPTIONS, SystemClock())
    await store.close()
    ledger: dict[int, bytes] = {}
    cuts = unsynced = 0
    for life in range(LIVES):
        before = shutil.copytree(folder, tmp_path / f"before-{life}")
        records = await recorded_life(folder, library, life)
        synced = [n for n, record in enumerate(records) if record.op == "S"]
        at_random = [rng.randrange(len(records)) for _ in range(-(-CUTS // LIVES))]
        # Half of them just before a sync has returned: that is when most is at stake.
        places = [
            place if number % 2 else max(s for s in (0, *synced) if s <= place)
            for number, place in enumerate(at_random)
        ]
        after = tmp_path / f"life-{life + 1}"
        for number, place in enumerate(places):
            disk = Disk(before)
            for record in records[:place]:
                disk.feed(record)
            unsynced += disk.at_stake
            left = tmp_path / f"cut-{life}-{number}"
            disk.cut(rng, left)
            said = acknowledged(records[:place])
            assert not said.keys() & ledger.keys(), "a revision of an earlier life"
            if number == 0:  # life goes on from here
                shutil.copytree(left, after)
                next_ledger = {**ledger, **said}
            await look(left / "state.db", {**ledger, **said})
            shutil.rmtree(left)
            cuts += 1
        folder, ledger = after, next_ledger
    assert cuts >= CUTS
    assert unsynced > CUTS, "the cuts fell on writes that were not yet synced"
    assert len(ledger) > 100
    print(
        f"{cuts} power cuts over {LIVES} lives, {len(ledger)} writes, {unsynced} un-synced writes"
    )


async def test_the_proof_sees_a_store_that_does_not_sync(tmp_path: Path) -> None:
    """The same disks, but no sync counts: the look must find a loss, else it looks at nothing."""
    library = disklog.build(tmp_path)
    folder = tmp_path / "life"
    folder.mkdir()
    store = await SqlStore.open(folder / "state.db", OPTIONS, SystemClock())
    await store.close()
    before = shutil.copytree(folder, tmp_path / "before")
    records = await recorded_life(folder, library, 0)
    rng = random.Random(1)  # noqa: S311 - a seed repeats it
    losses = 0
    for number in range(5):
        disk = Disk(before)
        for record in records:
            if record.op != "S":
                disk.feed(record)
        left = tmp_path / f"cut-{number}"
        disk.cut(rng, left)
        try:
            await look(left / "state.db", acknowledged(records))
        except (AssertionError, StoreError):
            losses += 1
    assert losses >= 3
