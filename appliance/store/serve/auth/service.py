"""The Auth service.

Source: etcd server/etcdserver/api/v3rpc/auth.go, server/etcdserver/v3_server.go.
"""

from collections.abc import Awaitable, Callable
from typing import Any

from appliance.store.base import Store
from appliance.store.serve.auth.book import ROOT
from appliance.store.serve.auth.guard import Guard
from appliance.store.serve.auth.permissions import ROOT_PERMISSION
from appliance.store.serve.auth.refusals import AuthRefused, Why
from appliance.store.serve.calls import Caller, Methods, Unary
from appliance.store.serve.identity import Identity, current_revision
from appliance.store.serve.messages import auth as pb
from appliance.store.serve.messages.kv import ResponseHeader
from appliance.store.serve.wire import Message

Change = Callable[[Any], Awaitable[None]]


class AuthService:
    """Users, roles, and whether calls are checked."""

    def __init__(self, store: Store, identity: Identity, guard: Guard) -> None:
        self._store = store
        self._identity = identity
        self._guard = guard
        self._book = guard.book
        self._passwords = guard.passwords

    def methods(self) -> Methods:
        """The service's table."""
        prefix = "/etcdserverpb.Auth/"
        changes: dict[str, tuple[type[Message], Change]] = {
            "AuthEnable": (pb.AuthEnableRequest, self._enable),
            "AuthDisable": (pb.AuthDisableRequest, self._disable),
            "UserAdd": (pb.AuthUserAddRequest, self._add_user),
            "UserDelete": (pb.AuthUserDeleteRequest, self._delete_user),
            "UserChangePassword": (pb.AuthUserChangePasswordRequest, self._set_password),
            "UserGrantRole": (pb.AuthUserGrantRoleRequest, self._grant_role),
            "UserRevokeRole": (pb.AuthUserRevokeRoleRequest, self._revoke_role),
            "RoleAdd": (pb.AuthRoleAddRequest, self._add_role),
            "RoleDelete": (pb.AuthRoleDeleteRequest, self._delete_role),
            "RoleGrantPermission": (pb.AuthRoleGrantPermissionRequest, self._grant),
            "RoleRevokePermission": (pb.AuthRoleRevokePermissionRequest, self._revoke),
        }
        return {
            **{
                prefix + name: Unary(request, self._changing(change))
                for name, (request, change) in changes.items()
            },
            prefix + "AuthStatus": Unary(pb.AuthStatusRequest, self.status),
            prefix + "Authenticate": Unary(pb.AuthenticateRequest, self.authenticate),
            prefix + "UserGet": Unary(pb.AuthUserGetRequest, self.user),
            prefix + "UserList": Unary(pb.AuthUserListRequest, self.users),
            prefix + "RoleGet": Unary(pb.AuthRoleGetRequest, self.role),
            prefix + "RoleList": Unary(pb.AuthRoleListRequest, self.roles),
        }

    def _changing(self, change: Change) -> Callable[[Any, Caller], Awaitable[Message]]:
        async def handle(request: Any, caller: Caller) -> Message:
            del caller
            await change(request)
            return pb.AuthResponse(header=await self._header())

        return handle

    async def _enable(self, request: pb.AuthEnableRequest) -> None:
        del request
        await self._book.enable()

    async def _disable(self, request: pb.AuthDisableRequest) -> None:
        del request
        await self._book.disable()
        self._guard.tokens.forget_all()

    async def _add_user(self, request: pb.AuthUserAddRequest) -> None:
        options = request.options or pb.UserAddOptions()
        password = b"" if options.no_password else await self._passwords.hashed(request.password)
        name = request.name.encode()
        await self._book.add_user(pb.User(name=name, password=password, options=options))

    async def _delete_user(self, request: pb.AuthUserDeleteRequest) -> None:
        await self._book.delete_user(request.name)
        self._guard.tokens.forget(request.name)

    async def _set_password(self, request: pb.AuthUserChangePasswordRequest) -> None:
        password = await self._passwords.hashed(request.password)
        await self._book.set_password(request.name, password)
        self._guard.tokens.forget(request.name)

    async def _grant_role(self, request: pb.AuthUserGrantRoleRequest) -> None:
        await self._book.grant_role(request.user, request.role)

    async def _revoke_role(self, request: pb.AuthUserRevokeRoleRequest) -> None:
        await self._book.revoke_role(request.name, request.role)

    async def _add_role(self, request: pb.AuthRoleAddRequest) -> None:
        await self._book.add_role(request.name)

    async def _delete_role(self, request: pb.AuthRoleDeleteRequest) -> None:
        await self._book.delete_role(request.role)

    async def _grant(self, request: pb.AuthRoleGrantPermissionRequest) -> None:
        if request.perm is None:
            raise AuthRefused(Why.PERMISSION_NOT_GIVEN)
        await self._book.grant(request.name, request.perm)

    async def _revoke(self, request: pb.AuthRoleRevokePermissionRequest) -> None:
        await self._book.revoke(request.role, request.key, request.range_end)

    async def status(self, request: pb.AuthStatusRequest, caller: Caller) -> Message:
        """Whether calls are checked."""
        del request, caller
        state, header = self._book.state, await self._header()
        return pb.AuthStatusResponse(
            header=header, enabled=state.enabled, authRevision=state.revision
        )

    async def authenticate(self, request: pb.AuthenticateRequest, caller: Caller) -> Message:
        """A token for a name and its password."""
        del caller
        while True:
            state = self._book.state
            if not state.enabled:
                raise AuthRefused(Why.NOT_ENABLED)
            user = state.users.get(request.name)
            if user is not None and user.options is not None and user.options.no_password:
                raise AuthRefused(Why.NO_PASSWORD_USER)
            kept = user.password if user is not None else b""
            if not await self._passwords.matches(request.password, kept):
                raise AuthRefused(Why.AUTH_FAILED)
            if state.revision == self._book.state.revision:  # else it may not be so any more
                break
        token = self._guard.tokens.assign(request.name, state.revision)
        return pb.AuthenticateResponse(header=await self._header(), token=token)

    async def user(self, request: pb.AuthUserGetRequest, caller: Caller) -> Message:
        """A user's roles; one's own always."""
        who = self._guard.who(caller)
        if request.name != who.name:
            self._guard.check_admin(who)
        roles = self._book.state.user(request.name).roles
        return pb.AuthUserGetResponse(header=await self._header(), roles=roles)

    async def users(self, request: pb.AuthUserListRequest, caller: Caller) -> Message:
        """All users."""
        del request, caller
        names = list(self._book.state.users)
        return pb.AuthUserListResponse(header=await self._header(), users=names)

    async def role(self, request: pb.AuthRoleGetRequest, caller: Caller) -> Message:
        """What a role permits; whoever has it may ask."""
        who = self._guard.who(caller)
        me = self._book.state.users.get(who.name)
        if me is None or request.role not in me.roles:
            self._guard.check_admin(who)
        role = self._book.state.role(request.role)
        permissions = [ROOT_PERMISSION] if request.role == ROOT else role.keyPermission
        return pb.AuthRoleGetResponse(header=await self._header(), perm=permissions)

    async def roles(self, request: pb.AuthRoleListRequest, caller: Caller) -> Message:
        """All roles."""
        del request, caller
        names = list(self._book.state.roles)
        return pb.AuthRoleListResponse(header=await self._header(), roles=names)

    async def _header(self) -> ResponseHeader:
        return self._identity.header(await current_revision(self._store))
