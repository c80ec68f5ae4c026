"""Deleted keys come back; prefixes become what they were; as one revision or not at all."""

import pytest

from appliance.store import ops
from appliance.store.base import Range, WatchRequest
from appliance.store.sql.store import SqlStore
from appliance.store.upkeep import timetravel
from appliance.store.upkeep.archive import Archive
from appliance.store.upkeep.timetravel import NotPossible, rewind, undelete

ALL = (b"/", b"0")


def anything(value: bytes) -> bool:
    del value
    return True


async def values(store: SqlStore) -> dict[bytes, bytes]:
    found = await store.range(Range(key=ALL[0], end=ALL[1]))
    return {kv.key: kv.value for kv in found.kvs}


async def test_a_prefix_becomes_what_it_was_in_one_revision(
    store: SqlStore, archive: Archive
) -> None:
    await ops.put(store, b"/changed", b"1")
    await ops.put(store, b"/deleted", b"1")
    await ops.put(store, b"/same", b"1")
    good = await store.head()
    await ops.put(store, b"/changed", b"2")
    await ops.delete(store, b"/deleted")
    await ops.put(store, b"/new", b"1")
    await ops.put(store, b"/leases/n", b"1")
    await ops.put(store, b"0outside", b"1")
    before = await store.head()
    watcher = store.watch(WatchRequest(key=b"/", end=b"0"))
    dry = await rewind(store, archive, ALL, to=good, spared=(b"/leases/",), dry_run=True)
    assert await store.head() == before
    outcome = await rewind(store, archive, ALL, to=good, spared=(b"/leases/",))
    assert (outcome.put, outcome.deleted) == (dry.put, dry.deleted)
    assert (outcome.put, outcome.deleted) == ((b"/changed", b"/deleted"), (b"/new",))
    assert outcome.revision == before + 1
    there = {b"/changed": b"1", b"/deleted": b"1", b"/same": b"1", b"/leases/n": b"1"}
    assert await values(store) == there
    assert len((await anext(watcher)).events) == 3
    again = await rewind(store, archive, ALL, to=good, spared=(b"/leases/",))
    assert again.revision == 0


async def test_what_is_not_kept_is_refused(store: SqlStore, archive: Archive) -> None:
    await ops.put(store, b"/a", b"1")
    with pytest.raises(NotPossible, match="the newest of 2"):
        await rewind(store, archive, ALL, to=3)
    with pytest.raises(NotPossible, match="nothing there was deleted since revision 0"):
        await undelete(store, archive, ALL, usable=anything)


async def test_deleted_keys_come_back_and_what_is_there_stays(
    store: SqlStore, archive: Archive
) -> None:
    await ops.put(store, b"/a", b"1")
    await ops.put(store, b"/a", b"2")
    await ops.put(store, b"/b", b"old")
    await ops.put(store, b"/c", b"only bad")
    await ops.delete(store, b"/", b"0")
    await ops.put(store, b"/b", b"new")
    await store.compact(await store.head())
    await store.compacted()
    outcome = await undelete(
        store, archive, ALL, usable=lambda value: value not in (b"2", b"only bad")
    )
    assert outcome.put == (b"/a",)
    assert await values(store) == {b"/a": b"1", b"/b": b"new"}


async def test_a_write_in_between_is_not_lost(
    store: SqlStore, archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    await ops.put(store, b"/a", b"1")
    good = await store.head()
    await ops.put(store, b"/a", b"2")
    present = timetravel._present

    async def then_somebody_writes(*args: object) -> object:
        found = await present(*args)  # type: ignore[arg-type]
        await ops.put(store, b"/a", b"3")
        return found

    monkeypatch.setattr(timetravel, "_present", then_somebody_writes)
    with pytest.raises(NotPossible, match="somebody else wrote"):
        await rewind(store, archive, ALL, to=good)
    assert await values(store) == {b"/a": b"3"}
