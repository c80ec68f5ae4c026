"""Asking as somebody else: who is meant, and who may."""

import pytest

from appliance.api.errors import BadRequest, Forbidden
from appliance.control.access.attributes import Attributes, Decision, Rules
from appliance.control.access.impersonation import Wish, impersonated, read_wish
from appliance.control.registry.base import User

ROOT = User(name="root")
ASKED = Attributes(verb="list", resource="pods", namespace="shop")


class Allows:
    """Lets through what is listed as (verb, group, resource, name)."""

    def __init__(self, *rights: tuple[str, str, str, str]) -> None:
        self._rights = rights

    async def decide(self, user: User, asked: Attributes) -> Decision:
        del user
        asked_for = (asked.verb, asked.group, asked.full_resource, asked.name)
        return Decision(allowed=asked_for in self._rights)

    async def rules_of(self, user: User, namespace: str) -> Rules:
        del user, namespace
        return Rules()


def test_without_headers_nobody_is_meant() -> None:
    assert read_wish([(b"accept", b"*/*")]) is None


def test_headers_say_who_is_meant() -> None:
    wish = read_wish(
        [
            (b"impersonate-user", b"jane"),
            (b"impersonate-group", b"devs"),
            (b"impersonate-group", b"ops"),
            (b"impersonate-uid", b"42"),
            (b"impersonate-extra-a%2fb", b"x"),
            (b"impersonate-extra-a%2fb", b"y"),
        ]
    )
    assert wish is not None
    user = wish.as_user()
    assert (user.name, user.uid, user.extra) == ("jane", "42", {"a/b": ("x", "y")})
    assert user.groups == ("devs", "ops", "system:authenticated")


def test_groups_need_a_user() -> None:
    with pytest.raises(BadRequest, match="without impersonating a user name") as caught:
        read_wish([(b"impersonate-group", b"devs")])
    assert 'Groups:[]string{"devs"}, Extra:map[string][]string(nil)}' in caught.value.message


@pytest.mark.parametrize(
    ("name", "groups"),
    [
        (
            "system:serviceaccount:shop:ci",
            ("system:serviceaccounts", "system:serviceaccounts:shop", "system:authenticated"),
        ),
        ("system:anonymous", ("system:unauthenticated",)),
        ("jane", ("system:authenticated",)),
    ],
)
def test_groups_follow_from_the_name(name: str, groups: tuple[str, ...]) -> None:
    assert Wish(user=name).as_user().groups == groups


async def test_each_part_of_a_wish_needs_its_right() -> None:
    wish = Wish(user="jane", groups=("devs",), uid="42", extra={"scope": ("a",)})
    authn = "authentication.k8s.io"
    rights = [
        ("impersonate", "", "users", "jane"),
        ("impersonate", "", "groups", "devs"),
        ("impersonate", authn, "uids", "42"),
        ("impersonate", authn, "userextras/scope", "a"),
    ]
    assert (await impersonated(ROOT, wish, ASKED, Allows(*rights))).name == "jane"
    for missing in rights:
        held = [r for r in rights if r != missing]
        with pytest.raises(Forbidden, match="cannot impersonate-on:user-info:list"):
            await impersonated(ROOT, wish, ASKED, Allows(*held))


async def test_a_service_account_is_a_right_of_its_own() -> None:
    wish = Wish(user="system:serviceaccount:shop:ci")
    users = Allows(("impersonate", "", "users", "system:serviceaccount:shop:ci"))
    with pytest.raises(Forbidden):
        await impersonated(ROOT, wish, ASKED, users)
    accounts = Allows(("impersonate", "", "serviceaccounts", "ci"))
    assert (await impersonated(ROOT, wish, ASKED, accounts)).groups


async def test_a_right_may_be_limited_to_what_is_done() -> None:
    wish, authn = Wish(user="jane"), "authentication.k8s.io"
    who = ("impersonate:user-info", authn, "users", "jane")
    what = ("impersonate-on:user-info:list", "", "pods", "")
    assert (await impersonated(ROOT, wish, ASKED, Allows(who, what))).name == "jane"
    for held in (who, what):
        with pytest.raises(Forbidden):
            await impersonated(ROOT, wish, ASKED, Allows(held))
