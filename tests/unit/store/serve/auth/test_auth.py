"""Users, roles and what calls need, through the methods' table."""

from collections.abc import AsyncIterator

import pytest

from appliance.kit.clock import FakeClock
from appliance.kit.tasks import Tasks
from appliance.store.errors import StoreError
from appliance.store.memory import MemoryStore
from appliance.store.serve.alarms import Alarms
from appliance.store.serve.auth.book import AuthBook
from appliance.store.serve.auth.checks import guarded
from appliance.store.serve.auth.guard import Guard
from appliance.store.serve.auth.refusals import AuthRefused, Why
from appliance.store.serve.auth.tokens import SimpleTokens
from appliance.store.serve.calls import Caller, Methods, Unary
from appliance.store.serve.identity import Identity
from appliance.store.serve.messages import auth as pb
from appliance.store.serve.messages import cluster, kv, lease, locks, maintenance, watch
from appliance.store.serve.parts import Parts
from appliance.store.serve.quota import Quota
from appliance.store.serve.server import all_methods
from appliance.store.serve.status import Refused, Status
from appliance.store.serve.watch import WatchService, _Session
from appliance.store.serve.wire import Message

KV, AUTH, LEASE = "/etcdserverpb.KV/", "/etcdserverpb.Auth/", "/etcdserverpb.Lease/"
CARE, CLUSTER = "/etcdserverpb.Maintenance/", "/etcdserverpb.Cluster/"
ALL = {"key": b"\x00", "range_end": b"\x00"}


class Server:
    """One store's methods, called by name of the user."""

    def __init__(self, store: MemoryStore, clock: FakeClock) -> None:
        self.store = store
        self.clock = clock
        self.book = AuthBook(store)
        self.guard = Guard(store, self.book, SimpleTokens(clock), by_certificate=True)
        me = Identity(cluster_id=1, member_id=2)
        parts = Parts(store, me, Quota(store, Alarms(store), 2), self.guard, clock)
        self.methods: Methods = guarded(all_methods(parts), self.guard, store)

    async def call(self, path: str, message: Message, user: str = "") -> Message:
        method = self.methods[path]
        assert isinstance(method, Unary)
        return await method.handle(message, Caller(common_name=user))

    async def why(self, path: str, message: Message, user: str = "") -> str:
        with pytest.raises((Refused, StoreError)) as refused:
            await self.call(path, message, user)
        return str(refused.value)

    async def add(self, user: str, *permissions: pb.Permission) -> None:
        """A user with a role of its own name."""
        await self.book.add_user(
            pb.User(name=user.encode(), options=pb.UserAddOptions(no_password=True))
        )
        if permissions:
            await self.book.add_role(user)
            await self.book.grant_role(user, user)
        for permission in permissions:
            await self.book.grant(user, permission)


@pytest.fixture
async def server(store: MemoryStore, clock: FakeClock) -> Server:
    """Checks are on: root, and alice who may read and write a to c and read d."""
    made = Server(store, clock)
    await made.add("root")
    await made.book.grant_role("root", "root")
    await made.add(
        "alice",
        pb.Permission(permType=2, key=b"a", range_end=b"c"),
        pb.Permission(permType=0, key=b"d"),
    )
    await made.book.enable()
    return made


