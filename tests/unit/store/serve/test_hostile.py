"""Whatever comes, an endpoint answers or says goodbye, stays small, and others notice nothing.

Two fuzzers run for a bounded time each (`FUZZ_SECONDS`, 2 by default, and `FUZZ_SEED`): one spoils
the bytes of a good conversation, one fills every message of every method with extremes. What
must not happen is a bug: an error that nobody meant, which is logged as "call failed".
"""

import asyncio
import gc
import os
import random
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import structlog
from websockets.frames import Frame, Opcode

from appliance.kit.clock import FakeClock
from appliance.kit.tasks import Tasks
from appliance.store import ops
from appliance.store.memory import MemoryStore
from appliance.store.options import StoreOptions
from appliance.store.serve import frames
from appliance.store.serve.alarms import Alarms
from appliance.store.serve.auth.book import AuthBook
from appliance.store.serve.auth.checks import guarded
from appliance.store.serve.auth.guard import Guard
from appliance.store.serve.auth.tokens import SimpleTokens
from appliance.store.serve.calls import Methods
from appliance.store.serve.framing import framed
from appliance.store.serve.grpc import GrpcOptions
from appliance.store.serve.http1 import HttpConnection
from appliance.store.serve.identity import Identity
from appliance.store.serve.messages import kv, lease, watch
from appliance.store.serve.parts import Parts
from appliance.store.serve.quota import Quota
from appliance.store.serve.server import EtcdServer, all_methods
from appliance.store.serve.wire import Field, Message, fields_of
from appliance.store.sql.store import SqlStore
from tests.unit.store.serve import h2client
from tests.unit.store.serve.conftest import ME, Client, _Socket
from tests.unit.store.serve.h2client import Answers

FUZZ_S = float(os.environ.get("FUZZ_SECONDS", "2"))
SEED = int(os.environ.get("FUZZ_SEED", "0")) or random.SystemRandom().getrandbits(32)
PUT, RANGE = "/etcdserverpb.KV/Put", "/etcdserverpb.KV/Range"
WATCH = "/etcdserverpb.Watch/Watch"
_SLOW = ("/v3lockpb.", "/v3electionpb.")  # wait for others, with right
_HASHING = ("UserAdd", "UserChangePassword", "Authenticate")  # 50 ms each, by design


def _rng() -> random.Random:
    return random.Random(SEED)  # noqa: S311 - a seed repeats it


def bugs(logged: list[Any]) -> list[Any]:
    return [one for one in logged if one["event"] in {"call failed", "page failed"}]


def conversation() -> list[bytes]:
    """The frames of a good one."""
    block = h2client.request_headers(PUT)
    create = watch.WatchCreateRequest(key=b"\x00", range_end=b"\x00")
    put = kv.RequestOp(request_put=kv.PutRequest(key=b"a", value=b"1"))
    return [
        h2client.call(1, PUT, kv.PutRequest(key=b"a", value=b"x" * 300).encode()),
        h2client.headers(3, h2client.request_headers(WATCH)),
        h2client.data(3, framed(watch.WatchRequest(create_request=create).encode())),
        h2client.call(5, RANGE, kv.RangeRequest(key=b"a").encode(), grpc_timeout="5S"),
        h2client.call(7, "/etcdserverpb.KV/Txn", kv.TxnRequest(success=[put, put]).encode()),
        h2client.call(9, "/etcdserverpb.Lease/LeaseGrant", lease.LeaseGrantRequest(TTL=9).encode()),
        h2client.headers(11, block[:10]),
        frames.frame(frames.CONTINUATION, frames.END_HEADERS, 11, block[10:]),
        frames.window_update(0, 1000),
        frames.window_update(3, 1000),
        frames.settings({frames.INITIAL_WINDOW_SIZE: 1 << 20}),
        frames.frame(frames.PING, 0, 0, b"12345678"),
        frames.rst_stream(3, 8),
        frames.goaway(0, frames.Code.NO_ERROR),
    ]


