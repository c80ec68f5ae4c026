"""Messages of the KV service, and those that others share.

Source: etcd api/etcdserverpb/rpc.proto, api/mvccpb/kv.proto.
"""

from functools import lru_cache
from typing import Annotated

from typing_extensions import override

from appliance.store.serve.wire import UINT64, Message, varint


class ResponseHeader(Message):
    """Who answered, and the store's revision then."""

    cluster_id: Annotated[int, 1, UINT64] = 0
    member_id: Annotated[int, 2, UINT64] = 0
    revision: Annotated[int, 3] = 0
    raft_term: Annotated[int, 4, UINT64] = 0

    @override
    def encode(self) -> bytes:
        """As any message; but every answer has one, and its ids are long and always the same."""
        head = _identity(self.cluster_id, self.member_id)
        revision = b"\x18" + varint(self.revision) if self.revision else b""
        return head + revision + (b"\x20" + varint(self.raft_term) if self.raft_term else b"")


@lru_cache(maxsize=16)
def _identity(cluster_id: int, member_id: int) -> bytes:
    cluster = b"\x08" + varint(cluster_id) if cluster_id else b""
    return cluster + (b"\x10" + varint(member_id) if member_id else b"")


class KeyValue(Message):
    """A key at a revision."""

    key: Annotated[bytes, 1] = b""
    create_revision: Annotated[int, 2] = 0
    mod_revision: Annotated[int, 3] = 0
    version: Annotated[int, 4] = 0
    value: Annotated[bytes, 5] = b""
    lease: Annotated[int, 6] = 0


class RangeRequest(Message):
    """Read [key, range_end)."""

    key: Annotated[bytes, 1] = b""
    range_end: Annotated[bytes, 2] = b""
    limit: Annotated[int, 3] = 0
    revision: Annotated[int, 4] = 0
    sort_order: Annotated[int, 5, ("NONE", "ASCEND", "DESCEND")] = 0
    sort_target: Annotated[int, 6, ("KEY", "VERSION", "CREATE", "MOD", "VALUE")] = 0
    serializable: Annotated[bool, 7] = False
    keys_only: Annotated[bool, 8] = False
    count_only: Annotated[bool, 9] = False
    min_mod_revision: Annotated[int, 10] = 0
    max_mod_revision: Annotated[int, 11] = 0
    min_create_revision: Annotated[int, 12] = 0
    max_create_revision: Annotated[int, 13] = 0


class RangeResponse(Message):
    """What was found."""

    header: Annotated[ResponseHeader | None, 1] = None
    kvs: Annotated[list[KeyValue], 2] = []
    more: Annotated[bool, 3] = False
    count: Annotated[int, 4] = 0


class RangeStreamResponse(Message):
    """A part of what was found."""

    range_response: Annotated[RangeResponse | None, 1] = None


class PutRequest(Message):
    """Write a key."""

    key: Annotated[bytes, 1] = b""
    value: Annotated[bytes, 2] = b""
    lease: Annotated[int, 3] = 0
    prev_kv: Annotated[bool, 4] = False
    ignore_value: Annotated[bool, 5] = False
    ignore_lease: Annotated[bool, 6] = False


class PutResponse(Message):
    """It is written."""

    header: Annotated[ResponseHeader | None, 1] = None
    prev_kv: Annotated[KeyValue | None, 2] = None


class DeleteRangeRequest(Message):
    """Delete [key, range_end)."""

    key: Annotated[bytes, 1] = b""
    range_end: Annotated[bytes, 2] = b""
    prev_kv: Annotated[bool, 3] = False


class DeleteRangeResponse(Message):
    """How many are gone."""

    header: Annotated[ResponseHeader | None, 1] = None
    deleted: Annotated[int, 2] = 0
    prev_kvs: Annotated[list[KeyValue], 3] = []


class Compare(Message):
    """A condition; of the last fields only the one that `target` names counts."""

    result: Annotated[int, 1, ("EQUAL", "GREATER", "LESS", "NOT_EQUAL")] = 0
    target: Annotated[int, 2, ("VERSION", "CREATE", "MOD", "VALUE", "LEASE")] = 0
    key: Annotated[bytes, 3] = b""
    version: Annotated[int, 4] = 0
    create_revision: Annotated[int, 5] = 0
    mod_revision: Annotated[int, 6] = 0
    value: Annotated[bytes, 7] = b""
    lease: Annotated[int, 8] = 0
    range_end: Annotated[bytes, 64] = b""


class RequestOp(Message):
    """One of four."""

    request_range: Annotated[RangeRequest | None, 1] = None
    request_put: Annotated[PutRequest | None, 2] = None
    request_delete_range: Annotated[DeleteRangeRequest | None, 3] = None
    request_txn: Annotated["TxnRequest | None", 4] = None


class ResponseOp(Message):
    """One of four."""

    response_range: Annotated[RangeResponse | None, 1] = None
    response_put: Annotated[PutResponse | None, 2] = None
    response_delete_range: Annotated[DeleteRangeResponse | None, 3] = None
    response_txn: Annotated["TxnResponse | None", 4] = None


class TxnRequest(Message):
    """If all compares hold, `success`, else `failure`."""

    compare: Annotated[list[Compare], 1] = []
    success: Annotated[list[RequestOp], 2] = []
    failure: Annotated[list[RequestOp], 3] = []


class TxnResponse(Message):
    """Which branch it was, and its results."""

    header: Annotated[ResponseHeader | None, 1] = None
    succeeded: Annotated[bool, 2] = False
    responses: Annotated[list[ResponseOp], 3] = []


class CompactionRequest(Message):
    """Forget what is older than `revision`."""

    revision: Annotated[int, 1] = 0
    physical: Annotated[bool, 2] = False


class CompactionResponse(Message):
    """It is forgotten."""

    header: Annotated[ResponseHeader | None, 1] = None
