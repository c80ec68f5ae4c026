"""Aggregated cluster roles: their rules are those of all roles that they select.

So a manifest that brings a new kind gives editors its rights by a label, without a change of the
role `edit`. Source: kubernetes `pkg/controller/clusterroleaggregation`.
"""

from collections.abc import Sequence

from appliance.api import labels
from appliance.api.kinds.rbac.clusterrole import CLUSTER_ROLE, ClusterRole
from appliance.api.kinds.rbac.rules import PolicyRule
from appliance.client.base import Client, clone
from appliance.client.cache import key_of
from appliance.client.controller import DONE, Result, Watch
from appliance.client.informer import Informers


class ClusterRoles:
    """Writes the rules of aggregated roles."""

    name = "clusterrole-aggregation"

    def __init__(self, client: Client, informers: Informers) -> None:
        self._client = client
        self._roles = informers.of(CLUSTER_ROLE)

    def watches(self) -> Sequence[Watch]:
        """Any role may be part of any aggregated one."""
        return [Watch(self._roles, self._aggregated)]

    async def reconcile(self, key: str) -> Result:
        """Put one role together."""
        role = self._roles.cache.get(key)
        if role is None or role.aggregationRule is None:
            return DONE
        rules = aggregate(role, self._roles.cache.list())
        if rules != (role.rules or []):
            changed = clone(role)
            changed.rules = rules
            await self._client.update(CLUSTER_ROLE, changed)
        return DONE

    def _aggregated(self, changed: ClusterRole) -> list[str]:
        found = {key_of(r) for r in self._roles.cache.list() if r.aggregationRule is not None}
        return sorted(found | {key_of(changed)})


def aggregate(role: ClusterRole, roles: Sequence[ClusterRole]) -> list[PolicyRule]:
    """Give the rules of all that a role selects, each once, in the order of the names."""
    if role.aggregationRule is None:
        return role.rules or []
    selectors = [labels.from_label_selector(s) for s in role.aggregationRule.clusterRoleSelectors]
    found: list[PolicyRule] = []
    for part in sorted(roles, key=lambda r: r.metadata.name):
        if part.metadata.name == role.metadata.name:
            continue
        if any(s.matches(part.metadata.labels) for s in selectors):
            found += [rule for rule in part.rules or [] if rule not in found]
    return found
