"""Get, put and delete of one key: the common transactions in one line.

Called by whoever holds a `Store`. Nothing here knows how a store works.
"""

from appliance.store.base import (
    NO_END,
    Delete,
    DeleteResult,
    KeyValue,
    Put,
    PutResult,
    Range,
    Store,
    Txn,
)


async def get(store: Store, key: bytes, revision: int = 0) -> KeyValue | None:
    """The key, or None; at `revision` if given.

    Raises:
        Compacted, FutureRevision: the revision cannot be read.
    """
    found = await store.range(Range(key=key, revision=revision))
    return found.kvs[0] if found.kvs else None


async def put(
    store: Store,
    key: bytes,
    value: bytes,
    lease: int = 0,
    *,
    prev_kv: bool = False,
    author: str = "",
) -> PutResult:
    """Write a key; returns when it is durable."""
    request = Put(key=key, value=value, lease=lease, prev_kv=prev_kv)
    (result,) = (await store.txn(Txn(success=(request,)), author)).results
    assert isinstance(result, PutResult)  # noqa: S101 - a put answers with a put's result
    return result


async def delete(
    store: Store, key: bytes, end: bytes = NO_END, *, prev_kv: bool = False, author: str = ""
) -> DeleteResult:
    """Delete the keys in [key, end)."""
    request = Delete(key=key, end=end, prev_kv=prev_kv)
    (result,) = (await store.txn(Txn(success=(request,)), author)).results
    assert isinstance(result, DeleteResult)  # noqa: S101 - a delete answers with its own result
    return result
