"""ClusterRole: what may be done in the whole cluster, or in any namespace it is bound in."""

from collections.abc import Iterator
from typing import Annotated

from appliance.api import faults, names
from appliance.api.errors import Cause
from appliance.api.kind import Kind
from appliance.api.kinds import checks
from appliance.api.kinds.rbac.role import COLUMNS, cells
from appliance.api.kinds.rbac.rules import GROUP, PolicyRule, rule_faults
from appliance.api.meta import KubeObject, LabelSelector
from appliance.api.schema import F, Message, nullable


class AggregationRule(Message):
    """Says of which other roles a role is put together."""

    clusterRoleSelectors: Annotated[
        list[LabelSelector],
        F(1, "Roles that any of these selects give their rules.", list_type="atomic"),
    ] = []


class ClusterRole(KubeObject):
    """Rules that bindings of any namespace, and of the cluster, can grant."""

    rules: Annotated[
        list[PolicyRule] | None, F(2, "What is allowed.", required=True, list_type="atomic")
    ] = nullable()
    aggregationRule: Annotated[
        AggregationRule | None,
        F(3, "If there is one, a controller writes the rules."),
    ] = None


def _faults(obj: ClusterRole) -> Iterator[Cause]:
    yield from rule_faults(obj.rules, namespaced=False)
    if obj.aggregationRule is None:
        return
    path = "aggregationRule.clusterRoleSelectors"
    selectors = obj.aggregationRule.clusterRoleSelectors
    if not selectors:
        why = "at least one clusterRoleSelector required if aggregationRule is non-nil"
        yield faults.required(path, why)
    for index, selector in enumerate(selectors):
        yield from checks.selector(selector, f"{path}[{index}]")


def _validate(obj: ClusterRole) -> list[Cause]:
    return list(_faults(obj))


def _validate_update(new: ClusterRole, _old: ClusterRole) -> list[Cause]:
    return _validate(new)


CLUSTER_ROLE = Kind(
    group=GROUP,
    version="v1",
    kind="ClusterRole",
    plural="clusterroles",
    singular="clusterrole",
    namespaced=False,
    type=ClusterRole,
    columns=COLUMNS,
    cells=cells,
    validate_name=names.path_segment,
    validate=_validate,
    validate_update=_validate_update,
    create_on_update=True,
    has_generation=False,
)