@pytest.mark.parametrize(
    ("path", "message"),
    [
        (KV + "Range", kv.RangeRequest(key=b"a")),
        (KV + "Put", kv.PutRequest(key=b"a")),
        (KV + "DeleteRange", kv.DeleteRangeRequest(key=b"a")),
        (
            KV + "Txn",
            kv.TxnRequest(success=[kv.RequestOp(request_range=kv.RangeRequest(key=b"a"))]),
        ),
        (KV + "Compact", kv.CompactionRequest(revision=1)),
        (LEASE + "LeaseGrant", lease.LeaseGrantRequest(TTL=60)),
        (LEASE + "LeaseRevoke", lease.LeaseRevokeRequest(ID=1)),
        (LEASE + "LeaseTimeToLive", lease.LeaseTimeToLiveRequest(ID=1)),
        (LEASE + "LeaseLeases", lease.LeaseLeasesRequest()),
        (CARE + "Status", maintenance.StatusRequest()),
        (CARE + "Alarm", maintenance.AlarmRequest()),
        (CARE + "Defragment", maintenance.DefragmentRequest()),
        (CARE + "HashKV", maintenance.HashKVRequest()),
        (CLUSTER + "MemberList", cluster.MemberListRequest()),
        (CLUSTER + "MemberAdd", cluster.MemberAddRequest()),
        (AUTH + "UserAdd", pb.AuthUserAddRequest()),
        (AUTH + "UserGet", pb.AuthUserGetRequest(name="alice")),
        (AUTH + "UserList", pb.AuthUserListRequest()),
        (AUTH + "RoleGet", pb.AuthRoleGetRequest(role="alice")),
        (AUTH + "AuthDisable", pb.AuthDisableRequest()),
        ("/v3lockpb.Lock/Lock", locks.LockRequest(name=b"a")),
        ("/v3electionpb.Election/Leader", locks.LeaderRequest(name=b"a")),
    ],
)
async def test_nobody_may_do_nothing(server: Server, path: str, message: Message) -> None:
    assert await server.why(path, message) == "etcdserver: user name is empty"


@pytest.mark.parametrize(
    ("path", "message"),
    [
        (KV + "Range", kv.RangeRequest(key=b"c")),
        (KV + "Range", kv.RangeRequest(key=b"a", range_end=b"d")),
        (KV + "Range", kv.RangeRequest(**ALL)),
        (KV + "Put", kv.PutRequest(key=b"d")),
        (KV + "DeleteRange", kv.DeleteRangeRequest(key=b"a", range_end=b"\x00")),
        (KV + "Txn", kv.TxnRequest(compare=[kv.Compare(key=b"c")])),
        (
            KV + "Txn",
            kv.TxnRequest(failure=[kv.RequestOp(request_put=kv.PutRequest(key=b"d"))]),
        ),
        (
            KV + "Txn",
            kv.TxnRequest(
                success=[
                    kv.RequestOp(
                        request_txn=kv.TxnRequest(
                            success=[kv.RequestOp(request_range=kv.RangeRequest(key=b"x"))]
                        )
                    )
                ]
            ),
        ),
        (KV + "Compact", kv.CompactionRequest(revision=1)),
        (CARE + "Defragment", maintenance.DefragmentRequest()),
        (CARE + "Alarm", maintenance.AlarmRequest(action=1, alarm=1)),
        (CLUSTER + "MemberRemove", cluster.MemberRemoveRequest(ID=2)),
        (AUTH + "UserGet", pb.AuthUserGetRequest(name="root")),
        (AUTH + "RoleGet", pb.AuthRoleGetRequest(role="root")),
        (AUTH + "UserList", pb.AuthUserListRequest()),
        ("/v3lockpb.Lock/Lock", locks.LockRequest(name=b"d")),
        ("/v3lockpb.Lock/Unlock", locks.UnlockRequest(key=b"d/1")),
    ],
)
async def test_what_is_not_granted_is_denied(server: Server, path: str, message: Message) -> None:
    assert await server.why(path, message, "alice") == "etcdserver: permission denied"


async def test_what_is_granted_is_done(server: Server) -> None:
    await server.call(KV + "Put", kv.PutRequest(key=b"b", prev_kv=True), "alice")
    await server.call(KV + "Range", kv.RangeRequest(key=b"a", range_end=b"c"), "alice")
    await server.call(KV + "Range", kv.RangeRequest(key=b"d"), "alice")
    await server.call(KV + "DeleteRange", kv.DeleteRangeRequest(key=b"a", range_end=b"c"), "alice")
    await server.call(KV + "Put", kv.PutRequest(key=b"x"), "root")
    await server.call(AUTH + "UserGet", pb.AuthUserGetRequest(name="alice"), "alice")
    await server.call(AUTH + "RoleGet", pb.AuthRoleGetRequest(role="alice"), "alice")
    await server.call("/v3lockpb.Lock/Lock", locks.LockRequest(name=b"b"), "alice")


async def test_a_malformed_request_is_told_so_before_anything_else(server: Server) -> None:
    assert "key is not provided" in await server.why(KV + "Put", kv.PutRequest())
    assert "key is not provided" in await server.why(KV + "Range", kv.RangeRequest())
    assert "key not found" in await server.why(KV + "Txn", kv.TxnRequest(success=[kv.RequestOp()]))


