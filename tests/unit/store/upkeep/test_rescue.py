"""A damaged file: found at the start, kept aside, and the last good copy takes its place."""

import json
import os
from pathlib import Path

import pytest

from appliance.kit.clock import FakeClock
from appliance.store import ops
from appliance.store.base import FROM_KEY, Range, WatchRequest
from appliance.store.errors import Compacted, Damaged
from appliance.store.options import StoreOptions
from appliance.store.sql.snapshots import snapshots_of
from appliance.store.sql.store import SqlStore
from appliance.store.upkeep.copies import BUMP
from appliance.store.upkeep.rescue import BOOK, open_or_rescue

OPTIONS = StoreOptions(snapshot_every_s=3600, keep_history_s=0, reserve_bytes=0)
EVERYTHING = Range(key=FROM_KEY, end=FROM_KEY, count_only=True)


async def with_snapshot(path: Path, clock: FakeClock, keys: int = 300) -> None:
    """A store of some keys, a good copy of them, and one key more."""
    store = await SqlStore.open(path, OPTIONS, clock)
    for number in range(keys):
        await ops.put(store, b"k/%d" % number, bytes(500))
    await clock.advance(301)
    await ops.put(store, b"last/in/the/copy", b"1")
    await store.settle()
    store._snapshots.close()  # waits for it
    await ops.put(store, b"too/late", b"1")
    await store.close()
    os.utime(snapshots_of(path)[0], (clock.wall(), clock.wall()))


def scribble(path: Path, *, first_page: bool = False) -> None:
    """What a failing card does to a file."""
    data = bytearray(path.read_bytes())
    at = 0 if first_page else len(data) // 2 // 4096 * 4096
    data[at : at + 4096] = b"\xa5" * 4096
    path.write_bytes(data)


@pytest.mark.parametrize("first_page", [True, False])
async def test_it_goes_on_from_the_last_good_copy(tmp_path: Path, first_page: bool) -> None:
    path, clock = tmp_path / "state.db", FakeClock()
    await with_snapshot(path, clock)
    scribble(path, first_page=first_page)
    with pytest.raises(Damaged):
        await SqlStore.open(path, OPTIONS, clock)
    store = await open_or_rescue(path, OPTIONS, clock)
    assert (await store.range(EVERYTHING)).count == 301
    assert await ops.get(store, b"last/in/the/copy") is not None
    assert await ops.get(store, b"too/late") is None, "its write came after the copy"
    broken, log = sorted(name for name in os.listdir(tmp_path) if ".broken-" in name)
    assert log == f"{broken}.redo", "both are kept for people"
    told = json.loads((await store.notes(BOOK))[broken])
    assert told["broken_file"] == str(tmp_path / broken)
    await store.close()
    again = await SqlStore.open(path, OPTIONS, clock)
    assert (await again.range(EVERYTHING)).count == 301
    await again.close()


async def test_clients_of_the_lost_time_are_told_to_start_anew(tmp_path: Path) -> None:
    path, clock = tmp_path / "state.db", FakeClock()
    await with_snapshot(path, clock)
    scribble(path)
    store = await open_or_rescue(path, OPTIONS, clock)
    assert (await ops.put(store, b"new", b"")).revision > BUMP
    with pytest.raises(Compacted):
        await anext(store.watch(WatchRequest(key=b"k/", end=b"k0", start_revision=303)))
    await store.close()


async def test_a_damaged_copy_is_passed_over(tmp_path: Path) -> None:
    path, clock = tmp_path / "state.db", FakeClock()
    await with_snapshot(path, clock)
    await clock.advance(3700)
    await with_snapshot(path, clock, keys=10)
    newest, older = snapshots_of(path)
    scribble(newest)
    scribble(path)
    store = await open_or_rescue(path, OPTIONS, clock)
    assert (await store.range(EVERYTHING)).count >= 301
    await store.close()
    assert older.exists()


async def test_without_a_copy_a_person_is_told(tmp_path: Path) -> None:
    path, clock = tmp_path / "state.db", FakeClock()
    store = await SqlStore.open(path, OPTIONS, clock)
    for number in range(300):
        await ops.put(store, b"k/%d" % number, bytes(500))
    await store.close()
    scribble(path)
    with pytest.raises(Damaged, match="Restore a backup"):
        await open_or_rescue(path, OPTIONS, clock)
    assert path.exists(), "it stays where it is"


async def test_a_copy_is_made_once_in_its_time_and_only_after_writes(tmp_path: Path) -> None:
    path, clock = tmp_path / "state.db", FakeClock()
    await with_snapshot(path, clock)
    (made,) = snapshots_of(path)
    before = made.stat().st_mtime_ns
    store = await SqlStore.open(path, OPTIONS, clock)
    await clock.advance(400)
    await ops.put(store, b"soon", b"")
    await store.close()
    assert made.stat().st_mtime_ns == before
