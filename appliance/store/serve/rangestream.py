"""RangeStream: a range of any size in pieces, all as of one revision.

etcd has it from 3.7 on; clients ask for it and do without where it is not known. Only the last
piece has the header, `more` and the count. Pieces grow and shrink towards the size of a request;
a client that does not read makes the next one wait.

Source: etcd server/etcdserver/v3_server.go (rangeStream), api/v3rpc/key.go.
"""

from msgspec.structs import replace

from appliance.store.base import Range, RangeResult, SortOrder, SortTarget
from appliance.store.serve import convert
from appliance.store.serve.calls import Methods, Stream, Streaming
from appliance.store.serve.messages import kv as pb
from appliance.store.serve.parts import Parts
from appliance.store.serve.status import Refused, Status

_FIRST_KEYS = 10
_MAX_KEYS = 10_000
_CUSTOM_ORDER = "RangeStream does not support custom sort orders"
_FILTERS = "RangeStream does not support revision filters"


class RangeStreamService:
    """Large ranges."""

    def __init__(self, parts: Parts) -> None:
        self._store = parts.store
        self._identity = parts.identity
        self._piece_bytes = parts.limits.max_request_bytes

    def methods(self) -> Methods:
        """The service's table."""
        return {"/etcdserverpb.KV/RangeStream": Streaming(pb.RangeRequest, self.stream)}

    async def stream(self, stream: Stream) -> None:
        """Answer the one request."""
        async for request in stream:
            asked = convert.range_of(request)
            _check(asked)
            if asked.count_only:
                found = await self._store.range(asked)
                await self._send(stream, found, found.count)
            else:
                await self._pieces(stream, asked)
            return

    async def _pieces(self, stream: Stream, asked: Range) -> None:
        left = asked.limit if asked.limit > 0 else None
        sent, size, first = 0, _FIRST_KEYS, 0
        while True:
            limit = size if left is None else min(size, left - sent)
            piece = await self._store.range(replace(asked, limit=limit))
            first = first or piece.revision
            sent += len(piece.kvs)
            if not piece.more or sent == left:
                total = sent + piece.count - len(piece.kvs)
                await self._send(stream, replace(piece, revision=first), total)
                return
            kvs = [convert.kv_message(kv) for kv in piece.kvs]
            part = pb.RangeStreamResponse(range_response=pb.RangeResponse(kvs=kvs))
            await stream.send(part)
            behind = piece.kvs[-1].key + b"\x00"
            asked = replace(asked, key=behind, revision=asked.revision or first)
            size = self._next_size(size, piece)

    async def _send(self, stream: Stream, found: RangeResult, count: int) -> None:
        header = self._identity.header(found.revision)
        last = convert.range_message(replace(found, count=count), header)
        await stream.send(pb.RangeStreamResponse(range_response=last))

    def _next_size(self, size: int, piece: RangeResult) -> int:
        size_bytes = sum(len(kv.key) + len(kv.value) for kv in piece.kvs)
        if size_bytes < self._piece_bytes // 2:
            size *= 2
        elif size_bytes > self._piece_bytes * 2:
            size //= 2
        return min(max(1, size), _MAX_KEYS)


def _check(asked: Range) -> None:
    in_order = asked.sort_order in {SortOrder.NONE, SortOrder.ASCEND}
    if not in_order or asked.sort_target is not SortTarget.KEY:
        raise Refused(Status.UNIMPLEMENTED, _CUSTOM_ORDER)
    if (
        asked.min_mod_revision
        or asked.max_mod_revision
        or asked.min_create_revision
        or asked.max_create_revision
    ):
        raise Refused(Status.UNIMPLEMENTED, _FILTERS)