async def test_a_lease_is_for_those_who_may_write_all_its_keys(server: Server) -> None:
    await server.call(LEASE + "LeaseGrant", lease.LeaseGrantRequest(TTL=60, ID=7), "alice")
    await server.call(KV + "Put", kv.PutRequest(key=b"a", lease=7), "alice")
    await server.call(KV + "Put", kv.PutRequest(key=b"d", lease=7), "root")
    denied = "etcdserver: permission denied"
    revoke = lease.LeaseRevokeRequest(ID=7)
    assert await server.why(LEASE + "LeaseRevoke", revoke, "alice") == denied
    assert await server.why(KV + "Put", kv.PutRequest(key=b"b", lease=7), "alice") == denied
    keys = lease.LeaseTimeToLiveRequest(ID=7, keys=True)
    await server.call(LEASE + "LeaseTimeToLive", keys, "alice")  # she may read d
    await server.call(KV + "Put", kv.PutRequest(key=b"x", lease=7), "root")
    assert await server.why(LEASE + "LeaseTimeToLive", keys, "alice") == denied
    assert await server.why(LEASE + "LeaseLeases", lease.LeaseLeasesRequest(), "alice") == denied
    await server.call(LEASE + "LeaseRevoke", revoke, "root")


class _Talk:
    """A stream of given requests."""

    def __init__(self, caller: Caller, *requests: Message) -> None:
        self.caller = caller
        self.sent: list[Message] = []
        self._requests = iter(requests)

    def __aiter__(self) -> AsyncIterator[Message]:
        return self

    async def __anext__(self) -> Message:
        for request in self._requests:
            return request
        raise StopAsyncIteration

    async def send(self, message: Message) -> None:
        self.sent.append(message)


async def test_renewing_asks_for_the_right_to_write(server: Server) -> None:
    await server.store.lease_grant(60, 7)
    await server.call(KV + "Put", kv.PutRequest(key=b"d", lease=7), "root")
    renewal = lease.LeaseKeepAliveRequest(ID=7)
    for user, code in (("", Status.INVALID_ARGUMENT), ("alice", Status.PERMISSION_DENIED)):
        with pytest.raises(Refused) as refused:
            await server.methods[LEASE + "LeaseKeepAlive"].handle(
                _Talk(Caller(common_name=user), renewal)  # type: ignore[arg-type, call-arg]
            )
        assert refused.value.status is code


@pytest.mark.parametrize(
    ("caller", "request_", "reason"),
    [
        (
            Caller(),
            watch.WatchCreateRequest(key=b"a"),
            "rpc error: code = InvalidArgument desc = etcdserver: user name is empty",
        ),
        (
            Caller(common_name="alice"),
            watch.WatchCreateRequest(key=b"a", range_end=b"\x00"),
            "rpc error: code = PermissionDenied desc = etcdserver: permission denied",
        ),
        (
            Caller(metadata={b"token": b"no.1"}),
            watch.WatchCreateRequest(key=b"a"),
            "rpc error: code = Unauthenticated desc = etcdserver: invalid auth token",
        ),
    ],
)
async def test_a_watch_is_refused_in_its_stream(
    server: Server,
    caller: Caller,
    request_: watch.WatchCreateRequest,
    reason: str,
) -> None:
    me = Identity(cluster_id=1, member_id=2)
    quota = Quota(server.store, Alarms(server.store), me.member_id)
    service = WatchService(Parts(server.store, me, quota, server.guard, server.clock))
    talk = _Talk(caller)
    async with Tasks("test") as tasks:
        session = _Session(service, talk, tasks)  # type: ignore[arg-type]
        await session.take(watch.WatchRequest(create_request=request_))
    (answer,) = talk.sent
    assert isinstance(answer, watch.WatchResponse)
    assert (answer.created, answer.canceled, answer.watch_id) == (True, True, -1)
    assert answer.cancel_reason == reason


