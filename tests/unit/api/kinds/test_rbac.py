"""Roles and bindings: defaults, and what is refused in upstream's words."""

import pytest

from appliance.api.kinds.rbac.clusterrole import CLUSTER_ROLE, AggregationRule, ClusterRole
from appliance.api.kinds.rbac.clusterrolebinding import CLUSTER_ROLE_BINDING, ClusterRoleBinding
from appliance.api.kinds.rbac.role import ROLE, Role
from appliance.api.kinds.rbac.rolebinding import ROLE_BINDING, RoleBinding
from appliance.api.kinds.rbac.rules import GROUP, PolicyRule, RoleRef, Subject
from appliance.api.meta import LabelSelector, ObjectMeta


def test_the_group_of_users_and_roles_may_be_left_out() -> None:
    binding = RoleBinding(
        subjects=[
            Subject(kind="User", name="jane"),
            Subject(kind="ServiceAccount", name="ci", namespace="shop"),
        ],
        roleRef=RoleRef(kind="ClusterRole", name="view"),
    )
    ROLE_BINDING.set_defaults(binding)
    assert [s.apiGroup for s in binding.subjects] == [GROUP, ""]
    assert binding.roleRef.apiGroup == GROUP
    assert ROLE_BINDING.validate(binding) == []


def test_a_table_lists_subjects_by_kind() -> None:
    binding = RoleBinding(
        metadata=ObjectMeta(name="b"),
        subjects=[
            Subject(kind="User", name="jane"),
            Subject(kind="User", name="joe"),
            Subject(kind="ServiceAccount", name="ci", namespace="shop"),
        ],
        roleRef=RoleRef(kind="Role", name="r"),
    )
    assert ROLE_BINDING.cells is not None
    cells = ROLE_BINDING.cells(binding, 0.0)
    assert cells[:2] == ["b", "Role/r"]
    assert cells[3:] == ["jane, joe", "", "shop/ci"]


@pytest.mark.parametrize(
    ("rule", "faults"),
    [
        (PolicyRule(verbs=["get"], apiGroups=[""], resources=["pods"]), []),
        (PolicyRule(apiGroups=[""], resources=["pods"]), ["rules[0].verbs"]),
        (PolicyRule(verbs=["get"]), ["rules[0].apiGroups", "rules[0].resources"]),
        (PolicyRule(verbs=["get"], nonResourceURLs=["/x"]), ["rules[0].nonResourceURLs"]),
    ],
)
def test_rules_of_a_namespace(rule: PolicyRule, faults: list[str]) -> None:
    assert [c.field for c in ROLE.validate(Role(rules=[rule]))] == faults


def test_cluster_rules_may_name_paths_but_not_with_resources() -> None:
    path = PolicyRule(verbs=["get"], nonResourceURLs=["/metrics"])
    assert CLUSTER_ROLE.validate(ClusterRole(rules=[path])) == []
    path.resources = ["pods"]
    assert len(CLUSTER_ROLE.validate(ClusterRole(rules=[path]))) == 1


def test_an_aggregation_needs_a_selector() -> None:
    role = ClusterRole(aggregationRule=AggregationRule())
    assert [c.reason for c in CLUSTER_ROLE.validate(role)] == ["FieldValueRequired"]
    selector = LabelSelector(matchLabels={"a": "b"})
    role.aggregationRule = AggregationRule(clusterRoleSelectors=[selector])
    assert CLUSTER_ROLE.validate(role) == []


def test_a_cluster_binding_grants_cluster_roles_to_full_names() -> None:
    binding = ClusterRoleBinding(
        subjects=[Subject(kind="ServiceAccount", name="ci")],
        roleRef=RoleRef(apiGroup=GROUP, kind="Role", name="r"),
    )
    fields = [c.field for c in CLUSTER_ROLE_BINDING.validate(binding)]
    assert fields == ["roleRef.kind", "subjects[0].namespace"]


def test_what_a_binding_grants_cannot_change() -> None:
    old = RoleBinding(roleRef=RoleRef(apiGroup=GROUP, kind="Role", name="r"))
    new = RoleBinding(roleRef=RoleRef(apiGroup=GROUP, kind="Role", name="s"))
    assert ROLE_BINDING.validate_update(old, old) == []
    (cause,) = ROLE_BINDING.validate_update(new, old)
    assert cause.message.endswith("cannot change roleRef")
