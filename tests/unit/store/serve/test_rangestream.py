"""A range in pieces is the same as one at once."""

from collections.abc import Callable

import pytest

from appliance.store import ops
from appliance.store.memory import MemoryStore
from appliance.store.serve.messages import kv
from tests.unit.store.serve.conftest import Client

STREAM = "/etcdserverpb.KV/RangeStream"
ALL = {"key": b"\x00", "range_end": b"\x00"}


async def _fill(store: MemoryStore, count: int, value: bytes = b"v") -> None:
    for number in range(count):
        await ops.put(store, b"%04d" % number, value)


async def _told(client: Client, request: kv.RangeRequest) -> list[kv.RangeResponse]:
    stream_id = client.begin(STREAM)
    client.send(stream_id, request)
    client.end(stream_id)
    await client.settle()
    assert client.answers.status(stream_id) == (0, "")
    parts = [kv.RangeStreamResponse.decode(one) for one in client.answers.messages(stream_id)]
    return [part.range_response for part in parts if part.range_response is not None]


@pytest.mark.parametrize(
    "request_",
    [
        kv.RangeRequest(**ALL),
        kv.RangeRequest(**ALL, limit=25),
        kv.RangeRequest(**ALL, limit=10),
        kv.RangeRequest(**ALL, limit=1000),
        kv.RangeRequest(**ALL, keys_only=True),
        kv.RangeRequest(**ALL, count_only=True),
        kv.RangeRequest(key=b"0001"),
        kv.RangeRequest(key=b"x"),
        kv.RangeRequest(key=b"0010", range_end=b"0050", revision=30),
    ],
)
async def test_the_pieces_together_are_the_range(
    client: Client, store: MemoryStore, request_: kv.RangeRequest
) -> None:
    await _fill(store, 100)
    pieces = await _told(client, request_)
    whole = await client.call("/etcdserverpb.KV/Range", request_, kv.RangeResponse)
    assert [one for piece in pieces for one in piece.kvs] == whole.kvs
    last = pieces[-1]
    assert (last.header, last.more, last.count) == (whole.header, whole.more, whole.count)
    assert all(one.header is None and not one.count for one in pieces[:-1])


async def test_pieces_begin_small_and_grow(client: Client, store: MemoryStore) -> None:
    await _fill(store, 100)
    sizes = [len(piece.kvs) for piece in await _told(client, kv.RangeRequest(**ALL))]
    assert sizes == [10, 20, 40, 30]


async def test_all_pieces_are_of_one_revision(
    client: Client, connect: Callable[[], Client], store: MemoryStore
) -> None:
    del connect
    await _fill(store, 30)
    stream_id = client.begin(STREAM)
    client.send(stream_id, kv.RangeRequest(**ALL))
    await ops.put(store, b"0025", b"later")
    await ops.delete(store, b"0029")
    await client.settle()
    parts = [kv.RangeStreamResponse.decode(one) for one in client.answers.messages(stream_id)]
    kvs = [one for part in parts if part.range_response for one in part.range_response.kvs]
    revisions = {one.mod_revision for one in kvs}
    assert len(kvs) in {29, 30}
    assert len(kvs) == (30 if max(revisions) <= 31 else 29)


@pytest.mark.parametrize(
    ("request_", "text"),
    [
        (
            kv.RangeRequest(key=b"a", sort_order=2),
            "RangeStream does not support custom sort orders",
        ),
        (
            kv.RangeRequest(key=b"a", sort_target=3),
            "RangeStream does not support custom sort orders",
        ),
        (
            kv.RangeRequest(key=b"a", min_mod_revision=1),
            "RangeStream does not support revision filters",
        ),
    ],
)
async def test_what_it_cannot_do(client: Client, request_: kv.RangeRequest, text: str) -> None:
    assert await client.refused(STREAM, request_) == (12, text)


async def test_bad_ranges_are_refused_as_ever(client: Client) -> None:
    assert (await client.refused(STREAM, kv.RangeRequest()))[0] == 3
    assert (await client.refused(STREAM, kv.RangeRequest(key=b"a", revision=99)))[0] == 11
    assert (await client.refused(STREAM, kv.RangeRequest(key=b"a", sort_target=9)))[0] == 3
