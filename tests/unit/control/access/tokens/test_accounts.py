"""Whose a token is, and when it is nobody's any more."""

import random
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest

from appliance.api.errors import BadRequest, Conflict, Forbidden, Invalid, NotFound, Unauthorized
from appliance.api.kinds.authentication.tokenrequest import (
    BoundObjectReference,
    TokenRequest,
    TokenRequestSpec,
)
from appliance.api.kinds.core.node import NODE, Node
from appliance.api.kinds.core.pod.container import Container
from appliance.api.kinds.core.pod.kind import POD, Pod
from appliance.api.kinds.core.pod.spec import PodSpec
from appliance.api.kinds.core.secret import SECRET, Secret
from appliance.api.kinds.core.serviceaccount import SERVICE_ACCOUNT, ServiceAccount
from appliance.api.meta import ObjectMeta
from appliance.client.base import Client
from appliance.client.base import DeleteOptions as Now
from appliance.control.access.authn import CertificatesAndTokens, StaticToken
from appliance.control.access.tokens.accounts import ISSUER, AccountTokens, UnknownToken
from appliance.control.access.tokens.requests import TokenMaker, check
from appliance.control.local import LocalClient
from appliance.control.registry.base import User
from appliance.control.registry.registry import StoreRegistry
from appliance.kit.clock import FakeClock
from appliance.kit.pki import new_key_pem

ADMIN = User(name="root", groups=("system:masters",))
KUBELET = User(name="system:node:n1", groups=("system:nodes",))
AT_ONCE = Now(grace_period_s=0)


@dataclass
class World:
    client: Client
    tokens: AccountTokens
    maker: TokenMaker
    clock: FakeClock

    async def token(self, user: User = ADMIN, account: str = "robot", **spec: Any) -> str:
        request = TokenRequest(spec=TokenRequestSpec(**spec))
        found = await self.maker.account("default", account)
        check(request, found)
        await self.maker.fill(request, found, user)
        return request.status.token

    async def user(self, token: str, *audiences: str) -> User:
        return (await self.tokens.identify(token, audiences)).user


@pytest.fixture
async def world(registry: StoreRegistry, clock: FakeClock) -> AsyncIterator[World]:
    client = LocalClient(registry, ADMIN, clock)
    meta = ObjectMeta(name="robot", namespace="default")
    await client.create(SERVICE_ACCOUNT, ServiceAccount(metadata=meta))
    for name in ("n1", "n2"):
        await client.create(NODE, Node(metadata=ObjectMeta(name=name)))
    tokens = AccountTokens(new_key_pem(), registry.lookup, clock)
    maker = TokenMaker(tokens, registry.lookup, clock=clock, rng=random.Random(1))  # noqa: S311
    yield World(client, tokens, maker, clock)
    await client.close()


async def run_pod(world: World, name: str = "p", node: str = "n1") -> Pod:
    spec = PodSpec(
        serviceAccountName="robot",
        nodeName=node,
        containers=[Container(name="c", image="i")],
    )
    meta = ObjectMeta(name=name, namespace="default")
    return await world.client.create(POD, Pod(metadata=meta, spec=spec))


def to(kind: str, name: str, uid: str = "") -> BoundObjectReference:
    return BoundObjectReference(kind=kind, apiVersion="v1", name=name, uid=uid)


async def test_a_token_is_its_account_until_its_time_is_over(world: World) -> None:
    token = await world.token(expirationSeconds=600)
    user = await world.user(token)
    account = await world.client.get(SERVICE_ACCOUNT, "robot", "default")
    assert user.name == "system:serviceaccount:default:robot"
    assert user.groups == ("system:serviceaccounts", "system:serviceaccounts:default")
    assert user.uid == account.metadata.uid
    assert user.extra["authentication.kubernetes.io/credential-id"][0].startswith("JTI=")
    await world.clock.advance(599)
    await world.user(token)
    await world.clock.advance(1)
    with pytest.raises(UnknownToken, match="expired"):
        await world.user(token)


async def test_a_token_for_others_does_not_open_the_api(world: World) -> None:
    token = await world.token(audiences=["vault"])
    with pytest.raises(UnknownToken, match=r'audiences \["vault"\] is invalid for the target'):
        await world.user(token)
    found = await world.tokens.identify(token, ("vault", "bank"))
    assert found.audiences == ("vault",)


async def test_a_token_ends_with_its_account_even_if_another_has_the_name(world: World) -> None:
    token = await world.token()
    await world.client.delete(SERVICE_ACCOUNT, "robot", namespace="default")
    with pytest.raises(UnknownToken):
        await world.user(token)
    meta = ObjectMeta(name="robot", namespace="default")
    await world.client.create(SERVICE_ACCOUNT, ServiceAccount(metadata=meta))
    with pytest.raises(UnknownToken):
        await world.user(token)
    await world.user(await world.token())


