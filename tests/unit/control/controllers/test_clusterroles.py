"""Aggregated roles follow their parts."""

from appliance.api.kinds.rbac.clusterrole import CLUSTER_ROLE, AggregationRule, ClusterRole
from appliance.api.kinds.rbac.rules import PolicyRule
from appliance.api.meta import LabelSelector, ObjectMeta
from appliance.control.controllers.clusterroles import ClusterRoles
from tests.unit.control.cluster import Cluster

LABEL = {"to-edit": "true"}


def part(name: str, *resources: str) -> ClusterRole:
    rules = [PolicyRule(verbs=["get"], apiGroups=[""], resources=[r]) for r in resources]
    return ClusterRole(metadata=ObjectMeta(name=name, labels=dict(LABEL)), rules=rules)


async def resources(plane: Cluster) -> list[str]:
    role = await plane.client.get(CLUSTER_ROLE, "edit")
    return [r for rule in role.rules or [] for r in rule.resources]


async def test_rules_come_and_go_with_the_parts(plane: Cluster) -> None:
    selector = LabelSelector(matchLabels=LABEL)
    whole = ClusterRole(
        metadata=ObjectMeta(name="edit"),
        aggregationRule=AggregationRule(clusterRoleSelectors=[selector]),
    )
    await plane.client.create(CLUSTER_ROLE, whole)
    await plane.client.create(CLUSTER_ROLE, part("b", "pods", "services"))
    await plane.start(ClusterRoles(plane.client, plane.informers))
    assert await resources(plane) == ["pods", "services"]
    await plane.client.create(CLUSTER_ROLE, part("a", "widgets", "pods"))
    await plane.settle()
    assert await resources(plane) == ["widgets", "pods", "services"]
    await plane.client.patch(CLUSTER_ROLE, "b", {"metadata": {"labels": {"to-edit": None}}})
    await plane.settle()
    assert await resources(plane) == ["widgets", "pods"]
    await plane.client.delete(CLUSTER_ROLE, "a")
    await plane.settle()
    assert await resources(plane) == []
