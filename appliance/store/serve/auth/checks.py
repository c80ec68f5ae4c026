"""What each call needs of its caller: the table, and the wrapper that sees to it.

`server.py` puts `guarded` around all methods. Watches answer a refusal in their stream, and the
lock and election services act on keys in their caller's name: both ask the guard by themselves.

Source: etcd server/etcdserver/apply/auth.go, api/v3rpc/{key,maintenance,member,lease}.go.
"""

from collections.abc import Awaitable, Callable
from typing import Any, Self

from appliance.store.base import Store, Txn
from appliance.store.mvcc import txn
from appliance.store.options import StoreOptions
from appliance.store.serve import convert
from appliance.store.serve.auth.guard import Guard
from appliance.store.serve.auth.permissions import Access
from appliance.store.serve.auth.tokens import Who
from appliance.store.serve.calls import Caller, Method, Methods, Reply, Stream, Streaming, Unary
from appliance.store.serve.messages import kv as pb
from appliance.store.serve.messages import lease, maintenance
from appliance.store.serve.wire import Message

Check = Callable[[Who, Any], Awaitable[None]]
_LIMITS = StoreOptions()


def guarded(methods: Methods, guard: Guard, store: Store) -> Methods:
    """The same methods for those who may call them."""
    checks = Checks(guard, store).table()
    return {
        path: _guarded(method, guard, checks[path]) if path in checks else method
        for path, method in methods.items()
    }


class Checks:
    """The checks by path; what is not in the table is open to everybody, or checks itself."""

    def __init__(self, guard: Guard, store: Store) -> None:
        self._guard = guard
        self._store = store

    def table(self) -> dict[str, Check]:
        """What each call needs."""
        kv, leases = "/etcdserverpb.KV/", "/etcdserverpb.Lease/"
        care, cluster = "/etcdserverpb.Maintenance/", "/etcdserverpb.Cluster/"
        admin = ("Defragment", "Snapshot", "Hash", "HashKV", "MoveLeader", "Downgrade")
        members = ("MemberAdd", "MemberRemove", "MemberUpdate", "MemberPromote")
        return {
            kv + "Range": self._range,
            kv + "RangeStream": self._range,
            kv + "Put": self._put,
            kv + "DeleteRange": self._delete,
            kv + "Txn": self._txn,
            kv + "Compact": self._admin,
            leases + "LeaseGrant": self._known,
            leases + "LeaseRevoke": self._revoke,
            leases + "LeaseKeepAlive": self._renew,
            leases + "LeaseTimeToLive": self._time_to_live,
            leases + "LeaseLeases": self._leases,
            care + "Status": self._known,
            care + "Alarm": self._alarm,
            cluster + "MemberList": self._known,
            **{care + name: self._admin for name in admin},
            **{cluster + name: self._admin for name in members},
            **{f"/etcdserverpb.Auth/{name}": self._admin for name in _AUTH_ADMIN},
        }

    async def _known(self, who: Who, request: Message) -> None:
        del request
        self._guard.check_known(who)

    async def _admin(self, who: Who, request: Message) -> None:
        del request
        self._guard.check_admin(who)

    # A malformed request is told so first, whoever sends it.

    async def _range(self, who: Who, request: pb.RangeRequest) -> None:
        op = convert.range_of(request)
        txn.check(Txn(success=(op,)), _LIMITS)
        await self._guard.check_op(who, op)

    async def _put(self, who: Who, request: pb.PutRequest) -> None:
        await self._checked(who, Txn(success=(convert.put_of(request),)))

    async def _delete(self, who: Who, request: pb.DeleteRangeRequest) -> None:
        await self._checked(who, Txn(success=(convert.delete_of(request),)))

    async def _txn(self, who: Who, request: pb.TxnRequest) -> None:
        await self._checked(who, convert.txn_of(request))

    async def _checked(self, who: Who, request: Txn) -> None:
        txn.check(request, _LIMITS)
        await self._guard.check_op(who, request)

    async def _revoke(self, who: Who, request: lease.LeaseRevokeRequest) -> None:
        self._guard.check_known(who)
        await self._guard.check_lease(who, request.ID, Access.WRITE)

    async def _renew(self, who: Who, request: lease.LeaseKeepAliveRequest) -> None:
        self._guard.check_known(who)
        await self._guard.check_lease(who, request.ID, Access.WRITE)

    async def _time_to_live(self, who: Who, request: lease.LeaseTimeToLiveRequest) -> None:
        self._guard.check_known(who)
        if request.keys:
            await self._guard.check_lease(who, request.ID, Access.READ)

    async def _leases(self, who: Who, request: lease.LeaseLeasesRequest) -> None:
        del request
        self._guard.check_known(who)
        for lease_id in await self._store.lease_list():
            await self._guard.check_lease(who, lease_id, Access.READ)

    async def _alarm(self, who: Who, request: maintenance.AlarmRequest) -> None:
        if request.action:
            self._guard.check_admin(who)
        self._guard.check_known(who)


_AUTH_ADMIN = (
    "AuthEnable",
    "AuthDisable",
    "UserAdd",
    "UserDelete",
    "UserChangePassword",
    "UserGrantRole",
    "UserRevokeRole",
    "UserList",
    "RoleAdd",
    "RoleDelete",
    "RoleGrantPermission",
    "RoleRevokePermission",
    "RoleList",
)


def _guarded(method: Method, guard: Guard, check: Check) -> Method:
    handle: Any = method.handle  # of one kind or the other
    if isinstance(method, Streaming):

        async def streamed(stream: Stream) -> None:
            await handle(_CheckedStream(stream, guard, check))

        return Streaming(method.request, streamed)

    async def called(request: Any, caller: Caller) -> Message:
        if guard.enabled:
            await check(guard.who(caller), request)
        answer: Message = await handle(request, caller)
        return answer

    at_once = method.at_once
    if at_once is None:
        return Unary(method.request, called)

    def unless_checked(data: bytes, caller: Caller, reply: Reply) -> bool:
        return not guard.enabled and at_once(data, caller, reply)

    return Unary(method.request, called, unless_checked)


class _CheckedStream:
    """A stream of which every request is checked."""

    def __init__(self, stream: Stream, guard: Guard, check: Check) -> None:
        self._stream = stream
        self._guard = guard
        self._check = check

    @property
    def caller(self) -> Caller:
        """Who calls."""
        return self._stream.caller

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Any:
        request = await anext(self._stream)
        if self._guard.enabled:
            await self._check(self._guard.who(self.caller), request)
        return request

    async def send(self, message: Message) -> None:
        """Send an answer."""
        await self._stream.send(message)
