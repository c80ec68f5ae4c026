"""The book of users and roles: what is kept, and every change of it as etcd makes it.

A change is worked out on copies, written as notes of the store, and only then seen; changes go
one after the other. Each gives the next auth revision. Bounded by what administrators write.

Source: etcd server/auth/store.go.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field

import msgspec

from appliance.store.base import Store
from appliance.store.notes import Notes
from appliance.store.serve.auth.permissions import Granted, is_valid
from appliance.store.serve.auth.refusals import AuthRefused, Why
from appliance.store.serve.following import announce
from appliance.store.serve.messages.auth import Permission, Role, User

ROOT = "root"
"""The user, and the role, that may do everything."""
BOOK = "auth"
"""Its name among the notes."""
USER_NOTE, ROLE_NOTE, STATE_NOTE = "user/", "role/", "state"


@dataclass(frozen=True, slots=True)
class AuthState:
    """Everything, as of one auth revision."""

    enabled: bool = False
    revision: int = 1
    users: Mapping[str, User] = field(default_factory=dict)
    roles: Mapping[str, Role] = field(default_factory=dict)

    def user(self, name: str) -> User:
        """A user.

        Raises:
            AuthRefused: there is none.
        """
        if name not in self.users:
            raise AuthRefused(Why.USER_NOT_FOUND)
        return self.users[name]

    def role(self, name: str) -> Role:
        """A role.

        Raises:
            AuthRefused: there is none.
        """
        if name not in self.roles:
            raise AuthRefused(Why.ROLE_NOT_FOUND)
        return self.roles[name]


class AuthBook:
    """The state, and its changes."""

    def __init__(self, store: Store) -> None:
        self.state = AuthState()
        self._store = store
        self._granted: dict[str, Granted] = {}
        self._turn = asyncio.Lock()

    async def load(self) -> None:
        """Read what is kept: before the first call is served, and when others have changed it."""
        if isinstance(self._store, Notes):
            self._see(state_of(await self._store.notes(BOOK)))

    def granted(self, name: str) -> Granted:
        """What a user's roles permit, worked out once per auth revision."""
        found = self._granted.get(name)
        if found is None:
            roles = (self.state.roles.get(role) for role in self.state.users[name].roles)
            found = Granted(p for role in roles if role is not None for p in role.keyPermission)
            self._granted[name] = found
        return found

    async def enable(self) -> None:
        """Check calls from now on."""
        async with self._turn:
            if self.state.enabled:
                return
            root = self.state.users.get(ROOT)
            if root is None:
                raise AuthRefused(Why.ROOT_USER_MISSING)
            if ROOT not in root.roles:
                raise AuthRefused(Why.ROOT_ROLE_MISSING)
            await self._write({STATE_NOTE: flags(enabled=True, revision=self.state.revision)})

    async def disable(self) -> None:
        """Check calls no more."""
        async with self._turn:
            if self.state.enabled:
                revision = self.state.revision + 1
                await self._write({STATE_NOTE: flags(enabled=False, revision=revision)})

    # Users

    async def add_user(self, user: User) -> None:
        """Add a user; its password has been hashed."""
        name = user.name.decode()
        if not name:
            raise AuthRefused(Why.USER_EMPTY)
        async with self._turn:
            if name in self.state.users:
                raise AuthRefused(Why.USER_EXISTS)
            await self._change({USER_NOTE + name: user.encode()})

    async def delete_user(self, name: str) -> None:
        """Remove a user."""
        async with self._turn:
            if self.state.enabled and name == ROOT:
                raise AuthRefused(Why.INVALID_MANAGEMENT)
            self.state.user(name)
            await self._change({USER_NOTE + name: None})

    async def set_password(self, name: str, password: bytes) -> None:
        """Keep a new hash; a user without a password stays one."""
        async with self._turn:
            user = self.state.user(name)
            if user.options is not None and user.options.no_password:
                password = b""
            await self._change(_user(msgspec.structs.replace(user, password=password)))

    async def grant_role(self, name: str, role: str) -> None:
        """Give a user a role; again is no change."""
        async with self._turn:
            user = self.state.user(name)
            if role != ROOT:  # which need not have been added
                self.state.role(role)
            if role not in user.roles:
                roles = sorted([*user.roles, role])
                await self._change(_user(msgspec.structs.replace(user, roles=roles)))

    async def revoke_role(self, name: str, role: str) -> None:
        """Take a role away."""
        async with self._turn:
            if self.state.enabled and name == role == ROOT:
                raise AuthRefused(Why.INVALID_MANAGEMENT)
            user = self.state.user(name)
            if role not in user.roles:
                raise AuthRefused(Why.ROLE_NOT_GRANTED)
            await self._change(_without_role(user, role))

    # Roles

    async def add_role(self, name: str) -> None:
        """Add a role that permits nothing yet."""
        if not name:
            raise AuthRefused(Why.ROLE_EMPTY)
        async with self._turn:
            if name in self.state.roles:
                raise AuthRefused(Why.ROLE_EXISTS)
            await self._change({ROLE_NOTE + name: Role(name=name.encode()).encode()})

    async def delete_role(self, name: str) -> None:
        """Remove a role, from its users as well."""
        async with self._turn:
            if self.state.enabled and name == ROOT:
                raise AuthRefused(Why.INVALID_MANAGEMENT)
            self.state.role(name)
            changes: dict[str, bytes | None] = {ROLE_NOTE + name: None}
            for user in self.state.users.values():
                if name in user.roles:
                    changes |= _without_role(user, name)
            await self._change(changes)

    async def grant(self, name: str, permission: Permission) -> None:
        """Add a permission; one on the same range is replaced.

        etcd sees only the first permission that begins with the key: there, one with another end
        is added again, and a narrower one has no effect.
        """
        if not is_valid(permission):
            raise AuthRefused(Why.INVALID_MANAGEMENT)
        async with self._turn:
            role = self.state.role(name)
            others = [p for p in role.keyPermission if not _same_range(p, permission)]
            permissions = sorted([*others, permission], key=lambda one: one.key)
            await self._change(_role(role, permissions))

    async def revoke(self, name: str, key: bytes, end: bytes) -> None:
        """Take a permission away; the range must be the one that was granted."""
        async with self._turn:
            role = self.state.role(name)
            asked = Permission(key=key, range_end=end)
            left = [p for p in role.keyPermission if not _same_range(p, asked)]
            if len(left) == len(role.keyPermission):
                raise AuthRefused(Why.PERMISSION_NOT_GRANTED)
            await self._change(_role(role, left))

    async def _change(self, changes: dict[str, bytes | None]) -> None:
        """Write a change under the next auth revision."""
        state = flags(enabled=self.state.enabled, revision=self.state.revision + 1)
        await self._write({**changes, STATE_NOTE: state})

    async def _write(self, changes: dict[str, bytes | None]) -> None:
        if not isinstance(self._store, Notes):
            raise AuthRefused(Why.NO_NOTES)
        await self._store.write_notes(BOOK, changes)
        await announce(self._store, BOOK)
        self._see(state_of(await self._store.notes(BOOK)))

    def _see(self, state: AuthState) -> None:
        self.state = state
        self._granted = {}


