"""Roles and bindings in a registry decide, from the moment that they are acknowledged."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from appliance.api.kinds.core.namespace import NAMESPACE, Namespace
from appliance.api.kinds.rbac.clusterrole import CLUSTER_ROLE, ClusterRole
from appliance.api.kinds.rbac.clusterrolebinding import CLUSTER_ROLE_BINDING, ClusterRoleBinding
from appliance.api.kinds.rbac.role import ROLE, Role
from appliance.api.kinds.rbac.rolebinding import ROLE_BINDING, RoleBinding
from appliance.api.kinds.rbac.rules import PolicyRule, RoleRef, Subject
from appliance.api.meta import ObjectMeta
from appliance.client.base import Client
from appliance.control.access.accounts import user_of
from appliance.control.access.attributes import Attributes
from appliance.control.access.rbac.authorizer import Rbac
from appliance.control.local import LocalClient
from appliance.control.registry.base import User
from appliance.control.registry.registry import StoreRegistry
from appliance.kit.clock import FakeClock

JANE = User(name="jane", groups=("devs",))
READ_PODS = [PolicyRule(verbs=["get", "list"], apiGroups=[""], resources=["pods"])]


@pytest.fixture
async def client(registry: StoreRegistry, clock: FakeClock) -> AsyncIterator[Client]:
    client = LocalClient(registry, User(name="t", groups=("system:masters",)), clock)
    for name in ("shop", "bank"):
        await client.create(NAMESPACE, Namespace(metadata=ObjectMeta(name=name)))
    yield client
    await client.close()


@pytest.fixture
def rbac(registry: StoreRegistry) -> Rbac:
    return Rbac(registry.lookup)


def in_shop(name: str) -> ObjectMeta:
    return ObjectMeta(name=name, namespace="shop")


async def may(rbac: Rbac, user: User, verb: str, namespace: str = "", **more: Any) -> str | None:
    asked = Attributes(
        verb=verb, resource=more.pop("resource", "pods"), namespace=namespace, **more
    )
    decision = await rbac.decide(user, asked)
    return decision.reason if decision.allowed else None


async def test_a_role_counts_in_its_namespace_once_it_is_bound(client: Client, rbac: Rbac) -> None:
    await client.create(ROLE, Role(metadata=in_shop("reader"), rules=READ_PODS))
    assert await may(rbac, JANE, "get", "shop") is None
    binding = RoleBinding(
        metadata=in_shop("b"),
        subjects=[Subject(kind="User", name="jane")],
        roleRef=RoleRef(kind="Role", name="reader"),
    )
    await client.create(ROLE_BINDING, binding)
    reason = 'RBAC: allowed by RoleBinding "b/shop" of Role "reader" to User "jane"'
    assert await may(rbac, JANE, "get", "shop") == reason
    assert await may(rbac, JANE, "delete", "shop") is None
    assert await may(rbac, JANE, "get", "bank") is None
    assert await may(rbac, JANE, "list") is None, "all namespaces are more than one"
    assert await may(rbac, User(name="joe"), "get", "shop") is None
    await client.delete(ROLE_BINDING, "b", namespace="shop")
    assert await may(rbac, JANE, "get", "shop") is None


async def test_a_cluster_role_counts_where_it_is_bound(client: Client, rbac: Rbac) -> None:
    await client.create(CLUSTER_ROLE, ClusterRole(metadata=ObjectMeta(name="cr"), rules=READ_PODS))
    binding = RoleBinding(
        metadata=in_shop("b"),
        subjects=[Subject(kind="Group", name="devs")],
        roleRef=RoleRef(kind="ClusterRole", name="cr"),
    )
    await client.create(ROLE_BINDING, binding)
    assert await may(rbac, JANE, "get", "shop")
    assert await may(rbac, JANE, "get", "bank") is None
    everywhere = ClusterRoleBinding(
        metadata=ObjectMeta(name="all"),
        subjects=[Subject(kind="Group", name="devs")],
        roleRef=RoleRef(kind="ClusterRole", name="cr"),
    )
    await client.create(CLUSTER_ROLE_BINDING, everywhere)
    assert await may(rbac, JANE, "get", "bank")
    assert await may(rbac, JANE, "list")


async def test_a_service_account_is_meant_with_its_namespace(client: Client, rbac: Rbac) -> None:
    await client.create(ROLE, Role(metadata=in_shop("reader"), rules=READ_PODS))
    binding = RoleBinding(
        metadata=in_shop("b"),
        subjects=[
            Subject(kind="ServiceAccount", name="ci"),
            Subject(kind="ServiceAccount", name="cd", namespace="bank"),
        ],
        roleRef=RoleRef(kind="Role", name="reader"),
    )
    await client.create(ROLE_BINDING, binding)
    reason = await may(rbac, user_of("shop", "ci"), "get", "shop")
    assert reason is not None
    assert reason.endswith('of Role "reader" to ServiceAccount "ci/shop"')
    assert await may(rbac, user_of("bank", "cd"), "get", "shop")
    assert await may(rbac, user_of("bank", "ci"), "get", "shop") is None


async def test_a_binding_waits_for_its_role_and_follows_its_changes(
    client: Client, rbac: Rbac
) -> None:
    binding = RoleBinding(
        metadata=in_shop("b"),
        subjects=[Subject(kind="User", name="jane")],
        roleRef=RoleRef(kind="Role", name="later"),
    )
    await client.create(ROLE_BINDING, binding)
    assert await may(rbac, JANE, "get", "shop") is None
    await client.create(ROLE, Role(metadata=in_shop("later"), rules=READ_PODS))
    assert await may(rbac, JANE, "get", "shop")
    await client.patch(ROLE, "later", {"rules": []}, namespace="shop")
    assert await may(rbac, JANE, "get", "shop") is None


async def test_rules_are_listed_for_a_namespace(client: Client, rbac: Rbac) -> None:
    await client.create(ROLE, Role(metadata=in_shop("reader"), rules=READ_PODS))
    binding = RoleBinding(
        metadata=in_shop("b"),
        subjects=[Subject(kind="User", name="jane")],
        roleRef=RoleRef(kind="Role", name="reader"),
    )
    await client.create(ROLE_BINDING, binding)
    assert (await rbac.rules_of(JANE, "shop")).rules == tuple(READ_PODS)
    assert (await rbac.rules_of(JANE, "bank")).rules == ()