async def test_a_token_ends_with_its_pod(world: World) -> None:
    pod = await run_pod(world)
    token = await world.token(boundObjectRef=to("Pod", "p"))
    extra = (await world.user(token)).extra
    assert extra["authentication.kubernetes.io/pod-uid"] == (pod.metadata.uid,)
    assert extra["authentication.kubernetes.io/node-name"] == ("n1",)
    await world.client.delete(POD, "p", namespace="default")
    await world.user(token)  # while it stops it may still report
    await world.clock.advance(30 + 61)
    with pytest.raises(UnknownToken):
        await world.user(token)
    await world.client.delete(POD, "p", namespace="default", options=AT_ONCE)
    with pytest.raises(UnknownToken):
        await world.user(token)


async def test_a_token_ends_with_its_secret_or_node(world: World) -> None:
    meta = ObjectMeta(name="s", namespace="default")
    await world.client.create(SECRET, Secret(metadata=meta))
    by_secret = await world.token(boundObjectRef=to("Secret", "s"))
    by_node = await world.token(boundObjectRef=to("Node", "n2"))
    for token in (by_secret, by_node):
        await world.user(token)
    await world.client.delete(SECRET, "s", namespace="default")
    await world.client.delete(NODE, "n2")
    for token in (by_secret, by_node):
        with pytest.raises(UnknownToken):
            await world.user(token)


async def test_a_token_in_a_secret_is_good_while_it_lies_there(world: World) -> None:
    account = await world.client.get(SERVICE_ACCOUNT, "robot", "default")
    token = world.tokens.sign_legacy("old", account)
    with pytest.raises(UnknownToken):
        await world.user(token)
    meta = ObjectMeta(name="old", namespace="default")
    await world.client.create(SECRET, Secret(metadata=meta, data={"token": token.encode()}))
    assert (await world.user(token)).name == "system:serviceaccount:default:robot"
    await world.client.patch(SECRET, "old", {"data": {"token": "eA=="}}, namespace="default")
    with pytest.raises(UnknownToken, match="does not match"):
        await world.user(token)


async def test_a_key_of_another_cluster_signs_for_nobody(
    world: World, registry: StoreRegistry, clock: FakeClock
) -> None:
    token = await world.token()
    other = AccountTokens(new_key_pem(), registry.lookup, clock)
    with pytest.raises(UnknownToken):
        await other.identify(token)


@pytest.mark.parametrize(
    ("spec", "error", "message"),
    [
        ({"boundObjectRef": to("Pod", "none")}, NotFound, 'pods "none" not found'),
        ({"boundObjectRef": to("Foo", "x")}, BadRequest, "object of type /v1, Kind=Foo"),
        ({"boundObjectRef": to("Pod", "p", "1")}, Conflict, "does not match the UID in record"),
        ({"expirationSeconds": 599}, Invalid, "less than 10 minutes"),
        ({"expirationSeconds": 2**32 + 1}, Invalid, "larger than"),
    ],
)
async def test_wishes_that_cannot_be_met(
    world: World, spec: dict[str, Any], error: type[Exception], message: str
) -> None:
    await run_pod(world)
    with pytest.raises(error, match=message):
        await world.token(**spec)


async def test_a_pod_of_another_account_is_no_bond(world: World) -> None:
    meta = ObjectMeta(name="other", namespace="default")
    await world.client.create(SERVICE_ACCOUNT, ServiceAccount(metadata=meta))
    await run_pod(world)
    with pytest.raises(BadRequest, match="different serviceaccount name"):
        await world.token(account="other", boundObjectRef=to("Pod", "p"))


async def test_a_node_gets_tokens_of_the_pods_that_it_runs(world: World) -> None:
    mine, others = await run_pod(world), await run_pod(world, "q", "n2")
    await world.token(KUBELET, boundObjectRef=to("Pod", "p", mine.metadata.uid))
    for ref, why in (
        (None, "not bound to a pod"),
        (to("Secret", "s"), "s"),
        (to("Pod", "p"), "without a uid"),
        (to("Pod", "q", others.metadata.uid), "scheduled on a different node"),
    ):
        with pytest.raises((Forbidden, NotFound), match=why):
            await world.token(KUBELET, boundObjectRef=ref)


async def test_both_kinds_of_tokens_authenticate(world: World) -> None:
    both = CertificatesAndTokens([StaticToken("word", ADMIN)], world.tokens)
    token = await world.token()
    user = await both.authenticate(f"Bearer {token}", None)
    assert user.name == "system:serviceaccount:default:robot"
    assert user.groups[-1] == "system:authenticated"
    assert (await both.authenticate("Bearer word", None)).name == "root"
    assert (await both.identify("word", ())).audiences == (ISSUER,)
    for wrong in ("other", token[:-4], "a.b.c"):
        with pytest.raises(Unauthorized):
            await both.authenticate(f"Bearer {wrong}", None)
    with pytest.raises(UnknownToken):
        await both.identify("word", ("vault",))
