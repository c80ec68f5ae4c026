"""When the quota is used up, and what still goes while an alarm is on."""

from collections.abc import Awaitable, Callable

import pytest

from appliance.kit.clock import FakeClock
from appliance.store import ops
from appliance.store.base import Put, Txn
from appliance.store.errors import NoSpace, StoreError
from appliance.store.memory import MemoryStore
from appliance.store.serve.alarms import CORRUPT, NOSPACE, Alarms
from appliance.store.serve.auth.book import AuthBook
from appliance.store.serve.auth.guard import Guard
from appliance.store.serve.auth.tokens import SimpleTokens
from appliance.store.serve.calls import Caller, Unary
from appliance.store.serve.identity import Identity
from appliance.store.serve.messages import kv, lease, locks, maintenance
from appliance.store.serve.parts import Parts
from appliance.store.serve.quota import Quota, cost_of
from appliance.store.serve.server import all_methods
from appliance.store.serve.status import Refused
from appliance.store.serve.wire import Message

KV, LEASE, CARE = "/etcdserverpb.KV/", "/etcdserverpb.Lease/", "/etcdserverpb.Maintenance/"
MEMBER = 22
Call = Callable[[str, Message], Awaitable[Message]]


@pytest.fixture
def quota(store: MemoryStore) -> Quota:
    return Quota(store, Alarms(store), MEMBER, 2000)


@pytest.fixture
def call(store: MemoryStore, clock: FakeClock, quota: Quota) -> Call:
    guard = Guard(store, AuthBook(store), SimpleTokens(clock))
    me = Identity(cluster_id=1, member_id=MEMBER)
    methods = all_methods(Parts(store, me, quota, guard, clock))

    async def run(path: str, message: Message) -> Message:
        method = methods[path]
        assert isinstance(method, Unary)
        return await method.handle(message, Caller())

    return run


def _txn(**branches: bytes) -> kv.TxnRequest:
    return kv.TxnRequest(
        **{
            name: [kv.RequestOp(request_put=kv.PutRequest(key=key))]
            for name, key in branches.items()
        }
    )


GROWING = [
    (KV + "Put", kv.PutRequest(key=b"a")),
    (KV + "Txn", _txn(success=b"a")),
    (KV + "Txn", _txn(failure=b"a")),
    (LEASE + "LeaseGrant", lease.LeaseGrantRequest(TTL=60)),
]
SHRINKING = [
    (KV + "DeleteRange", kv.DeleteRangeRequest(key=b"a")),
    (
        KV + "Txn",
        kv.TxnRequest(success=[kv.RequestOp(request_delete_range=kv.DeleteRangeRequest(key=b"a"))]),
    ),
    (KV + "Compact", kv.CompactionRequest(revision=1)),
    (LEASE + "LeaseRevoke", lease.LeaseRevokeRequest(ID=7)),
]
READING = [
    (KV + "Range", kv.RangeRequest(key=b"a")),
    (
        KV + "Txn",
        kv.TxnRequest(success=[kv.RequestOp(request_range=kv.RangeRequest(key=b"a"))]),
    ),
]


async def test_the_alarm_goes_up_when_the_quota_is_used_up(call: Call, quota: Quota) -> None:
    await call(KV + "Put", kv.PutRequest(key=b"a", value=b"x" * 1500))
    with pytest.raises(NoSpace):
        await call(KV + "Put", kv.PutRequest(key=b"b", value=b"x" * 400))
    assert quota.alarms.on() == [(MEMBER, NOSPACE)]
    with pytest.raises(NoSpace):
        await call(KV + "Put", kv.PutRequest(key=b"b"))


