"""The KV service: Range, Put, DeleteRange, Txn, Compact.

Source: etcd server/etcdserver/api/v3rpc/key.go.
"""

from appliance.store.base import (
    DeleteResult,
    PromptStore,
    Put,
    PutResult,
    Txn,
    TxnResult,
)
from appliance.store.errors import StoreError, TooLarge
from appliance.store.serve import convert, quick
from appliance.store.serve.calls import Caller, Methods, Reply, Unary
from appliance.store.serve.identity import current_revision
from appliance.store.serve.messages import kv as pb
from appliance.store.serve.parts import Parts
from appliance.store.serve.quota import cost_of, writes
from appliance.store.serve.wire import Message


class KvService:
    """Keys and values."""

    def __init__(self, parts: Parts) -> None:
        self._store = parts.store
        self._identity = parts.identity
        self._quota = parts.quota
        self._max_bytes = parts.limits.max_request_bytes
        self._prompt: PromptKv | None = None
        if isinstance(parts.store, PromptStore):
            self._prompt = PromptKv(parts.store, parts)

    def methods(self) -> Methods:
        """The service's table."""
        prefix, prompt = "/etcdserverpb.KV/", self._prompt
        range_, put, txn = (prompt.range, prompt.put, prompt.txn) if prompt else (None,) * 3
        return {
            prefix + "Range": Unary(pb.RangeRequest, self.range, range_),
            prefix + "Put": Unary(pb.PutRequest, self.put, put),
            prefix + "DeleteRange": Unary(pb.DeleteRangeRequest, self.delete),
            prefix + "Txn": Unary(pb.TxnRequest, self.txn, txn),
            prefix + "Compact": Unary(pb.CompactionRequest, self.compact),
        }

    async def range(self, request: pb.RangeRequest, caller: Caller) -> Message:
        """Read keys."""
        del caller
        result = await self._store.range(convert.range_of(request))
        return convert.range_message(result, self._identity.header(result.revision))

    async def put(self, request: pb.PutRequest, caller: Caller) -> Message:
        """Write a key."""
        put = convert.put_of(request)
        _check_size(put, self._max_bytes)
        await self._quota.admit(cost_of(put))
        if _keeps_value(put):
            # Outside transactions etcd looks at the lease before it looks at the key.
            await self._store.lease_info(put.lease)
        (result,) = (await self._store.txn(Txn(success=(put,)), caller.peer)).results
        assert isinstance(result, PutResult)  # noqa: S101 - a put answers with a put's result
        return convert.put_message(result, self._identity.header(result.revision))

    async def delete(self, request: pb.DeleteRangeRequest, caller: Caller) -> Message:
        """Delete keys."""
        self._quota.alarms.check_writable()
        delete = convert.delete_of(request)
        (result,) = (await self._store.txn(Txn(success=(delete,)), caller.peer)).results
        assert isinstance(result, DeleteResult)  # noqa: S101 - as above
        return convert.delete_message(result, self._identity.header(result.revision))

    async def txn(self, request: pb.TxnRequest, caller: Caller) -> Message:
        """Run a transaction."""
        txn = convert.txn_of(request)
        if cost := cost_of(txn):
            await self._quota.admit(cost)
        elif writes(txn):
            self._quota.alarms.check_writable()
        result = await self._store.txn(txn, caller.peer)
        return convert.txn_message(result, self._identity.header(result.revision))

    async def compact(self, request: pb.CompactionRequest, caller: Caller) -> Message:
        """Forget history; `physical` asks to wait for the space too, which needs no wait here."""
        del caller
        self._quota.alarms.check_writable()
        await self._store.compact(request.revision)
        return pb.CompactionResponse(
            header=self._identity.header(await current_revision(self._store))
        )


class PromptKv:
    """The same answers without a task for each call, over a store that can do that."""

    def __init__(self, store: PromptStore, parts: Parts) -> None:
        self._store = store
        self._identity = parts.identity
        self._quota = parts.quota
        self._max_bytes = parts.limits.max_request_bytes
        self._answers = quick.Answers(parts.identity)

    def range(self, data: bytes, caller: Caller, reply: Reply) -> bool:
        """Read keys."""
        del caller
        request = quick.range_of(data) or convert.range_of(pb.RangeRequest.decode(data))
        reply.finish(self._answers.range(self._store.range_now(request)))
        return True

    def put(self, data: bytes, caller: Caller, reply: Reply) -> bool:
        """Write a key, if the request is of the common shape."""
        put = quick.put_of(data)
        if put is None:
            return False
        _check_size(put, self._max_bytes)
        if not self._quota.fits(cost_of(put)):
            return False

        def done(result: TxnResult | StoreError) -> None:
            if isinstance(result, StoreError):
                reply.refuse(result)
            else:
                reply.finish(self._answers.put(result.revision))

        self._store.txn_soon(Txn(success=(put,)), caller.peer, done)
        return True

    def txn(self, data: bytes, caller: Caller, reply: Reply) -> bool:
        """Run a transaction."""
        request = pb.TxnRequest.decode(data)
        txn = convert.txn_of(request)
        cost = cost_of(txn)
        if cost and not self._quota.fits(cost):
            return False
        if not cost and writes(txn):
            self._quota.alarms.check_writable()

        def done(result: TxnResult | StoreError) -> None:
            if isinstance(result, StoreError):
                reply.refuse(result)
            else:
                header = self._identity.header(result.revision)
                reply.finish(convert.txn_message(result, header).encode())

        self._store.txn_soon(txn, caller.peer, done)
        return True


def _check_size(put: Put, max_bytes: int) -> None:
    if len(put.key) + len(put.value) > max_bytes:
        raise TooLarge


def _keeps_value(put: Put) -> bool:
    """A well-formed put of a lease alone."""
    well_formed = put.key and not put.value and not put.ignore_lease
    return bool(put.lease and put.ignore_value and well_formed)