async def test_a_token_of_another_server_is_refused(server: Server) -> None:
    method = server.methods[KV + "Range"]
    assert isinstance(method, Unary)
    with pytest.raises(AuthRefused) as refused:
        await method.handle(kv.RangeRequest(key=b"a"), Caller(metadata={b"token": b"abc.1"}))
    assert refused.value.why is Why.INVALID_TOKEN


async def test_tokens_are_had_for_passwords(server: Server) -> None:
    await server.call(AUTH + "UserAdd", pb.AuthUserAddRequest(name="bob", password="x"), "root")
    right = pb.AuthenticateRequest(name="bob", password="x")
    answer = await server.call(AUTH + "Authenticate", right)
    assert isinstance(answer, pb.AuthenticateResponse)
    method = server.methods[KV + "Range"]
    assert isinstance(method, Unary)
    bob = Caller(metadata={b"authorization": b"Bearer " + answer.token.encode()})
    with pytest.raises(Refused, match="permission denied"):
        await method.handle(kv.RangeRequest(key=b"a"), bob)
    change = pb.AuthUserChangePasswordRequest(name="bob", password="y")
    await server.call(AUTH + "UserChangePassword", change, "root")
    with pytest.raises(Refused, match="invalid auth token"):
        await method.handle(kv.RangeRequest(key=b"a"), bob)
    failed = "etcdserver: authentication failed, invalid user ID or password"
    assert await server.why(AUTH + "Authenticate", right) == failed
    stranger = pb.AuthenticateRequest(name="nobody", password="x")
    assert await server.why(AUTH + "Authenticate", stranger) == failed
    assert "no password user" in await server.why(
        AUTH + "Authenticate", pb.AuthenticateRequest(name="alice", password="x")
    )


async def test_enabling_wants_a_root_that_may_everything(store: MemoryStore) -> None:
    server = Server(store, FakeClock())
    enable = pb.AuthEnableRequest()
    assert await server.why(AUTH + "AuthEnable", enable) == "etcdserver: root user does not exist"
    await server.add("root")
    text = "etcdserver: root user does not have root role"
    assert await server.why(AUTH + "AuthEnable", enable) == text
    await server.book.grant_role("root", "root")
    await server.call(AUTH + "AuthEnable", enable)
    assert await server.why(AUTH + "AuthEnable", enable) == "etcdserver: user name is empty"
    off = "etcdserver: invalid auth management"
    delete = pb.AuthUserDeleteRequest(name="root")
    assert await server.why(AUTH + "UserDelete", delete, "root") == off
    revoke = pb.AuthUserRevokeRoleRequest(name="root", role="root")
    assert await server.why(AUTH + "UserRevokeRole", revoke, "root") == off
    await server.call(AUTH + "AuthDisable", pb.AuthDisableRequest(), "root")
    await server.call(KV + "Put", kv.PutRequest(key=b"a"))


async def test_a_role_that_goes_is_taken_from_its_users(server: Server) -> None:
    await server.call(AUTH + "RoleDelete", pb.AuthRoleDeleteRequest(role="alice"), "root")
    assert server.book.state.user("alice").roles == []
    assert await server.why(KV + "Range", kv.RangeRequest(key=b"a"), "alice") == (
        "etcdserver: permission denied"
    )


async def test_a_grant_without_a_permission_is_refused_and_kills_nobody(server: Server) -> None:
    empty = pb.AuthRoleGrantPermissionRequest(name="alice")
    assert await server.why(AUTH + "RoleGrantPermission", empty, "root") == (
        "etcdserver: permission not given"
    )


async def test_users_outlive_the_server(server: Server, store: MemoryStore) -> None:
    again = AuthBook(store)
    assert not again.state.enabled
    await again.load()
    assert again.state == server.book.state
    assert again.state.enabled
    assert (await store.status()).revision == 1


async def test_a_permission_on_the_same_range_is_replaced(server: Server) -> None:
    for end in (b"", b"c", b"b"):
        await server.book.grant("alice", pb.Permission(permType=2, key=b"a", range_end=end))
    await server.book.grant("alice", pb.Permission(permType=0, key=b"a", range_end=b"c"))
    await server.book.revoke("alice", b"a", b"")
    await server.book.revoke("alice", b"a", b"b")
    denied = await server.why(KV + "Put", kv.PutRequest(key=b"a"), "alice")
    assert denied == "etcdserver: permission denied"
