"""Limits that were chosen hold on the wire."""

from collections.abc import AsyncIterator

import pytest

from appliance.kit.clock import FakeClock
from appliance.kit.tasks import Tasks
from appliance.store.memory import MemoryStore
from appliance.store.options import StoreOptions
from appliance.store.serve.alarms import Alarms
from appliance.store.serve.auth.checks import guarded
from appliance.store.serve.auth.guard import Guard
from appliance.store.serve.frames import Code
from appliance.store.serve.framing import framed
from appliance.store.serve.grpc import GrpcOptions
from appliance.store.serve.limits import OVERHEAD_BYTES, Limits
from appliance.store.serve.messages import kv, watch
from appliance.store.serve.parts import Parts
from appliance.store.serve.quota import Quota
from appliance.store.serve.server import all_methods
from tests.unit.store.serve import h2client
from tests.unit.store.serve.conftest import ME, Client

PUT, TXN, WATCH = "/etcdserverpb.KV/Put", "/etcdserverpb.KV/Txn", "/etcdserverpb.Watch/Watch"
LIMITS = Limits(max_request_bytes=1_000, max_streams=2, progress_interval_s=30)
OPTIONS = StoreOptions(max_request_bytes=1_000, max_txn_ops=3)


@pytest.fixture
def store(clock: FakeClock) -> MemoryStore:
    return MemoryStore(clock, OPTIONS)


@pytest.fixture
async def client(store: MemoryStore, clock: FakeClock, guard: Guard) -> AsyncIterator[Client]:
    quota = Quota(store, Alarms(store), ME.member_id)
    methods = guarded(all_methods(Parts(store, ME, quota, guard, clock, LIMITS)), guard, store)
    async with Tasks("test", clock) as tasks:
        yield Client(GrpcOptions(methods, tasks, limits=LIMITS))


def _puts(count: int) -> kv.TxnRequest:
    return kv.TxnRequest(
        success=[kv.RequestOp(request_put=kv.PutRequest(key=b"%d" % n)) for n in range(count)]
    )


async def test_a_request_may_be_as_large_as_was_said(client: Client) -> None:
    await client.call(PUT, kv.PutRequest(key=b"a", value=b"x" * 999), kv.PutResponse)
    over = kv.PutRequest(key=b"a", value=b"x" * 1_000)
    assert await client.refused(PUT, over) == (3, "etcdserver: request is too large")


async def test_a_message_beyond_it_is_not_even_read(client: Client) -> None:
    size = 1_000 + OVERHEAD_BYTES
    stream_id = client.begin(PUT)
    message = framed(kv.PutRequest(key=b"a", value=b"x" * size).encode())
    for at in range(0, len(message), 16_000):
        client.server.data_received(h2client.data(stream_id, message[at : at + 16_000]))
    await client.settle()
    code, text = client.answers.status(stream_id)
    assert code == 8
    assert f"vs. {size}" in text


async def test_a_transaction_may_have_as_many_operations_as_was_said(client: Client) -> None:
    await client.call(TXN, _puts(3), kv.TxnResponse)
    assert await client.refused(TXN, _puts(4)) == (
        3,
        "etcdserver: too many operations in txn request",
    )


async def test_a_connection_may_have_as_many_streams_as_was_said(client: Client) -> None:
    first, second = client.begin(WATCH), client.begin(WATCH)
    third = client.begin(WATCH)
    await client.settle()
    assert client.answers.reset == {third: Code.REFUSED_STREAM}
    client.end(first)
    client.end(second)


async def test_idle_watches_are_told_as_often_as_was_said(client: Client, clock: FakeClock) -> None:
    stream_id = client.begin(WATCH)
    create = watch.WatchCreateRequest(key=b"a", progress_notify=True)
    client.send(stream_id, watch.WatchRequest(create_request=create))
    await client.settle()
    await clock.advance(31)
    await client.settle()
    answers = [watch.WatchResponse.decode(raw) for raw in client.answers.messages(stream_id)]
    assert [answer.created for answer in answers] == [True, False]
    assert answers[1].header is not None
    assert answers[1].header.revision == 1
    client.end(stream_id)
