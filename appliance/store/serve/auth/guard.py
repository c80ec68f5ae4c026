"""Who calls, and whether they may: the questions that `checks.py`, watches and locks ask.

While authentication is off nothing is refused and nothing is looked up.

Source: etcd server/auth/store.go, server/etcdserver/v3_server.go.
"""

from appliance.store.base import NO_END, Compare, Delete, Op, Put, Range, Store, Txn
from appliance.store.errors import LeaseNotFound
from appliance.store.serve.auth.book import ROOT, AuthBook
from appliance.store.serve.auth.passwords import Passwords
from appliance.store.serve.auth.permissions import Access
from appliance.store.serve.auth.refusals import AuthRefused, Why
from appliance.store.serve.auth.tokens import TokenMaker, Who
from appliance.store.serve.calls import Caller

_NOBODY = Who()


class Guard:
    """The checks on one store."""

    def __init__(
        self, store: Store, book: AuthBook, tokens: TokenMaker, *, by_certificate: bool = False
    ) -> None:
        self.book = book
        self.tokens = tokens
        self.passwords = Passwords()
        self._store = store
        self._by_certificate = by_certificate

    @property
    def enabled(self) -> bool:
        """Whether calls are checked."""
        return self.book.state.enabled

    def who(self, caller: Caller) -> Who:
        """Who calls: by token, else by the name in the client's certificate, else nobody.

        Raises:
            AuthRefused: the token is not one of ours.
        """
        if not self.enabled:
            return _NOBODY
        metadata, revision = caller.metadata, self.book.state.revision
        shown = metadata.get(b"token", metadata.get(b"authorization"))
        if shown is not None:
            token = shown.decode("latin-1").removeprefix("Bearer ")
            found = self.tokens.who(token, revision)
            if found is None:
                raise AuthRefused(Why.INVALID_TOKEN)
            return found
        if self._by_certificate and caller.common_name:
            return Who(caller.common_name, revision)
        return _NOBODY

    def check_known(self, who: Who) -> None:
        """Somebody at all.

        Raises:
            AuthRefused: nobody.
        """
        if self.enabled and not who.name:
            raise AuthRefused(Why.USER_EMPTY)

    def check_admin(self, who: Who) -> None:
        """A user with the root role.

        Raises:
            AuthRefused: it is none.
        """
        self.check_known(who)
        if self.enabled and ROOT not in self.book.state.user(who.name).roles:
            raise AuthRefused(Why.PERMISSION_DENIED)

    def is_admin(self, who: Who) -> bool:
        """Whether everything is allowed."""
        user = self.book.state.users.get(who.name)
        return not self.enabled or (user is not None and ROOT in user.roles)

    def check(self, who: Who, access: Access, key: bytes, end: bytes = NO_END) -> None:
        """A user who may read, or write, [key, end).

        Raises:
            AuthRefused: it may not.
        """
        if not self.enabled:
            return
        if not who.revision:
            raise AuthRefused(Why.USER_EMPTY)
        if who.revision < self.book.state.revision:
            raise AuthRefused(Why.OLD_REVISION)
        if self.is_admin(who):
            return
        if who.name not in self.book.state.users or not self.book.granted(who.name).allows(
            access, key, end
        ):
            raise AuthRefused(Why.PERMISSION_DENIED)

    async def check_lease(self, who: Who, lease_id: int, access: Access) -> None:
        """A user who may read, or write, every key of a lease; no lease, no keys.

        Raises:
            AuthRefused: it may not.
        """
        if self.is_admin(who):
            return
        try:
            keys = (await self._store.lease_info(lease_id)).keys if lease_id else ()
        except LeaseNotFound:
            return
        for key in keys:
            self.check(who, access, key)

    async def check_op(self, who: Who, op: Op | Compare) -> None:
        """A user who may do all of an operation, whatever way it turns out.

        Raises:
            AuthRefused: it may not.
        """
        match op:
            case Range() | Compare():
                self.check(who, Access.READ, op.key, op.end)
            case Put():
                self.check(who, Access.WRITE, op.key)
                await self.check_lease(who, op.lease, Access.WRITE)
                if op.prev_kv:
                    self.check(who, Access.READ, op.key)
            case Delete():
                self.check(who, Access.WRITE, op.key, op.end)
                if op.prev_kv:
                    self.check(who, Access.READ, op.key, op.end)
            case Txn():
                for part in (*op.compares, *op.success, *op.failure):
                    await self.check_op(who, part)
