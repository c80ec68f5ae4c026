"""Nobody gives away more than they have."""

from collections.abc import AsyncIterator

import pytest

from appliance.api.errors import Forbidden, NotFound
from appliance.api.kinds.core.namespace import NAMESPACE, Namespace
from appliance.api.kinds.rbac.clusterrole import CLUSTER_ROLE, AggregationRule, ClusterRole
from appliance.api.kinds.rbac.clusterrolebinding import CLUSTER_ROLE_BINDING, ClusterRoleBinding
from appliance.api.kinds.rbac.role import ROLE, Role
from appliance.api.kinds.rbac.rolebinding import ROLE_BINDING, RoleBinding
from appliance.api.kinds.rbac.rules import PolicyRule, RoleRef, Subject
from appliance.api.meta import LabelSelector, ObjectMeta
from appliance.client.base import Client
from appliance.control.local import LocalClient
from appliance.control.registry.base import User
from appliance.control.registry.registry import StoreRegistry
from appliance.kit.clock import FakeClock

JANE = User(name="jane", groups=("devs", "system:authenticated"))


def rule(verbs: str, resources: str, group: str = "") -> PolicyRule:
    return PolicyRule(verbs=verbs.split(), apiGroups=[group], resources=resources.split())


HELD = [rule("get list", "pods"), rule("create update get", "roles rolebindings", "rbac")]


@pytest.fixture
async def root(registry: StoreRegistry, clock: FakeClock) -> AsyncIterator[Client]:
    client = LocalClient(registry, User(name="root", groups=("system:masters",)), clock)
    await client.create(NAMESPACE, Namespace(metadata=ObjectMeta(name="shop")))
    await grant(client, "held", HELD)
    yield client
    await client.close()


@pytest.fixture
async def jane(root: Client, registry: StoreRegistry, clock: FakeClock) -> AsyncIterator[Client]:
    del root
    client = LocalClient(registry, JANE, clock)
    yield client
    await client.close()


def meta(name: str) -> ObjectMeta:
    return ObjectMeta(name=name, namespace="shop")


def binding(name: str, role: str, kind: str = "Role") -> RoleBinding:
    subjects = [Subject(kind="User", name="jane")]
    return RoleBinding(
        metadata=meta(name), subjects=subjects, roleRef=RoleRef(kind=kind, name=role)
    )


async def grant(root: Client, name: str, rules: list[PolicyRule]) -> None:
    await root.create(ROLE, Role(metadata=meta(name), rules=rules))
    await root.create(ROLE_BINDING, binding(name, name))


async def test_a_role_may_give_what_its_writer_has(jane: Client) -> None:
    await jane.create(ROLE, Role(metadata=meta("less"), rules=[rule("get", "pods")]))
    await jane.create(ROLE_BINDING, binding("less", "less"))


async def test_a_role_that_gives_more_is_refused_and_says_what(jane: Client, root: Client) -> None:
    more = [rule("get delete", "pods secrets")]
    with pytest.raises(Forbidden) as caught:
        await jane.create(ROLE, Role(metadata=meta("more"), rules=more))
    assert caught.value.message == (
        'roles.rbac.authorization.k8s.io "more" is forbidden: user "jane" '
        '(groups=["devs" "system:authenticated"]) is attempting to grant RBAC permissions not '
        "currently held:\n"
        '{APIGroups:[""], Resources:["pods"], Verbs:["delete"]}\n'
        '{APIGroups:[""], Resources:["secrets"], Verbs:["get", "delete"]}'
    )
    await root.create(ROLE, Role(metadata=meta("more"), rules=more))
    with pytest.raises(Forbidden, match="permissions not currently held"):
        await jane.create(ROLE_BINDING, binding("more", "more"))


async def test_what_is_held_in_one_namespace_is_not_held_in_the_cluster(jane: Client) -> None:
    everywhere = ClusterRole(metadata=ObjectMeta(name="all"), rules=[rule("get", "pods")])
    with pytest.raises(Forbidden):
        await jane.create(CLUSTER_ROLE, everywhere)


async def test_an_update_may_not_add_either_but_labels_may_change(
    jane: Client, root: Client
) -> None:
    await root.create(ROLE, Role(metadata=meta("r"), rules=[rule("delete", "secrets")]))
    await jane.patch(ROLE, "r", {"metadata": {"labels": {"a": "b"}}}, namespace="shop")
    wanted = {"rules": [{"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}]}
    with pytest.raises(Forbidden):
        await jane.patch(ROLE, "r", wanted, namespace="shop")


async def test_escalate_and_bind_are_rights_of_their_own(jane: Client, root: Client) -> None:
    group = "rbac.authorization.k8s.io"
    await grant(root, "free", [rule("escalate bind", "roles", group)])
    await jane.create(ROLE, Role(metadata=meta("more"), rules=[rule("*", "secrets")]))
    await jane.create(ROLE_BINDING, binding("more", "more"))
    await root.create(
        CLUSTER_ROLE, ClusterRole(metadata=ObjectMeta(name="cr"), rules=[rule("*", "nodes")])
    )
    with pytest.raises(Forbidden):
        await jane.create(ROLE_BINDING, binding("cr", "cr", "ClusterRole"))


async def test_a_role_that_is_not_there_cannot_be_judged(jane: Client) -> None:
    with pytest.raises(NotFound, match='"none" not found'):
        await jane.create(ROLE_BINDING, binding("b", "none"))


async def test_only_who_may_all_may_aggregate(jane: Client, root: Client) -> None:
    selector = LabelSelector(matchLabels={"a": "b"})
    role = ClusterRole(
        metadata=ObjectMeta(name="agg"),
        aggregationRule=AggregationRule(clusterRoleSelectors=[selector]),
    )
    with pytest.raises(Forbidden, match="must have cluster-admin privileges"):
        await jane.create(CLUSTER_ROLE, role)
    every = [rule("*", "*", "*"), PolicyRule(verbs=["*"], nonResourceURLs=["*"])]
    await root.create(CLUSTER_ROLE, ClusterRole(metadata=ObjectMeta(name="ca"), rules=every))
    await root.create(
        CLUSTER_ROLE_BINDING,
        ClusterRoleBinding(
            metadata=ObjectMeta(name="ca"),
            subjects=[Subject(kind="User", name="jane")],
            roleRef=RoleRef(kind="ClusterRole", name="ca"),
        ),
    )
    await jane.create(CLUSTER_ROLE, role)
