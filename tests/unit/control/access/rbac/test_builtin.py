"""The built-in roles: there after a start, mended at the next, and of use."""

from collections.abc import AsyncIterator

import pytest

from appliance.api.kinds.core.namespace import NAMESPACE, Namespace
from appliance.api.kinds.rbac.clusterrole import CLUSTER_ROLE
from appliance.api.kinds.rbac.clusterrolebinding import CLUSTER_ROLE_BINDING
from appliance.api.kinds.rbac.rules import PolicyRule, Subject
from appliance.api.meta import ObjectMeta
from appliance.client.base import Client, clone
from appliance.control.access.attributes import Attributes
from appliance.control.access.authn import ANONYMOUS
from appliance.control.access.rbac.authorizer import Rbac
from appliance.control.access.rbac.builtin.reconcile import BUILT_IN, reconcile_built_in
from appliance.control.access.rbac.builtin.words import AUTO_UPDATE
from appliance.control.local import LocalClient
from appliance.control.registry.base import User
from appliance.control.registry.registry import StoreRegistry
from appliance.kit.clock import FakeClock

JANE = User(name="jane", groups=("system:authenticated",))


@pytest.fixture
async def client(registry: StoreRegistry, clock: FakeClock) -> AsyncIterator[Client]:
    client = LocalClient(registry, User(name="t", groups=("system:masters",)), clock)
    for name in ("kube-system", "kube-public"):
        await client.create(NAMESPACE, Namespace(metadata=ObjectMeta(name=name)))
    await reconcile_built_in(client)
    yield client
    await client.close()


async def test_a_second_start_writes_nothing(client: Client) -> None:
    before = {kind.kind: (await client.list(kind)).resource_version for kind, _ in BUILT_IN}
    await reconcile_built_in(client)
    after = {kind.kind: (await client.list(kind)).resource_version for kind, _ in BUILT_IN}
    assert after == before


async def test_all_of_them_obey_the_rules_of_their_kinds(client: Client) -> None:
    for kind, wanted in BUILT_IN:
        there = {(o.metadata.namespace, o.metadata.name) for o in (await client.list(kind)).items}
        assert there == {(o.metadata.namespace, o.metadata.name) for o in wanted}


async def test_what_is_missing_comes_back_and_what_was_added_stays(client: Client) -> None:
    role = clone(await client.get(CLUSTER_ROLE, "system:basic-user"))
    extra = PolicyRule(verbs=["get"], apiGroups=["x"], resources=["y"])
    role.rules = [extra]
    await client.update(CLUSTER_ROLE, role)
    binding = clone(await client.get(CLUSTER_ROLE_BINDING, "cluster-admin"))
    other = Subject(kind="User", name="jane")
    binding.subjects = [other]
    await client.update(CLUSTER_ROLE_BINDING, binding)
    await reconcile_built_in(client)
    mended = await client.get(CLUSTER_ROLE, "system:basic-user")
    assert mended.rules is not None
    assert mended.rules[0] == extra
    assert {r for rule in mended.rules for r in rule.resources} >= {"selfsubjectreviews"}
    subjects = (await client.get(CLUSTER_ROLE_BINDING, "cluster-admin")).subjects
    assert [s.name for s in subjects] == ["jane", "system:masters"]


async def test_an_administrator_may_keep_a_role_as_it_is(client: Client) -> None:
    role = clone(await client.get(CLUSTER_ROLE, "system:basic-user"))
    role.rules = []
    role.metadata.annotations = {AUTO_UPDATE: "false"}
    await client.update(CLUSTER_ROLE, role)
    await reconcile_built_in(client)
    assert (await client.get(CLUSTER_ROLE, "system:basic-user")).rules == []


@pytest.mark.parametrize(
    ("user", "path", "allowed"),
    [
        (ANONYMOUS, "/healthz", True),
        (ANONYMOUS, "/version", True),
        (ANONYMOUS, "/readyz/ping", False),
        (ANONYMOUS, "/versions", False),
        (ANONYMOUS, "/api", False),
        (ANONYMOUS, "/openapi/v3", False),
        (JANE, "/openapi/v3", True),
        (JANE, "/apis/apps/v1", True),
        (JANE, "/metrics", False),
        (JANE, "/", False),
    ],
)
@pytest.mark.usefixtures("client")
async def test_plain_paths(registry: StoreRegistry, user: User, path: str, allowed: bool) -> None:
    decision = await Rbac(registry.lookup).decide(user, Attributes(verb="get", path=path))
    assert decision.allowed is allowed