def spoiled(rng: random.Random) -> bytes:
    """A conversation with some of it wrong."""
    parts = conversation()
    for _ in range(rng.choice([1, 1, 2, 4])):
        at = rng.randrange(len(parts))
        match rng.randrange(7):
            case 0:
                parts[at] = parts[at][: rng.randrange(len(parts[at]))]
            case 1:
                flipped = bytearray(parts[at])
                flipped[rng.randrange(len(flipped))] ^= 1 << rng.randrange(8)
                parts[at] = bytes(flipped)
            case 2:
                parts.insert(at, parts[rng.randrange(len(parts))])
            case 3:
                parts[at] = rng.randbytes(rng.randrange(1, 60))
            case 4:
                kind, flags = rng.randrange(12), rng.randrange(256)
                stream_id = rng.choice([0, 1, 2, 3, 13, 2**31 - 1])
                body = rng.randbytes(rng.choice([0, 4, 5, 6, 8, 40]))
                parts.insert(at, frames.frame(kind, flags, stream_id, body))
            case 5:
                rng.shuffle(parts)
            case _:
                parts[at] = h2client.headers(rng.randrange(30), rng.randbytes(rng.randrange(80)))
        parts = [part for part in parts if part]
    return b"".join(parts)


async def test_a_spoiled_conversation_ends_with_an_answer_or_a_goodbye(
    connect: Callable[[], Client],
) -> None:
    rng = _rng()
    other = connect()
    other.server.data_received(frames.window_update(0, 1 << 30))
    rounds, until = 0, time.monotonic() + FUZZ_S
    with structlog.testing.capture_logs() as logged:
        while time.monotonic() < until:
            client = connect()
            data = spoiled(rng)
            step = rng.choice([1, 7, 100, len(data)])
            for place in range(0, len(data), step):
                if not client.socket.closed:
                    client.server.data_received(data[place : place + step])
            await client.settle()
            client.server.connection_lost(None)
            await other.call(RANGE, kv.RangeRequest(key=b"a"), kv.RangeResponse)
            rounds += 1
            assert not bugs(logged), f"FUZZ_SEED={SEED}, round {rounds}"
            assert not client.server._calls
    assert rounds > 10


_NUMBERS = [0, 1, -1, 2, 7, 127, 128, 2**31, 2**63 - 1, -(2**63), 9_000_000_001]
_BYTES = [b"", b"\x00", b"a", b"a/b", b"\xff" * 9, b"b", b"\x00etcd-v2/n", b"k" * 400]
_TEXTS = ["", "root", "a", "é", "http://127.0.0.1:1", "etcdserverpb.KV", "a,b" * 50]


def extreme(kind: type[Message], rng: random.Random, depth: int = 0) -> Message:
    """A message with anything in it that its fields can hold."""
    values = {}
    for field in fields_of(kind):
        if rng.random() < 0.6:
            count = rng.choice([0, 1, 2, 5]) if field.repeated else 1
            found = [_value(field, rng, depth) for _ in range(count)]
            found = [one for one in found if one is not None]
            if field.repeated:
                values[field.name] = found
            elif found:
                values[field.name] = found[0]
    return kind(**values)


def _value(field: Field, rng: random.Random, depth: int) -> Any:
    if field.message is not None:
        return extreme(field.message, rng, depth + 1) if depth < 4 else None
    if field.scalar is bytes:
        return rng.choice(_BYTES)
    if field.scalar is str:
        return rng.choice(_TEXTS)
    if field.scalar is bool:
        return rng.random() < 0.5
    number = rng.choice([*range(len(field.choices) + 2), *_NUMBERS] if field.choices else _NUMBERS)
    return abs(number) if field.mark else number


