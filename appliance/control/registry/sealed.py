"""`SealedStore`: a store whose confidential values are encrypted, for the registry's eyes only.

Wraps any `Store`: values under `SEALED` are sealed on their way in and opened on their way out;
everything else passes through. Readers of the database, of its backups and of the etcd port see
the sealed bytes. `reseal` brings what was written without, or with an older key, up to date.
A value that cannot be opened is passed on as it is: the registry leaves out what is no object,
and says so, instead of losing the whole kind.
"""

from collections.abc import AsyncIterator, Sequence

import structlog
from msgspec.structs import replace
from typing_extensions import override

from appliance.kit.keyring import CannotOpen, Ring
from appliance.store.base import (
    FROM_KEY,
    Compare,
    CompareTarget,
    DeleteResult,
    Event,
    KeyValue,
    Lease,
    Op,
    OpResult,
    Put,
    Range,
    RangeResult,
    Status,
    Store,
    Txn,
    TxnResult,
    WatchBatch,
    Watcher,
    WatchRequest,
    prefix_end,
)

log = structlog.get_logger(__name__)

SEALED = b"/registry/secrets/"
_PAGE = 500


class SealedStore(Store):
    """See the module."""

    def __init__(self, inner: Store, ring: Ring) -> None:
        self._inner = inner
        self._ring = ring

    @property
    @override
    def shared(self) -> bool:
        return self._inner.shared

    @override
    async def range(self, request: Range) -> RangeResult:
        found = await self._inner.range(request)
        return self._opened_range(found) if _touches(request.key, request.end) else found

    @override
    async def head(self) -> int:
        return await self._inner.head()

    @override
    async def txn(self, request: Txn, author: str = "") -> TxnResult:
        if not _concerns(request):
            return await self._inner.txn(request, author)
        return self._opened_txn(await self._inner.txn(self._sealed_txn(request), author))

    @override
    def watch(self, request: WatchRequest) -> Watcher:
        watcher = self._inner.watch(request)
        return _OpenedWatcher(watcher, self) if _touches(request.key, request.end) else watcher

    @override
    async def compact(self, revision: int) -> None:
        await self._inner.compact(revision)

    @override
    async def lease_grant(self, ttl_s: int, lease_id: int = 0) -> Lease:
        return await self._inner.lease_grant(ttl_s, lease_id)

    @override
    async def lease_keep_alive(self, lease_id: int) -> Lease:
        return await self._inner.lease_keep_alive(lease_id)

    @override
    async def lease_revoke(self, lease_id: int) -> None:
        await self._inner.lease_revoke(lease_id)

    @override
    async def lease_info(self, lease_id: int) -> Lease:
        return await self._inner.lease_info(lease_id)

    @override
    async def lease_list(self) -> Sequence[int]:
        return await self._inner.lease_list()

    @override
    async def status(self) -> Status:
        return await self._inner.status()

    @override
    async def close(self) -> None:
        await self._inner.close()

    def opened(self, kv: KeyValue) -> KeyValue:
        """Open one value."""
        if not kv.key.startswith(SEALED) or not kv.value:
            return kv
        try:
            return replace(kv, value=self._ring.open(kv.key, kv.value))
        except CannotOpen as error:
            log.warning(
                "a secret cannot be opened", key=kv.key.decode(errors="replace"), why=str(error)
            )
            return kv

    def opened_event(self, event: Event) -> Event:
        """Open what an event shows."""
        before = event.prev_kv
        return replace(
            event,
            kv=self.opened(event.kv),
            prev_kv=None if before is None else self.opened(before),
        )

    def _sealed_txn(self, request: Txn) -> Txn:
        return replace(
            request,
            success=tuple(map(self._sealed_op, request.success)),
            failure=tuple(map(self._sealed_op, request.failure)),
        )

    def _sealed_op(self, op: Op) -> Op:
        if isinstance(op, Txn):
            return self._sealed_txn(op)
        if isinstance(op, Put) and op.key.startswith(SEALED):
            return replace(op, value=self._ring.seal(op.key, op.value))
        return op

    def _opened_txn(self, done: TxnResult) -> TxnResult:
        return replace(done, results=tuple(map(self._opened_result, done.results)))

    def _opened_result(self, result: OpResult) -> OpResult:
        if isinstance(result, RangeResult):
            return self._opened_range(result)
        if isinstance(result, TxnResult):
            return self._opened_txn(result)
        if isinstance(result, DeleteResult):
            return replace(result, prev_kvs=tuple(map(self.opened, result.prev_kvs)))
        before = result.prev_kv
        return result if before is None else replace(result, prev_kv=self.opened(before))

    def _opened_range(self, found: RangeResult) -> RangeResult:
        return replace(found, kvs=tuple(map(self.opened, found.kvs)))


class _OpenedWatcher:
    """A watch whose values are opened."""

    def __init__(self, inner: Watcher, store: SealedStore) -> None:
        self._inner = inner
        self._store = store

    def __aiter__(self) -> AsyncIterator[WatchBatch]:
        return self

    async def __anext__(self) -> WatchBatch:
        batch = await self._inner.__anext__()
        if not batch.events:
            return batch
        return replace(batch, events=tuple(map(self._store.opened_event, batch.events)))

    def progress(self) -> None:
        self._inner.progress()

    def close(self) -> None:
        self._inner.close()


async def reseal(store: Store, ring: Ring) -> int:
    """Seal with the first key what is not; says how many that were.

    `store` is the inner one. Run at each start, before anything else writes: a value that another
    master has changed meanwhile is left to that one.
    """
    count, key, end = 0, SEALED, prefix_end(SEALED)
    while True:
        page = await store.range(Range(key=key, end=end, limit=_PAGE))
        for kv in page.kvs:
            if ring.is_current(kv.value):
                continue
            try:
                value = ring.open(kv.key, kv.value)
            except CannotOpen:
                continue  # the registry says so when it reads it
            same = Compare(key=kv.key, target=CompareTarget.MOD, operand=kv.mod_revision)
            put = Put(key=kv.key, value=ring.seal(kv.key, value), lease=kv.lease)
            done = await store.txn(Txn(compares=(same,), success=(put,)), "system:apiserver")
            count += done.succeeded
        if len(page.kvs) < _PAGE:
            return count
        key = page.kvs[-1].key + b"\x00"


def _touches(key: bytes, end: bytes) -> bool:
    """Whether a range may hold sealed values."""
    if not end:
        return key.startswith(SEALED)
    return key < prefix_end(SEALED) and (end == FROM_KEY or end > SEALED)


def _concerns(request: Txn) -> bool:
    """Whether an operation of a transaction may meet sealed values."""
    return any(
        _concerns(op)
        if isinstance(op, Txn)
        else _touches(op.key, b"" if isinstance(op, Put) else op.end)
        for op in (*request.success, *request.failure)
    )
