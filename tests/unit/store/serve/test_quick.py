"""What is read and written without messages is what messages would say."""

from hypothesis import given
from hypothesis import strategies as st

from appliance.store.base import KeyValue, RangeResult
from appliance.store.mvcc.ranges import without_value
from appliance.store.serve import convert, quick
from appliance.store.serve.identity import Identity
from appliance.store.serve.messages import kv as pb
from appliance.store.serve.wire import WireError

IDENTITY = Identity(cluster_id=2**63 + 5, member_id=0x18, client_urls=())
numbers = st.integers(0, 3) | st.integers(0, 2**62)
sizes = st.sampled_from([0, 1, 2, 126, 127, 128, 129, 16_383, 16_384, 20_000])
puts = st.builds(
    pb.PutRequest,
    key=sizes.map(lambda size: b"k" * size),
    value=sizes.map(lambda size: b"v" * size),
    lease=st.sampled_from([0, 0, 7]),
    prev_kv=st.booleans(),
)
ranges = st.builds(
    pb.RangeRequest,
    key=sizes.map(lambda size: b"k" * size),
    range_end=st.sampled_from([b"", b"", b"\x00"]),
    serializable=st.booleans(),
    limit=st.sampled_from([0, 0, 1]),
)
kvs = st.builds(
    KeyValue,
    key=st.binary(min_size=1, max_size=4),
    value=st.binary(max_size=200),
    create_revision=numbers,
    mod_revision=numbers,
    version=numbers,
    lease=numbers,
)


@given(puts)
def test_puts(request: pb.PutRequest) -> None:
    found = quick.put_of(request.encode())
    assert found is None or found == convert.put_of(request)


@given(st.binary(max_size=12) | st.builds(lambda a, b: a.encode() + b, puts, st.binary(max_size=3)))
def test_anything_is_a_put_only_if_it_is_one(data: bytes) -> None:
    found = quick.put_of(data)
    if found is not None:
        assert found == convert.put_of(pb.PutRequest.decode(data))


def test_the_common_put_is_read() -> None:
    for size in (1, 127, 128, 256, 1024, 16_383):
        put = pb.PutRequest(key=b"/registry/pods/default/x", value=b"v" * size)
        assert quick.put_of(put.encode()) == convert.put_of(put)


@given(ranges)
def test_ranges(request: pb.RangeRequest) -> None:
    found = quick.range_of(request.encode())
    assert found is None or found == convert.range_of(request)


@given(st.binary(max_size=12))
def test_anything_is_a_range_only_if_it_is_one(data: bytes) -> None:
    found = quick.range_of(data)
    if found is None:
        return
    try:
        assert found == convert.range_of(pb.RangeRequest.decode(data))
    except WireError as error:
        raise AssertionError("taken, but no message") from error


def test_the_common_get_is_read() -> None:
    for serializable in (False, True):
        get = pb.RangeRequest(key=b"/registry/pods/default/x", serializable=serializable)
        assert quick.range_of(get.encode()) == convert.range_of(get)


@given(
    st.lists(kvs, max_size=4, unique_by=lambda kv: (kv.mod_revision, kv.key)),
    numbers,
    st.booleans(),
    st.integers(1, 2**62),
)
def test_answers(found: list[KeyValue], count: int, more: bool, revision: int) -> None:
    answers = quick.Answers(IDENTITY)
    header = IDENTITY.header(revision)
    assert answers.put(revision) == pb.PutResponse(header=header).encode()
    bare = [without_value(kv) for kv in found]
    for some in (found, bare, found):  # the second time from memory, and keys alone in between
        result = RangeResult(tuple(some), count, more=more, revision=revision)
        assert answers.range(result) == convert.range_message(result, header).encode()


def test_memory_of_answers_is_bounded() -> None:
    answers = quick.Answers(IDENTITY)
    value = bytes(quick._KEPT_VALUE_BYTES // 2)
    for revision in range(1, 3 * quick._KEPT_BYTES // len(value)):
        kv = KeyValue(b"k", value, 1, revision, 1)
        answers.range(RangeResult((kv,), 1, more=False, revision=revision))
        assert sum(map(len, answers._kvs.values())) <= quick._KEPT_BYTES