@pytest.mark.parametrize("kind", ["memory", "sql"])
async def test_no_message_is_too_extreme(kind: str, tmp_path: Path, clock: FakeClock) -> None:
    rng = _rng()
    store: MemoryStore | SqlStore = (
        MemoryStore(clock)
        if kind == "memory"
        else await SqlStore.open(tmp_path / "state.db", StoreOptions(), clock)
    )
    methods = _everything(store, clock)
    paths = [path for path in methods if not path.startswith(_SLOW) and not path.endswith(_HASHING)]
    codes: set[int] = set()
    until = time.monotonic() + FUZZ_S
    with structlog.testing.capture_logs() as logged:
        async with Tasks("test", clock) as tasks:
            client = Client(GrpcOptions(methods, tasks))
            while time.monotonic() < until:
                path = rng.choice(paths)
                message = extreme(methods[path].request, rng)
                stream_id = client.begin(path)
                client.send(stream_id, message)
                client.end(stream_id)
                await client.settle()
                assert not bugs(logged), f"FUZZ_SEED={SEED}: {path} {message} {bugs(logged)}"
                if stream_id in client.answers.ended:
                    codes.add(client.answers.status(stream_id)[0])
                elif path == WATCH:
                    client.server.data_received(frames.rst_stream(stream_id, 8))
    assert {0, 3} <= codes
    await store.close()


def _everything(store: MemoryStore | SqlStore, clock: FakeClock) -> Methods:
    guard = Guard(store, AuthBook(store), SimpleTokens(clock))
    quota = Quota(store, Alarms(store), ME.member_id)
    return guarded(all_methods(Parts(store, ME, quota, guard, clock)), guard, store)


_REQUESTS = [
    b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n",
    b"POST /v3/kv/put HTTP/1.1\r\nHost: x\r\nContent-Length: 29\r\n\r\n"
    b'{"key":"YQ==","value":"YQ=="}',
    b"POST /v3/kv/txn HTTP/1.1\r\nHost: x\r\nContent-Length: 38\r\n\r\n"
    b'{"success":[{"requestPut":{"key":1}}]}',
    b"PUT /v2/keys/a?prevExist=true HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-"
    b"urlencoded\r\nContent-Length: 13\r\n\r\nvalue=1&ttl=9",
    b"GET /v2/keys/?recursive=true HTTP/1.1\r\nHost: x\r\n\r\n",
    b"DELETE /v2/keys/a?dir=true&prevIndex=1 HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET /v2/members/%zz HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n",
]


async def test_spoiled_pages_are_answered_or_closed(store: MemoryStore, clock: FakeClock) -> None:
    rng = _rng()
    server = EtcdServer(store, Identity(cluster_id=1, member_id=2), clock)
    until = time.monotonic() + FUZZ_S
    with structlog.testing.capture_logs() as logged:
        async with Tasks("test", clock) as tasks:
            while time.monotonic() < until:
                socket = _Socket(Answers())
                taken: list[bytes] = []
                socket.write = taken.append  # type: ignore[assignment, method-assign]
                page = HttpConnection(server._page, tasks, lambda _: None)
                page.connection_made(socket)
                data = bytearray(rng.choice(_REQUESTS))
                for _ in range(rng.choice([0, 1, 3, 10])):
                    data[rng.randrange(len(data))] = rng.choice(
                        [rng.randrange(256), 0x25, 0x22, 0x7B]
                    )
                page.data_received(bytes(data))
                for _ in range(30):
                    await asyncio.sleep(0)
                page.connection_lost(None)
                assert not bugs(logged), f"FUZZ_SEED={SEED}: {bytes(data)!r} {bugs(logged)}"
    await server.stop()


_UPGRADE = (
    b"GET /v3/watch HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
)
_CREATE = b'{"create_request": {"key": "YQ=="}}'


def _frame(payload: bytes, opcode: Opcode = Opcode.TEXT, *, mask: bool = True) -> bytes:
    return Frame(opcode, payload).serialize(mask=mask)