def state_of(notes: Mapping[str, bytes]) -> AuthState:
    """What the notes say."""
    users, roles = {}, {}
    for name, data in sorted(notes.items()):
        if name.startswith(USER_NOTE):
            users[name.removeprefix(USER_NOTE)] = User.decode(data)
        elif name.startswith(ROLE_NOTE):
            roles[name.removeprefix(ROLE_NOTE)] = Role.decode(data)
    enabled, _, revision = notes.get(STATE_NOTE, b"0 1").partition(b" ")
    return AuthState(enabled == b"1", int(revision), users, roles)


def flags(*, enabled: bool, revision: int) -> bytes:
    """The note of the state."""
    return b"%d %d" % (enabled, revision)


def _user(user: User) -> dict[str, bytes | None]:
    return {USER_NOTE + user.name.decode(): user.encode()}


def _role(role: Role, permissions: list[Permission]) -> dict[str, bytes | None]:
    changed = Role(name=role.name, keyPermission=permissions)
    return {ROLE_NOTE + role.name.decode(): changed.encode()}


def _without_role(user: User, role: str) -> dict[str, bytes | None]:
    roles = [one for one in user.roles if one != role]
    return _user(msgspec.structs.replace(user, roles=roles))


def _same_range(one: Permission, other: Permission) -> bool:
    return (one.key, one.range_end) == (other.key, other.range_end)
