"""A copy made in use, and a store started from it at an earlier revision."""

from pathlib import Path

import pytest

from appliance.kit.clock import FakeClock
from appliance.store import ops
from appliance.store.base import Range, WatchRequest
from appliance.store.errors import Compacted
from appliance.store.options import StoreOptions
from appliance.store.sql.store import SqlStore
from appliance.store.upkeep.archive import Archive
from appliance.store.upkeep.copies import BUMP, make_startable


async def test_a_restored_store_is_of_that_moment_and_its_clients_notice(
    store: SqlStore, archive: Archive, clock: FakeClock, options: StoreOptions, tmp_path: Path
) -> None:
    await store.lease_grant(100, 7)
    await store.lease_grant(100, 8)
    await ops.put(store, b"a", b"1", lease=7)
    await ops.put(store, b"b", b"1", lease=8)
    then = await store.head()
    await ops.put(store, b"a", b"2")
    await ops.delete(store, b"b")
    await store.lease_revoke(8)
    await store.compact(await store.head())
    await store.compacted()
    copy = tmp_path / "copy.db"
    assert archive.copy_into(copy) == then + 2
    assert copy.stat().st_mode & 0o777 == 0o600
    await clock.advance(90)
    make_startable(copy, to=then, now_ms=int(clock.wall() * 1000))

    restored = await SqlStore.open(copy, options, clock)
    kvs = (await restored.range(Range(key=b"\0", end=b"\0"))).kvs
    assert [(kv.key, kv.value, kv.mod_revision, kv.lease) for kv in kvs] == [
        (b"a", b"1", then - 1, 7),
        (b"b", b"1", then, 0),
    ]
    assert (await restored.lease_info(7)).remaining_s == pytest.approx(100)
    assert await restored.head() == then + 2 + BUMP
    with pytest.raises(Compacted):
        await anext(restored.watch(WatchRequest(key=b"a", start_revision=then + 1)))
    put = await ops.put(restored, b"c", b"1")
    assert put.revision == then + 3 + BUMP
    await restored.close()
