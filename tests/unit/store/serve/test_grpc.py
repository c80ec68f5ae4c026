"""Calls over a connection: how they end, and what one call cannot do to others."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from appliance.kit.tasks import Tasks
from appliance.store.memory import MemoryStore
from appliance.store.ops import put
from appliance.store.serve import frames
from appliance.store.serve.calls import Caller, Stream, Streaming, Unary
from appliance.store.serve.frames import Code
from appliance.store.serve.framing import framed, timeout_s
from appliance.store.serve.grpc import GrpcOptions
from appliance.store.serve.messages import kv as pb
from appliance.store.serve.messages import lease as pb_lease
from appliance.store.serve.wire import Message
from tests.unit.store.serve import h2client
from tests.unit.store.serve.conftest import Client

RANGE, PUT = "/etcdserverpb.KV/Range", "/etcdserverpb.KV/Put"
INVALID, DEADLINE, EXHAUSTED, UNIMPLEMENTED, INTERNAL, UNAVAILABLE = 3, 4, 8, 12, 13, 14


async def test_a_call_is_answered_with_headers_message_and_status(client: Client) -> None:
    await client.call(PUT, pb.PutRequest(key=b"a", value=b"1"), pb.PutResponse)
    found = await client.call(RANGE, pb.RangeRequest(key=b"a"), pb.RangeResponse)
    assert [(kv.key, kv.value) for kv in found.kvs] == [(b"a", b"1")]
    assert client.answers.headers[3][b":status"] == b"200"
    assert client.answers.headers[3][b"content-type"] == b"application/grpc"


async def test_calls_of_one_turn_are_answered_in_one_write(client: Client) -> None:
    writes: list[bytes] = []
    client.socket.write = writes.append  # type: ignore[method-assign,assignment]
    message = pb.RangeRequest(key=b"a").encode()
    client.server.data_received(b"".join(h2client.call(n, RANGE, message) for n in (1, 3, 5)))
    await client.settle()
    assert len(writes) == 1


async def test_what_is_not_there(client: Client) -> None:
    code, text = await client.refused("/etcdserverpb.KV/Remember", pb.RangeRequest(key=b"a"))
    assert (code, text) == (
        UNIMPLEMENTED,
        "unknown method Remember for service etcdserverpb.KV",
    )
    code, text = await client.refused("/no.Such/Thing", pb.RangeRequest())
    assert (code, text) == (UNIMPLEMENTED, "unknown service no.Such")


async def test_what_is_not_grpc_gets_an_http_status(client: Client) -> None:
    stream_id = client.begin(PUT, content_type="text/html")
    assert client.answers.headers[stream_id][b":status"] == b"415"


@pytest.mark.parametrize(
    ("body", "code", "text"),
    [
        (framed(b"\x0a\x05k"), INTERNAL, "grpc: error unmarshalling request: unexpected EOF"),
        (b"\x01\0\0\0\x01x", UNIMPLEMENTED, "Decompressor is not installed"),
        (b"\0\0\x20\0\x01", EXHAUSTED, "grpc: received message larger than max (2097153 vs. "),
        (b"", INTERNAL, "one request"),
        (framed(b"") * 2, INTERNAL, "one request"),
    ],
    ids=["no message", "compressed", "too large", "none", "two"],
)
async def test_bad_bodies(client: Client, body: bytes, code: int, text: str) -> None:
    stream_id = client.begin(PUT)
    client.server.data_received(h2client.data(stream_id, body, end=True))
    await client.settle()
    assert client.answers.status(stream_id)[0] == code
    assert text in client.answers.status(stream_id)[1]


async def test_a_large_message_may_come_in_many_frames(client: Client) -> None:
    body = framed(pb.PutRequest(key=b"a", value=b"v" * 1_500_000).encode())
    stream_id = client.begin(PUT)
    for place in range(0, len(body), 16_384):
        client.server.data_received(h2client.data(stream_id, body[place : place + 16_384]))
    client.end(stream_id)
    await client.settle()
    assert client.answers.status(stream_id) == (0, "")


async def test_texts_are_percent_encoded(client: Client, store: MemoryStore) -> None:
    await store.close()
    code, text = await client.refused(PUT, pb.PutRequest(key=b"a"))
    assert (code, text) == (UNAVAILABLE, "etcdserver: server stopped")
    stream_id = client.begin("/größe%/x")
    assert b"gr%C3%83" in client.answers.headers[stream_id][b"grpc-message"]
    assert b"%25" in client.answers.headers[stream_id][b"grpc-message"]


async def test_a_broken_connection_is_closed_with_its_calls(client: Client) -> None:
    client.server.data_received(frames.frame(frames.PING, 0, 0, b"short"))
    assert client.answers.goaway == Code.FRAME_SIZE_ERROR
    assert client.socket.closed


# Handlers that wait


class Waiting:
    """A service whose calls hang until let go."""

    def __init__(self) -> None:
        self.let_go = asyncio.Event()
        self.cancelled = 0
        self.got: list[Message] = []

    async def unary(self, request: Message, caller: Caller) -> Message:
        del caller
        try:
            await self.let_go.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        return request

    async def broken(self, request: Message, caller: Caller) -> Message:
        del request, caller
        raise ValueError("a bug")

    async def slow_reader(self, stream: Stream) -> None:
        await self.let_go.wait()
        self.got = [request async for request in stream]

    async def flood(self, stream: Stream) -> None:
        for number in range(100):
            await stream.send(pb.PutRequest(value=b"x" * 100_000))
            self.got.append(pb.RangeRequest(limit=number))


@pytest.fixture
def waiting() -> Waiting:
    return Waiting()


@pytest.fixture
async def hung(waiting: Waiting) -> AsyncIterator[Client]:
    methods: dict[str, Any] = {
        "/t/Unary": Unary(pb.PutRequest, waiting.unary),
        "/t/Broken": Unary(pb.PutRequest, waiting.broken),
        "/t/Slow": Streaming(pb.PutRequest, waiting.slow_reader),
        "/t/Flood": Streaming(pb.PutRequest, waiting.flood),
    }
    async with Tasks("test") as tasks:
        yield Client(GrpcOptions(methods, tasks))


async def test_the_deadline_ends_a_call(hung: Client, waiting: Waiting) -> None:
    stream_id = hung.begin("/t/Unary", grpc_timeout="1m")
    hung.send(stream_id, pb.PutRequest())
    hung.end(stream_id)
    await asyncio.sleep(0.02)
    assert hung.answers.status(stream_id) == (DEADLINE, "context deadline exceeded")
    assert waiting.cancelled == 1


async def test_a_client_that_gives_up_ends_its_call_only(hung: Client, waiting: Waiting) -> None:
    first, second = hung.begin("/t/Unary"), hung.begin("/t/Unary")
    for stream_id in (first, second):
        hung.send(stream_id, pb.PutRequest(key=b"k"))
        hung.end(stream_id)
    await hung.settle()
    hung.server.data_received(frames.rst_stream(first, Code.CANCEL))
    await hung.settle()
    assert waiting.cancelled == 1
    waiting.let_go.set()
    await hung.settle()
    assert hung.answers.status(second) == (0, "")
    assert first not in hung.answers.ended


async def test_a_lost_connection_ends_its_calls(hung: Client, waiting: Waiting) -> None:
    stream_id = hung.begin("/t/Unary")
    hung.send(stream_id, pb.PutRequest())
    hung.end(stream_id)
    await hung.settle()
    hung.server.connection_lost(None)
    await hung.settle()
    assert waiting.cancelled == 1


async def test_a_stop_tells_clients_to_try_again(hung: Client) -> None:
    stream_id = hung.begin("/t/Unary")
    hung.send(stream_id, pb.PutRequest())
    hung.end(stream_id)
    await hung.settle()
    hung.server.stop()
    assert hung.answers.status(stream_id) == (UNAVAILABLE, "etcdserver: server stopped")
    assert hung.answers.goaway == Code.NO_ERROR
    assert hung.socket.closed


async def test_a_bug_ends_its_call_only(hung: Client) -> None:
    assert await hung.refused("/t/Broken", pb.PutRequest()) == (2, "a bug")
    assert not hung.socket.closed


async def test_a_malformed_timeout(hung: Client) -> None:
    code, text = await hung.refused("/t/Unary", pb.PutRequest(), grpc_timeout="soon")
    assert (code, text) == (INTERNAL, "malformed grpc-timeout")


async def test_requests_nobody_reads_are_not_paid_for(hung: Client, waiting: Waiting) -> None:
    stream_id = hung.begin("/t/Slow")
    for _ in range(10):
        hung.send(stream_id, *[pb.PutRequest(value=b"x" * 16_000)] * 6)
    await hung.settle()
    assert not [f for f in hung.answers.frames if f.stream_id == stream_id]
    waiting.let_go.set()
    hung.end(stream_id)
    await hung.settle()
    assert len(waiting.got) == 60


async def test_a_sender_waits_for_a_client_that_does_not_read(
    hung: Client, waiting: Waiting
) -> None:
    stream_id = hung.begin("/t/Flood")
    await hung.settle()
    assert len(waiting.got) < 5
    assert len(hung.answers.body[stream_id]) == frames.DEFAULT_WINDOW
    for _ in range(200):
        for where in (0, stream_id):
            hung.server.data_received(frames.window_update(where, 100_000))
        await hung.settle()
    assert len(hung.answers.messages(stream_id)) == 100
    assert hung.answers.status(stream_id) == (0, "")


async def test_calls_wait_while_their_client_does_not_read(
    connect: Callable[[], Client], store: MemoryStore
) -> None:
    client, other = connect(), connect()
    await put(store, b"a", b"x" * 1_000_000)
    client.server.data_received(frames.settings({frames.INITIAL_WINDOW_SIZE: 1 << 30}))
    calls = [client.begin(RANGE) for _ in range(40)]
    for stream_id in calls:
        client.send(stream_id, pb.RangeRequest(key=b"a"))
        client.end(stream_id)
    await client.settle()
    assert client.server._http2.waiting_bytes < 18_000_000
    await other.call(RANGE, pb.RangeRequest(key=b"b"), pb.RangeResponse)
    client.server.data_received(frames.window_update(0, 1 << 30))
    await client.settle()
    assert all(client.answers.status(stream_id) == (0, "") for stream_id in calls)
    assert client.server._http2.waiting_bytes == 0


async def test_a_lease_stream_answers_one_by_one(
    connect: Callable[[], Client], store: MemoryStore
) -> None:
    client = connect()
    lease = await store.lease_grant(60, 7)
    stream_id = client.begin("/etcdserverpb.Lease/LeaseKeepAlive")
    for lease_id in (lease.id, 99):
        client.send(stream_id, pb_lease.LeaseKeepAliveRequest(ID=lease_id))
    await client.settle()
    answers = [
        pb_lease.LeaseKeepAliveResponse.decode(m) for m in client.answers.messages(stream_id)
    ]
    assert [(a.ID, a.TTL) for a in answers] == [(7, 60), (99, 0)]
    client.end(stream_id)
    await client.settle()
    assert client.answers.status(stream_id) == (0, "")


@pytest.mark.parametrize(
    ("text", "seconds"),
    [(b"5S", 5.0), (b"250m", 0.25), (b"1H", 3600.0), (b"3u", 3e-6), (b"7n", 7e-9), (b"2M", 120)],
)
def test_timeouts_have_units(text: bytes, seconds: float) -> None:
    assert timeout_s(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", [b"", b"5", b"S", b"123456789S", b"-1S", b"1x"])
def test_other_timeouts_make_no_sense(text: bytes) -> None:
    assert timeout_s(text) is None


async def test_a_put_is_seen_by_the_store(client: Client, store: MemoryStore) -> None:
    await put(store, b"a", b"1")
    answer = await client.call(
        PUT, pb.PutRequest(key=b"a", value=b"2", prev_kv=True), pb.PutResponse
    )
    assert answer.prev_kv is not None
    assert answer.prev_kv.value == b"1"
    assert answer.header == pb.ResponseHeader(cluster_id=11, member_id=22, revision=3, raft_term=2)
