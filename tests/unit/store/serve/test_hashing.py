"""HashKV: etcd's own number for a small story, and what compaction does to it."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from appliance.kit.clock import SystemClock
from appliance.store import ops
from appliance.store.errors import Compacted, FutureRevision
from appliance.store.options import StoreOptions
from appliance.store.serve.crc32c import crc32c
from appliance.store.serve.hashing import HistoryRows, hash_kv
from appliance.store.sql.store import SqlStore

CLOCK = SystemClock()


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqlStore]:
    opened = await SqlStore.open(tmp_path / "db", StoreOptions(keep_history_s=0), CLOCK)
    yield opened
    await opened.close()


def test_the_checksum_of_the_standard() -> None:
    assert crc32c(b"123456789") == 0xE3069283
    assert crc32c(b"456789", crc32c(b"123")) == 0xE3069283
    assert crc32c(b"") == 0


async def test_it_is_of_all_history_up_to_a_revision(store: SqlStore) -> None:
    assert isinstance(store, HistoryRows)
    empty = await hash_kv(store, store, CLOCK)
    assert (empty.hash, empty.revision) == (crc32c(b"key"), 1)
    await ops.put(store, b"a", b"1")
    at_2 = await hash_kv(store, store, CLOCK)
    await ops.delete(store, b"a")
    kv = b"\x0a\x01a\x10\x02\x18\x02\x20\x01\x2a\x011"
    place = bytes(7) + b"\x02_" + bytes(8)
    assert at_2.hash == crc32c(b"key" + place + kv)
    assert (await hash_kv(store, store, CLOCK, 2)).hash == at_2.hash
    assert (await hash_kv(store, store, CLOCK)).hash != at_2.hash


async def test_it_does_not_depend_on_how_far_compaction_has_come(store: SqlStore) -> None:
    for number in range(120):
        await ops.put(store, b"%d" % (number % 7), b"v")
    await store.compact(80)
    at_once = await hash_kv(store, store, CLOCK)
    await store.compacted()
    assert await hash_kv(store, store, CLOCK) == at_once
    assert at_once.compact_revision == 80
    with pytest.raises(Compacted):
        await hash_kv(store, store, CLOCK, 79)
    with pytest.raises(FutureRevision):
        await hash_kv(store, store, CLOCK, 9999)