async def test_room_that_was_made_counts_once_the_alarm_is_lifted(
    call: Call, store: MemoryStore
) -> None:
    await call(KV + "Put", kv.PutRequest(key=b"a", value=b"x" * 1700))
    with pytest.raises(NoSpace):
        await call(KV + "Put", kv.PutRequest(key=b"b", value=b"x" * 400))
    await call(KV + "DeleteRange", kv.DeleteRangeRequest(key=b"a"))
    await call(KV + "Compact", kv.CompactionRequest(revision=(await store.status()).revision))
    with pytest.raises(NoSpace):
        await call(KV + "Put", kv.PutRequest(key=b"b"))
    await call(CARE + "Alarm", maintenance.AlarmRequest(action=2, memberID=MEMBER, alarm=NOSPACE))
    await call(KV + "Put", kv.PutRequest(key=b"b", value=b"x" * 400))


async def test_what_is_small_is_let_in_without_a_look_at_the_store() -> None:
    looks = 0

    class Counting(MemoryStore):
        async def status(self):  # type: ignore[no-untyped-def]
            nonlocal looks
            looks += 1
            return await super().status()

    store = Counting(FakeClock())
    quota = Quota(store, Alarms(store), MEMBER, 100_000)
    for _ in range(300):
        await quota.admit(256)
    assert looks == 1
    await store.close()


async def test_below_zero_there_is_no_quota(store: MemoryStore) -> None:
    quota = Quota(store, Alarms(store), MEMBER, -1)
    await quota.admit(1 << 60)
    assert quota.alarms.on() == []


@pytest.mark.parametrize(("path", "message"), GROWING)
async def test_nospace_keeps_out_what_adds(
    call: Call, quota: Quota, path: str, message: Message
) -> None:
    await quota.alarms.raise_(MEMBER, NOSPACE)
    with pytest.raises(NoSpace):
        await call(path, message)


@pytest.mark.parametrize(("path", "message"), [*SHRINKING, *READING])
async def test_nospace_lets_the_rest_go_on(
    call: Call, quota: Quota, store: MemoryStore, path: str, message: Message
) -> None:
    await store.lease_grant(60, 7)
    await quota.alarms.raise_(MEMBER, NOSPACE)
    await call(path, message)


@pytest.mark.parametrize(("path", "message"), [*GROWING, *SHRINKING])
async def test_corrupt_keeps_out_what_writes(
    call: Call, quota: Quota, store: MemoryStore, path: str, message: Message
) -> None:
    await store.lease_grant(60, 7)
    await quota.alarms.raise_(MEMBER, CORRUPT)
    with pytest.raises(Refused, match="etcdserver: corrupt cluster"):
        await call(path, message)
    for reading in READING:
        await call(*reading)


async def test_locks_are_under_the_quota_too(call: Call, quota: Quota) -> None:
    await quota.alarms.raise_(MEMBER, NOSPACE)
    with pytest.raises((Refused, StoreError), match="database space exceeded"):
        await call("/v3lockpb.Lock/Lock", locks.LockRequest(name=b"a"))


async def test_alarms_outlive_the_server(store: MemoryStore) -> None:
    alarms = Alarms(store)
    await alarms.raise_(MEMBER, NOSPACE)
    await alarms.raise_(3, CORRUPT)
    again = Alarms(store)
    await again.load()
    assert sorted(again.on()) == [(3, CORRUPT), (MEMBER, NOSPACE)]
    assert await again.lift(MEMBER, NOSPACE) == [(MEMBER, NOSPACE)]
    assert await again.lift(MEMBER, NOSPACE) == []
    third = Alarms(store)
    await third.load()
    assert third.on() == [(3, CORRUPT)]


def test_a_transaction_costs_its_dearer_branch() -> None:
    small, large = Put(key=b"a"), Put(key=b"a", value=b"x" * 100)
    assert cost_of(Txn(success=(small, small), failure=(large,))) == 2 * 257
    assert cost_of(Txn(success=(Txn(failure=(large,)),))) == 357


async def test_what_is_there_already_counts(store: MemoryStore) -> None:
    await ops.put(store, b"a", b"x" * 3000)
    quota = Quota(store, Alarms(store), MEMBER, 2000)
    with pytest.raises(NoSpace):
        await quota.admit(1)
