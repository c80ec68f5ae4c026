"""Queues of keys: who has made its key first below a name is at the head.

Locks and elections are such queues. A place is the key `name/<lease in hex>`, so it goes with its
lease; whoever waits watches the key just before its own, so a change wakes one waiter.

Source: etcd client/v3/concurrency (key.go, mutex.go).
"""

import asyncio
from dataclasses import dataclass
from typing import Protocol

from appliance.store.base import (
    Compare,
    CompareTarget,
    Delete,
    EventKind,
    KeyValue,
    Lease,
    Op,
    Put,
    Range,
    RangeResult,
    SortOrder,
    SortTarget,
    Txn,
    TxnResult,
    Watcher,
    WatchRequest,
    prefix_end,
)

_LEASE_S = 60


class Keys(Protocol):
    """What a queue needs of a store."""

    async def range(self, request: Range) -> RangeResult:
        """Read keys."""
        ...

    async def txn(self, request: Txn, author: str = "") -> TxnResult:
        """Run a transaction."""
        ...

    def watch(self, request: WatchRequest) -> Watcher:
        """Open a watch."""
        ...

    async def lease_grant(self, ttl_s: int, lease_id: int = 0) -> Lease:
        """Make a lease."""
        ...


@dataclass(frozen=True, slots=True)
class Place:
    """A place in a queue; `revision` is when it was taken."""

    key: bytes
    revision: int
    lease: int


async def take_place(store: Keys, name: bytes, lease: int, value: bytes = b"") -> Place:
    """Stand in line; with a lease that stands already, keep its place and set the value.

    Raises:
        LeaseNotFound: there is no such lease.
    """
    lease = lease or (await store.lease_grant(_LEASE_S)).id
    key = b"%b/%x" % (name, lease)
    put = Put(key=key, value=value, lease=lease)
    result = await store.txn(
        Txn(
            compares=(_made_at(key, 0),),
            success=(put,),
            failure=(Range(key=key), put) if value else (Range(key=key),),
        )
    )
    found = result.results[0]
    if isinstance(found, RangeResult):
        return Place(key, found.kvs[0].create_revision, lease)
    return Place(key, result.revision, lease)


async def wait_for_turn(store: Keys, name: bytes, place: Place) -> bool:
    """Wait until nobody is ahead; False if the place has gone meanwhile.

    Whoever gives up waiting gives up the place.
    """
    try:
        while (ahead := await _ahead(store, name, place)) is not None:
            await _until_gone(store, ahead[0], ahead[1])
    except asyncio.CancelledError:
        await leave(store, place)
        raise
    found = (await store.range(Range(key=place.key))).kvs
    return bool(found) and found[0].create_revision == place.revision


async def head(store: Keys, name: bytes) -> tuple[KeyValue | None, int]:
    """The first in line, and the store's revision."""
    first = await store.range(
        Range(
            key=name + b"/",
            end=prefix_end(name + b"/"),
            sort_order=SortOrder.ASCEND,
            sort_target=SortTarget.CREATE,
            limit=1,
        )
    )
    return (first.kvs[0] if first.kvs else None), first.revision


async def if_still(store: Keys, place: Place, op: Op) -> TxnResult:
    """Do something if the place is still held."""
    return await store.txn(Txn(compares=(_made_at(place.key, place.revision),), success=(op,)))


async def leave(store: Keys, place: Place) -> TxnResult:
    """Give up a place."""
    return await if_still(store, place, Delete(key=place.key))


async def _ahead(store: Keys, name: bytes, place: Place) -> tuple[bytes, int] | None:
    """The key just before ours, and the revision at which it was seen."""
    before = await store.range(
        Range(
            key=name + b"/",
            end=prefix_end(name + b"/"),
            sort_order=SortOrder.DESCEND,
            sort_target=SortTarget.CREATE,
            max_create_revision=place.revision - 1,
            limit=1,
        )
    )
    return (before.kvs[0].key, before.revision) if before.kvs else None


async def _until_gone(store: Keys, key: bytes, revision: int) -> None:
    watcher = store.watch(WatchRequest(key=key, start_revision=revision + 1, no_put=True))
    try:
        async for batch in watcher:
            if any(event.kind is EventKind.DELETE for event in batch.events):
                return
    finally:
        watcher.close()


def _made_at(key: bytes, revision: int) -> Compare:
    return Compare(key=key, target=CompareTarget.CREATE, operand=revision)
