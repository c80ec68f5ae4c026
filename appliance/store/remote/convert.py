"""The store's values to etcd's messages, and answers back: the mirror of `serve/convert.py`."""

from collections.abc import Sequence

from appliance.store.base import (
    Compare,
    CompareTarget,
    Delete,
    DeleteResult,
    Event,
    EventKind,
    KeyValue,
    Op,
    OpResult,
    Put,
    PutResult,
    Range,
    RangeResult,
    Txn,
    TxnResult,
)
from appliance.store.serve.messages import kv as pb
from appliance.store.serve.messages.watch import Event as PbEvent

_OPERANDS = {
    CompareTarget.VERSION: "version",
    CompareTarget.CREATE: "create_revision",
    CompareTarget.MOD: "mod_revision",
    CompareTarget.VALUE: "value",
    CompareTarget.LEASE: "lease",
}


def range_request(request: Range) -> pb.RangeRequest:
    """A range."""
    return pb.RangeRequest(
        key=request.key,
        range_end=request.end,
        limit=request.limit,
        revision=request.revision,
        sort_order=request.sort_order.value,
        sort_target=request.sort_target.value,
        keys_only=request.keys_only,
        count_only=request.count_only,
        min_mod_revision=request.min_mod_revision,
        max_mod_revision=request.max_mod_revision,
        min_create_revision=request.min_create_revision,
        max_create_revision=request.max_create_revision,
    )


def txn_request(request: Txn) -> pb.TxnRequest:
    """A transaction."""
    return pb.TxnRequest(
        compare=[_compare(compare) for compare in request.compares],
        success=[_op(op) for op in request.success],
        failure=[_op(op) for op in request.failure],
    )


def _compare(compare: Compare) -> pb.Compare:
    message = pb.Compare(
        result=compare.result.value,
        target=compare.target.value,
        key=compare.key,
        range_end=compare.end,
    )
    setattr(message, _OPERANDS[compare.target], compare.operand)
    return message


def _op(op: Op) -> pb.RequestOp:
    match op:
        case Range():
            return pb.RequestOp(request_range=range_request(op))
        case Put():
            put = pb.PutRequest(
                key=op.key,
                value=op.value,
                lease=op.lease,
                prev_kv=op.prev_kv,
                ignore_value=op.ignore_value,
                ignore_lease=op.ignore_lease,
            )
            return pb.RequestOp(request_put=put)
        case Delete():
            delete = pb.DeleteRangeRequest(key=op.key, range_end=op.end, prev_kv=op.prev_kv)
            return pb.RequestOp(request_delete_range=delete)
        case Txn():
            return pb.RequestOp(request_txn=txn_request(op))


def revision_of(header: pb.ResponseHeader | None) -> int:
    """The revision of an answer."""
    return header.revision if header is not None else 0


def key_value(kv: pb.KeyValue) -> KeyValue:
    """A key at a revision."""
    return KeyValue(kv.key, kv.value, kv.create_revision, kv.mod_revision, kv.version, kv.lease)


def _some(kv: pb.KeyValue | None) -> KeyValue | None:
    return None if kv is None else key_value(kv)


def range_result(answer: pb.RangeResponse, revision: int = 0) -> RangeResult:
    """What a range found."""
    kvs = tuple(map(key_value, answer.kvs))
    revision = revision_of(answer.header) or revision
    return RangeResult(kvs, answer.count, more=answer.more, revision=revision)


def txn_result(answer: pb.TxnResponse, revision: int = 0) -> TxnResult:
    """What a transaction did; a nested one's header is empty, its revision that of the whole."""
    revision = revision_of(answer.header) or revision
    results = tuple(_result(op, revision) for op in answer.responses)
    return TxnResult(revision, answer.succeeded, results)


def _result(op: pb.ResponseOp, revision: int) -> OpResult:
    if op.response_range is not None:
        return range_result(op.response_range, revision)
    if op.response_put is not None:
        put = op.response_put
        return PutResult(revision_of(put.header) or revision, _some(put.prev_kv))
    if op.response_delete_range is not None:
        gone = op.response_delete_range
        prev_kvs = tuple(map(key_value, gone.prev_kvs))
        return DeleteResult(revision_of(gone.header) or revision, gone.deleted, prev_kvs)
    return txn_result(op.response_txn or pb.TxnResponse(), revision)


def events(messages: Sequence[PbEvent]) -> list[Event]:
    """Changes."""
    return [
        Event(
            EventKind(message.type), key_value(message.kv or pb.KeyValue()), _some(message.prev_kv)
        )
        for message in messages
    ]
