"""Locks and elections: one at a time, in the order of coming, and nothing left behind."""

import pytest

from appliance.store import ops
from appliance.store.memory import MemoryStore
from appliance.store.serve import frames
from appliance.store.serve.frames import Code
from appliance.store.serve.messages import locks as pb
from appliance.store.serve.wire import Message
from tests.unit.store.serve.conftest import Client

LOCK, UNLOCK = "/v3lockpb.Lock/Lock", "/v3lockpb.Lock/Unlock"
ELECTION = "/v3electionpb.Election/"


@pytest.fixture
async def leases(store: MemoryStore) -> tuple[int, int]:
    return (await store.lease_grant(60, 0xA)).id, (await store.lease_grant(60, 0xB)).id


def begin(client: Client, path: str, message: Message) -> int:
    """A call that may take its time."""
    stream_id = client.begin(path)
    client.send(stream_id, message)
    client.end(stream_id)
    return stream_id


async def test_a_lock_goes_to_the_next_when_it_is_let_go(
    client: Client, leases: tuple[int, int]
) -> None:
    held = await client.call(LOCK, pb.LockRequest(name=b"l", lease=leases[0]), pb.LockResponse)
    assert held.key == b"l/a"
    again = await client.call(LOCK, pb.LockRequest(name=b"l", lease=leases[0]), pb.LockResponse)
    assert again.key == held.key
    waits = begin(client, LOCK, pb.LockRequest(name=b"l", lease=leases[1]))
    await client.settle()
    assert waits not in client.answers.ended
    await client.call(UNLOCK, pb.UnlockRequest(key=held.key), pb.UnlockResponse)
    (answer,) = client.answers.messages(waits)
    assert pb.LockResponse.decode(answer).key == b"l/b"


async def test_a_lock_goes_with_its_lease(
    client: Client, leases: tuple[int, int], store: MemoryStore
) -> None:
    await client.call(LOCK, pb.LockRequest(name=b"l", lease=leases[0]), pb.LockResponse)
    waits = begin(client, LOCK, pb.LockRequest(name=b"l", lease=leases[1]))
    await client.settle()
    await store.lease_revoke(leases[0])
    await client.settle()
    assert client.answers.status(waits) == (0, "")


async def test_whoever_gives_up_waiting_leaves_no_key(
    client: Client, leases: tuple[int, int], store: MemoryStore
) -> None:
    await client.call(LOCK, pb.LockRequest(name=b"l", lease=leases[0]), pb.LockResponse)
    waits = begin(client, LOCK, pb.LockRequest(name=b"l", lease=leases[1]))
    await client.settle()
    assert await ops.get(store, b"l/b") is not None
    client.server.data_received(frames.rst_stream(waits, Code.CANCEL))
    await client.settle()
    assert await ops.get(store, b"l/b") is None
    assert await ops.get(store, b"l/a") is not None


async def test_what_is_refused_is_unknown_with_the_plain_text(client: Client) -> None:
    refused = await client.refused(LOCK, pb.LockRequest(name=b"l", lease=77))
    assert refused == (2, "etcdserver: requested lease not found")
    refused = await client.refused(UNLOCK, pb.UnlockRequest())
    assert refused == (2, "etcdserver: key is not provided")
    for name, request in (("Proclaim", pb.ProclaimRequest()), ("Resign", pb.ResignRequest())):
        refused = await client.refused(ELECTION + name, request)
        assert refused == (2, '"leader" field must be provided')
    refused = await client.refused(ELECTION + "Leader", pb.LeaderRequest(name=b"e"))
    assert refused == (2, "election: no leader")


async def test_leaders_follow_one_another_and_are_observed(
    client: Client, leases: tuple[int, int]
) -> None:
    watching = client.begin(ELECTION + "Observe")
    client.send(watching, pb.LeaderRequest(name=b"e"))
    stand = pb.CampaignRequest(name=b"e", lease=leases[0], value=b"one")
    won = await client.call(ELECTION + "Campaign", stand, pb.CampaignResponse)
    assert won.leader is not None
    assert (won.leader.key, won.leader.lease) == (b"e/a", leases[0])
    waits = begin(
        client,
        ELECTION + "Campaign",
        pb.CampaignRequest(name=b"e", lease=leases[1], value=b"two"),
    )
    await client.settle()
    assert waits not in client.answers.ended
    proclaim = pb.ProclaimRequest(leader=won.leader, value=b"one again")
    await client.call(ELECTION + "Proclaim", proclaim, pb.ProclaimResponse)
    led = await client.call(ELECTION + "Leader", pb.LeaderRequest(name=b"e"), pb.LeaderResponse)
    assert led.kv is not None
    assert led.kv.value == b"one again"
    for _ in range(2):  # the second time there is nothing left to resign from
        resign = pb.ResignRequest(leader=won.leader)
        await client.call(ELECTION + "Resign", resign, pb.ResignResponse)
    assert client.answers.status(waits) == (0, "")
    refused = await client.refused(ELECTION + "Proclaim", proclaim)
    assert refused == (2, "election: not leader")
    told = [pb.LeaderResponse.decode(m).kv for m in client.answers.messages(watching)]
    assert [kv.value for kv in told if kv] == [b"one", b"one again", b"two"]
