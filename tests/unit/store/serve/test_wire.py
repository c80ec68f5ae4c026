"""Protobuf as the guide says, checked against bytes worked out by hand."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.store.serve.messages import kv, watch
from appliance.store.serve.messages.cluster import Member
from appliance.store.serve.wire import WireError

INT64 = st.integers(-(2**63), 2**63 - 1)


def test_a_put_has_these_bytes() -> None:
    put = kv.PutRequest(key=b"k", value=b"val", lease=300, prev_kv=True)
    assert put.encode() == b"\x0a\x01k\x12\x03val\x18\xac\x02\x20\x01"
    assert kv.PutRequest.decode(put.encode()) == put


def test_zeros_are_left_out_and_absent_messages_are_none() -> None:
    assert kv.RangeRequest().encode() == b""
    assert watch.WatchRequest.decode(b"").create_request is None
    present = watch.WatchRequest(progress_request=watch.WatchProgressRequest())
    assert present.encode() == b"\x1a\x00"
    assert watch.WatchRequest.decode(b"\x1a\x00") == present


def test_negative_numbers_take_ten_bytes_and_ids_are_unsigned() -> None:
    request = kv.RangeRequest(revision=-1)
    assert request.encode() == b"\x20" + b"\xff" * 9 + b"\x01"
    assert kv.RangeRequest.decode(request.encode()) == request
    member = Member(ID=2**64 - 1)
    assert Member.decode(member.encode()) == member


@pytest.mark.parametrize("data", [b"\x2a\x02\x00\x01", b"\x28\x00\x28\x01"], ids=["packed", "each"])
def test_numbers_in_a_list_may_be_packed(data: bytes) -> None:
    assert watch.WatchCreateRequest.decode(data).filters == [0, 1]


def test_unknown_fields_are_skipped() -> None:
    unknown = b"\x98\x06\x05" + b"\x9d\x06abcd" + b"\x99\x06abcdefgh" + b"\x9a\x06\x02xy"
    assert kv.PutRequest.decode(unknown + b"\x0a\x01k").key == b"k"


@pytest.mark.parametrize(
    "data",
    [b"\x0a", b"\x0a\x05k", b"\x18", b"\x18\xff", b"\x0b", b"\x02\x00", b"\x18" + b"\xff" * 11],
    ids=["no size", "short", "no number", "half a number", "group", "field 0", "endless number"],
)
def test_what_is_cut_short_is_refused(data: bytes) -> None:
    with pytest.raises(WireError):
        kv.PutRequest.decode(data)


def test_depth_is_bounded() -> None:
    txn = kv.TxnRequest()
    for _ in range(120):
        txn = kv.TxnRequest(success=[kv.RequestOp(request_txn=txn)])
    with pytest.raises(WireError, match="deep"):
        kv.TxnRequest.decode(txn.encode())


@given(st.binary(), st.binary(max_size=300), INT64, INT64, INT64)
def test_what_is_written_reads_the_same(
    key: bytes, value: bytes, create: int, mod: int, lease: int
) -> None:
    event = watch.Event(
        type=1,
        kv=kv.KeyValue(key=key, value=value, create_revision=create, mod_revision=mod, lease=lease),
    )
    response = watch.WatchResponse(
        header=kv.ResponseHeader(cluster_id=2**63, revision=mod), watch_id=-1, events=[event] * 2
    )
    assert watch.WatchResponse.decode(response.encode()) == response


@given(st.binary(max_size=200))
def test_any_bytes_are_a_message_or_refused(data: bytes) -> None:
    try:
        kv.TxnRequest.decode(data)
    except WireError:
        return
