"""A full disk: what adds is refused, what makes room works, and all goes on when there is some."""

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from appliance.kit.clock import FakeClock
from appliance.store import ops
from appliance.store.base import FROM_KEY, Range
from appliance.store.errors import NoSpace
from appliance.store.options import StoreOptions
from appliance.store.serve.alarms import NOSPACE, Alarms
from appliance.store.sql.store import SqlStore

MIB = 1 << 20
OPTIONS = StoreOptions(
    reserve_bytes=2 * MIB, keep_history_s=0, checkpoint_bytes=256 << 10, value_cache_bytes=MIB
)
WRITER = Path(__file__).parents[3] / "model" / "crash_writer.py"
VALUE = bytes(16 << 10)

pytestmark = [pytest.mark.root, pytest.mark.slow]


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 24 MiB."""
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", str(tmp_path)], capture_output=True
    )
    if mounted.returncode:
        pytest.skip(f"no disk of its own can be mounted: {mounted.stderr.decode().strip()}")
    yield tmp_path
    subprocess.run(["umount", "-l", str(tmp_path)], check=True)


async def fill(store: SqlStore, prefix: bytes = b"k") -> int:
    """Write until there is no room."""
    for number in range(10_000):
        try:
            await ops.put(store, b"%b/%05d" % (prefix, number), VALUE)
        except NoSpace:
            return number
    raise AssertionError("the disk was never full")


def take(disk: Path, leave: int) -> Path:
    """Another program uses the disk."""
    other = disk / "other"
    with other.open("wb") as file:
        try:
            while True:
                file.write(bytes(64 << 10))
                file.flush()
        except OSError:
            size = file.tell()
    with other.open("r+b") as file:
        file.truncate(max(0, size - leave))
    return other


def take_more(other: Path) -> None:
    """All that is left, too."""
    with other.open("ab", buffering=0) as file:
        file.seek(0, 2)
        try:
            while True:
                file.write(bytes(4096))
                file.flush()
        except OSError:
            return


async def put_when_there_is_room(store: SqlStore, clock: FakeClock, key: bytes) -> int:
    """What a client does that is refused: ask again after a while. Gives the revision."""
    for _ in range(5):
        await clock.advance(2)
        try:
            return (await ops.put(store, key, VALUE)).revision
        except NoSpace:
            await store.write_notes("none", {})  # behind what the refusal has set going
    raise AssertionError("the room never came back")


async def test_reads_deletes_and_compaction_go_on_and_make_room(disk: Path) -> None:
    clock = FakeClock()
    store = await SqlStore.open(disk / "state.db", OPTIONS, clock)
    written = await fill(store)
    assert written > 500
    with pytest.raises(NoSpace):
        await ops.put(store, b"k/00000", b"")
    with pytest.raises(NoSpace):
        await store.lease_grant(60)
    kv = await ops.get(store, b"k/%05d" % (written - 1))
    assert kv is not None
    assert kv.value == VALUE
    assert (await ops.delete(store, b"k/", b"k0")).deleted == written
    await store.compact((await store.status()).revision)
    await store.compacted()
    assert await put_when_there_is_room(store, clock, b"again") == written + 3
    assert await fill(store, b"second") > written // 5, "the room has come back"
    await store.close()


async def test_service_goes_on_by_itself_when_another_program_makes_room(disk: Path) -> None:
    clock = FakeClock()
    store = await SqlStore.open(disk / "state.db", OPTIONS, clock)
    await ops.put(store, b"a", b"1")
    other = take(disk, leave=0)
    await fill(store)
    assert (await ops.delete(store, b"a")).deleted == 1
    other.unlink()
    await put_when_there_is_room(store, clock, b"b")
    assert (disk / "state.db.reserve").stat().st_size == OPTIONS.reserve_bytes
    await store.close()


async def test_it_opens_on_a_full_disk_after_an_uncontrolled_stop(disk: Path) -> None:
    path = disk / "state.db"
    store = await SqlStore.open(path, OPTIONS, FakeClock())
    await store.close()
    other = take(disk, leave=300 << 10)  # 99 % of the disk
    writer = await asyncio.create_subprocess_exec(
        sys.executable,
        *(str(WRITER), str(path), "1", "20"),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env={"PYTHONPATH": str(WRITER.parents[2])},
    )
    assert writer.stdout is not None
    said = [await writer.stdout.readline() for _ in range(200)]
    writer.kill()
    said += (await writer.stdout.read()).splitlines(keepends=True)
    await writer.wait()
    take_more(other)
    clock = FakeClock()
    store = await SqlStore.open(path, OPTIONS, clock)
    for key, revision in (line.split() for line in said if line.endswith(b"\n")):
        if key not in {b"ready", b"e/x"}:
            kv = await ops.get(store, key)
            assert kv is not None
            assert kv.mod_revision == int(revision)
    await fill(store)
    with pytest.raises(NoSpace):
        await ops.put(store, b"x", VALUE)
    everything = Range(key=FROM_KEY, end=FROM_KEY, count_only=True)
    assert (await ops.delete(store, b"1/", b"10")).deleted > 100
    assert (await store.range(everything)).count < 100
    other.unlink()
    await put_when_there_is_room(store, clock, b"x")
    await store.close()


async def test_a_full_disk_is_an_alarm_that_ends_by_itself(disk: Path) -> None:
    clock = FakeClock()
    store = await SqlStore.open(disk / "state.db", OPTIONS, clock)
    alarms = Alarms(store, 7)
    assert alarms.on() == []
    other = take(disk, leave=4 * MIB)
    await fill(store)
    assert alarms.on() == [(7, NOSPACE)]
    assert alarms.texts() == ["memberID:7 alarm:NOSPACE "]
    assert await alarms.lift(7, NOSPACE) == [], "the disk does not get emptier by that"
    assert alarms.on(NOSPACE) == [(7, NOSPACE)]
    other.unlink()
    await clock.advance(2)
    alarms.on()  # looks, and has the log moved
    await store._writer.drain()
    await clock.advance(2)
    assert alarms.on() == []
    await ops.put(store, b"again", VALUE)
    await store.close()