async def test_spoiled_websockets_are_closed(store: MemoryStore, clock: FakeClock) -> None:
    rng = _rng()
    server = EtcdServer(store, Identity(cluster_id=1, member_id=2), clock)
    frames = [
        _frame(_CREATE),
        _frame(b"not json"),
        _frame(b"x" * 70_000, Opcode.BINARY),
        _frame(_CREATE, mask=False),
        _frame(b"", Opcode.PING),
        _frame(b"", Opcode.CONT),
        _frame(b"\x03\xe8", Opcode.CLOSE),
    ]
    until = time.monotonic() + FUZZ_S
    with structlog.testing.capture_logs() as logged:
        async with Tasks("test", clock) as tasks:
            while time.monotonic() < until:
                socket = _Socket(Answers())
                taken: list[bytes] = []
                socket.write = taken.append  # type: ignore[assignment, method-assign]
                page = HttpConnection(server._page, tasks, lambda _: None, sockets=server._talk)
                page.connection_made(socket)
                said = bytearray(b"".join(rng.choices(frames, k=rng.randrange(1, 4))))
                for _ in range(rng.choice([0, 1, 3, 10])):
                    said[rng.randrange(len(said))] = rng.randrange(256)
                page.data_received(_UPGRADE + bytes(said[:5]))
                for at in range(5, len(said), 1 << 14):
                    page.data_received(bytes(said[at : at + (1 << 14)]))
                for _ in range(30):
                    await asyncio.sleep(0)
                assert taken[0].startswith(b"HTTP/1.1 101 ")
                page.connection_lost(None)
                assert not bugs(logged), f"FUZZ_SEED={SEED}: {bytes(said)!r} {bugs(logged)}"
    await server.stop()


def _grown_bytes(before: int) -> int:
    gc.collect()
    return tracemalloc.get_traced_memory()[0] - before


@pytest.fixture
def traced() -> Any:
    tracemalloc.start()
    yield
    tracemalloc.stop()


@pytest.mark.usefixtures("traced")
async def test_thousands_of_idle_streams_are_cheap(connect: Callable[[], Client]) -> None:
    before = tracemalloc.get_traced_memory()[0]
    client, other = connect(), connect()
    request = watch.WatchRequest(create_request=watch.WatchCreateRequest(key=b"idle"))
    for _ in range(2000):
        client.send(client.begin(WATCH), request)
    await client.settle()
    assert len(client.server._calls) == 2000
    assert _grown_bytes(before) < 2000 * 15_000
    await other.call(PUT, kv.PutRequest(key=b"a"), kv.PutResponse)
    client.server.connection_lost(None)
    await client.settle()
    await other.settle()
    assert not client.server._calls


@pytest.mark.usefixtures("traced")
async def test_watchers_that_do_not_read_do_not_make_us_grow(
    connect: Callable[[], Client], store: MemoryStore
) -> None:
    slow = [connect() for _ in range(20)]
    for client in slow:
        create = watch.WatchCreateRequest(key=b"a", prev_kv=True)
        client.send(client.begin(WATCH), watch.WatchRequest(create_request=create))
        client.server.pause_writing()
    await slow[0].settle()
    await ops.put(store, b"a", b"x" * 1000)
    before = tracemalloc.get_traced_memory()[0]
    for number in range(4000):
        await ops.put(store, b"a", b"%1000d" % number)
        if number % 100 == 0:
            await slow[0].settle()
    await store.compact((await store.status()).revision)  # the history itself is not counted
    await slow[0].settle()
    assert _grown_bytes(before) < 20 * 1_500_000  # a backlog and a window each
    quick = connect()
    await quick.call(RANGE, kv.RangeRequest(key=b"a"), kv.RangeResponse)


async def test_headers_and_messages_that_are_too_large_end_what_sent_them(
    connect: Callable[[], Client],
) -> None:
    client, other = connect(), connect()
    client.server.data_received(
        h2client.headers(
            1, h2client.request_headers(RANGE, **{f"x-{n}": "y" * 900 for n in range(30)})
        )
    )
    assert client.socket.closed
    stream_id = other.begin(PUT)
    head = b"\x00" + (3 << 20).to_bytes(4, "big")
    other.server.data_received(h2client.data(stream_id, head + b"x" * 1000))
    await other.settle()
    assert other.answers.status(stream_id) == (
        8,
        "grpc: received message larger than max (3145728 vs. 2097152)",
    )
    await other.call(RANGE, kv.RangeRequest(key=b"a"), kv.RangeResponse)
