"""Impersonation: a user who may do so asks as somebody else (`kubectl --as`).

Called by `control.http.middleware` for requests with Impersonate-* headers. Either right is
enough: the old one, `impersonate` on whom one wants to be; or the constrained one of KEP-5284,
`impersonate:<mode>` on whom and `impersonate-on:<mode>:<verb>` on what is done as them.
Source: apiserver `endpoints/filters/impersonation`.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from urllib.parse import unquote

from appliance.api.errors import BadRequest
from appliance.api.faults import quoted
from appliance.control.access.accounts import account_groups, account_of
from appliance.control.access.attributes import Attributes, Authorizer, forbidden
from appliance.control.access.nodes import NODE_PREFIX
from appliance.control.registry.base import User

_ANONYMOUS = "system:anonymous"
_AUTHENTICATED, _UNAUTHENTICATED = "system:authenticated", "system:unauthenticated"
_PREFIX, _EXTRA = b"impersonate-", b"impersonate-extra-"
_GROUP = "authentication.k8s.io"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """Who one wants to be."""

    user: str = ""
    uid: str = ""
    groups: tuple[str, ...] = ()
    extra: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def as_user(self) -> User:
        """Give the user that is meant, with the groups that follow from the name."""
        groups = self.groups
        account = account_of(self.user)
        if account is not None and not groups:
            groups = account_groups(account[0])
        follows = _UNAUTHENTICATED if self.user == _ANONYMOUS else _AUTHENTICATED
        if follows not in groups:
            groups = (*groups, follows)
        return User(name=self.user, groups=groups, uid=self.uid, extra=self.extra)


def read_wish(headers: Iterable[tuple[bytes, bytes]]) -> Wish | None:
    """Read the headers; None where nobody is impersonated.

    Raises:
        BadRequest: groups or the like, but no user.
    """
    found = [(n, v.decode("latin-1")) for n, v in headers if n.startswith(_PREFIX)]
    if not found:
        return None
    extra: dict[str, tuple[str, ...]] = {}
    for name, value in found:
        if name.startswith(_EXTRA):
            key = unquote(name.removeprefix(_EXTRA).decode("latin-1"))
            extra[key] = (*extra.get(key, ()), value)
    wish = Wish(
        user=next((v for n, v in found if n == b"impersonate-user"), ""),
        uid=next((v for n, v in found if n == b"impersonate-uid"), ""),
        groups=tuple(v for n, v in found if n == b"impersonate-group"),
        extra=extra,
    )
    if wish == Wish():
        return None
    if not wish.user:
        raise BadRequest(f"requested {_go(wish)} without impersonating a user name")
    return wish


async def impersonated(user: User, wish: Wish, asked: Attributes, authorizer: Authorizer) -> User:
    """Give the user whom the wish means, if `user` may be that.

    Raises:
        Forbidden: not so.
    """
    targets = list(_targets(wish))
    old = [replace(target, verb="impersonate") for target in targets]
    if all([(await authorizer.decide(user, right)).allowed for right in old]):
        return wish.as_user()
    mode = _mode(wish)
    rights = [replace(asked, verb=f"impersonate-on:{mode}:{asked.verb}")]
    rights += [replace(target, verb=f"impersonate:{mode}", group=_GROUP) for target in targets]
    for right in rights:
        decision = await authorizer.decide(user, right)
        if not decision.allowed:
            raise forbidden(user, right, decision.reason)
    return wish.as_user()


def _targets(wish: Wish) -> Iterator[Attributes]:
    """What one must have a right on, one by one; the verb is filled in later."""
    account = account_of(wish.user)
    if account is not None:
        yield Attributes(verb="", resource="serviceaccounts", namespace=account[0], name=account[1])
    else:
        yield Attributes(verb="", resource="users", name=wish.user)
    for group in wish.groups:
        yield Attributes(verb="", resource="groups", name=group)
    if wish.uid:
        yield Attributes(verb="", group=_GROUP, resource="uids", name=wish.uid)
    for key, values in wish.extra.items():
        for value in values:
            yield Attributes(
                verb="", group=_GROUP, resource="userextras", subresource=key, name=value
            )


def _mode(wish: Wish) -> str:
    if account_of(wish.user) is not None:
        return "serviceaccount"
    return "arbitrary-node" if wish.user.startswith(NODE_PREFIX) else "user-info"


def _go(wish: Wish) -> str:
    """Print a wish as upstream prints it in its message."""

    def texts(values: Iterable[str]) -> str:
        return "[]string{" + ", ".join(quoted(v) for v in values) + "}"

    groups = texts(wish.groups) if wish.groups else "[]string(nil)"
    extra = "map[string][]string(nil)"
    if wish.extra:
        pairs = ", ".join(f"{quoted(k)}:{texts(v)}" for k, v in sorted(wish.extra.items()))
        extra = "map[string][]string{" + pairs + "}"
    uid = quoted(wish.uid)
    return f'&user.DefaultInfo{{Name:"", UID:{uid}, Groups:{groups}, Extra:{extra}}}'
