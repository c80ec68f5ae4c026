"""Messages to the store's values and back, in one place.

Numbers that a client may send and our enums don't know follow etcd: an unknown sort option is
refused, a compare with an unknown target or result holds.
"""

from appliance.store.base import (
    Compare,
    CompareResult,
    CompareTarget,
    Delete,
    DeleteResult,
    KeyValue,
    Op,
    OpResult,
    Put,
    PutResult,
    Range,
    RangeResult,
    SortOrder,
    SortTarget,
    Txn,
    TxnResult,
)
from appliance.store.errors import EmptyKey, KeyNotFound
from appliance.store.serve.messages import kv as pb
from appliance.store.serve.status import Refused, Status


def range_of(request: pb.RangeRequest, *, in_txn: bool = False) -> Range:
    """A range; outside a transaction any revision below 1 means the newest.

    Raises:
        Refused: an unknown sort option.
    """
    try:
        order, target = SortOrder(request.sort_order), SortTarget(request.sort_target)
    except ValueError:
        text = "etcdserver: invalid sort option"
        raise Refused(Status.INVALID_ARGUMENT, text) from None
    return Range(
        key=request.key,
        end=request.range_end,
        revision=request.revision if in_txn else max(0, request.revision),
        limit=request.limit,
        sort_order=order,
        sort_target=target,
        keys_only=request.keys_only,
        count_only=request.count_only,
        min_mod_revision=request.min_mod_revision,
        max_mod_revision=request.max_mod_revision,
        min_create_revision=request.min_create_revision,
        max_create_revision=request.max_create_revision,
    )


def put_of(request: pb.PutRequest) -> Put:
    """A put."""
    return Put(
        key=request.key,
        value=request.value,
        lease=request.lease,
        prev_kv=request.prev_kv,
        ignore_value=request.ignore_value,
        ignore_lease=request.ignore_lease,
    )


def delete_of(request: pb.DeleteRangeRequest) -> Delete:
    """A delete."""
    return Delete(key=request.key, end=request.range_end, prev_kv=request.prev_kv)


def txn_of(request: pb.TxnRequest) -> Txn:
    """A transaction.

    Raises:
        EmptyKey, KeyNotFound, Refused: part of it makes no sense.
    """
    compares = [_compare_of(compare) for compare in request.compare]
    return Txn(
        compares=tuple(compare for compare in compares if compare is not None),
        success=tuple(_op_of(op) for op in request.success),
        failure=tuple(_op_of(op) for op in request.failure),
    )


def _op_of(op: pb.RequestOp) -> Op:
    if op.request_range is not None:
        return range_of(op.request_range, in_txn=True)
    if op.request_put is not None:
        return put_of(op.request_put)
    if op.request_delete_range is not None:
        return delete_of(op.request_delete_range)
    if op.request_txn is not None:
        return txn_of(op.request_txn)
    raise KeyNotFound  # etcd's answer to an operation that is none


def _compare_of(compare: pb.Compare) -> Compare | None:
    try:
        target, result = CompareTarget(compare.target), CompareResult(compare.result)
    except ValueError:
        if not compare.key:
            raise EmptyKey from None
        return None
    operands: dict[CompareTarget, int | bytes] = {
        CompareTarget.VERSION: compare.version,
        CompareTarget.CREATE: compare.create_revision,
        CompareTarget.MOD: compare.mod_revision,
        CompareTarget.VALUE: compare.value,
        CompareTarget.LEASE: compare.lease,
    }
    return Compare(
        key=compare.key,
        end=compare.range_end,
        target=target,
        result=result,
        operand=operands[target],
    )


def kv_message(kv: KeyValue) -> pb.KeyValue:
    """A key at a revision."""
    return pb.KeyValue(
        key=kv.key,
        create_revision=kv.create_revision,
        mod_revision=kv.mod_revision,
        version=kv.version,
        value=kv.value,
        lease=kv.lease,
    )


def _kv_or_none(kv: KeyValue | None) -> pb.KeyValue | None:
    return None if kv is None else kv_message(kv)


def range_message(result: RangeResult, header: pb.ResponseHeader) -> pb.RangeResponse:
    """The answer to a range."""
    kvs = [kv_message(kv) for kv in result.kvs]
    return pb.RangeResponse(header=header, kvs=kvs, more=result.more, count=result.count)


def put_message(result: PutResult, header: pb.ResponseHeader) -> pb.PutResponse:
    """The answer to a put."""
    return pb.PutResponse(header=header, prev_kv=_kv_or_none(result.prev_kv))


def delete_message(result: DeleteResult, header: pb.ResponseHeader) -> pb.DeleteRangeResponse:
    """The answer to a delete."""
    prev_kvs = [kv_message(kv) for kv in result.prev_kvs]
    return pb.DeleteRangeResponse(header=header, deleted=result.deleted, prev_kvs=prev_kvs)


def txn_message(result: TxnResult, header: pb.ResponseHeader) -> pb.TxnResponse:
    """The answer to a transaction."""
    responses = [_result_message(inner) for inner in result.results]
    return pb.TxnResponse(header=header, succeeded=result.succeeded, responses=responses)


def _result_message(result: OpResult) -> pb.ResponseOp:
    """Inside a transaction a header has the revision alone, and a nested transaction's nothing."""
    header = pb.ResponseHeader(revision=result.revision)
    match result:
        case RangeResult():
            return pb.ResponseOp(response_range=range_message(result, header))
        case PutResult():
            return pb.ResponseOp(response_put=put_message(result, header))
        case DeleteResult():
            return pb.ResponseOp(response_delete_range=delete_message(result, header))
        case TxnResult():
            return pb.ResponseOp(response_txn=txn_message(result, pb.ResponseHeader()))
