"""Nobody gives away more than they have: writes of roles and bindings.

Who may write a role could otherwise write one that allows everything. A role may be written if
its writer holds all that it allows, or has the verb `escalate` on it; a role may be bound if the
writer holds all that it allows, or has the verb `bind` on it.
Source: kubernetes `pkg/registry/rbac/*/policybased`, whose messages these are.
"""

from collections.abc import Sequence
from typing import Any

from appliance.api import errors
from appliance.api.kinds.rbac import rules as rbac
from appliance.api.kinds.rbac.clusterrole import CLUSTER_ROLE
from appliance.api.kinds.rbac.clusterrolebinding import CLUSTER_ROLE_BINDING
from appliance.api.kinds.rbac.role import ROLE
from appliance.api.kinds.rbac.rolebinding import ROLE_BINDING
from appliance.api.kinds.rbac.rules import PolicyRule, RoleRef
from appliance.control.access.attributes import MASTERS, Attributes
from appliance.control.access.rbac.authorizer import Rbac
from appliance.control.access.rbac.grants import uncovered
from appliance.control.access.steps.base import Attempt
from appliance.control.registry.base import Lookup, User

_EVERYTHING = [
    PolicyRule(verbs=["*"], apiGroups=["*"], resources=["*"]),
    PolicyRule(verbs=["*"], nonResourceURLs=["*"]),
]


class Escalation:
    """Refuses roles and bindings that would give more than their writer has."""

    def __init__(self, lookup: Lookup) -> None:
        self._rbac = Rbac(lookup)

    async def admit(self, attempt: Attempt) -> None:
        """See the module."""
        if attempt.obj is None or MASTERS in attempt.call.user.groups:
            return
        if attempt.kind is ROLE or attempt.kind is CLUSTER_ROLE:
            await self._admit_role(attempt, attempt.obj, attempt.old)
        elif attempt.kind is ROLE_BINDING or attempt.kind is CLUSTER_ROLE_BINDING:
            await self._admit_binding(attempt, attempt.obj, attempt.old)

    async def _admit_role(self, attempt: Attempt, new: Any, old: Any) -> None:
        aggregation = getattr(new, "aggregationRule", None)
        same_aggregation = old is not None and aggregation == getattr(old, "aggregationRule", None)
        if old is not None and new.rules == old.rules and same_aggregation:
            return  # what it allows was judged before
        name = new.metadata.name
        if await self._may(attempt, "escalate", attempt.kind.plural, name):
            return
        if aggregation is not None and not same_aggregation:
            held = [g.rules for g in (await self._rbac.grants()).of(attempt.call.user, "")]
            if uncovered(_EVERYTHING, held):
                raise attempt.forbid(
                    "must have cluster-admin privileges to use the aggregationRule"
                )
        await self._check(attempt, new.rules or [])

    async def _admit_binding(self, attempt: Attempt, new: Any, old: Any) -> None:
        if old is not None and (new.subjects, new.roleRef) == (old.subjects, old.roleRef):
            return
        ref: RoleRef = new.roleRef
        kind = CLUSTER_ROLE if ref.kind == rbac.CLUSTER_ROLE else ROLE
        if await self._may(attempt, "bind", kind.plural, ref.name):
            return
        role = (await self._rbac.grants()).role(ref, attempt.namespace)
        if role is None:
            raise errors.not_found(kind.plural, kind.group, ref.name)
        await self._check(attempt, role.rules)

    async def _may(self, attempt: Attempt, verb: str, plural: str, name: str) -> bool:
        asked = Attributes(
            verb=verb,
            group=rbac.GROUP,
            resource=plural,
            name=name,
            namespace=attempt.namespace,
        )
        return (await self._rbac.decide(attempt.call.user, asked)).allowed

    async def _check(self, attempt: Attempt, rules: Sequence[PolicyRule]) -> None:
        user = attempt.call.user
        held = [g.rules for g in (await self._rbac.grants()).of(user, attempt.namespace)]
        missing = uncovered(rules, held)
        if missing:
            raise attempt.forbid(_refusal(user, missing))


def _refusal(user: User, missing: Sequence[PolicyRule]) -> str:
    shown = "\n".join(sorted(_shown(rule) for rule in missing))
    groups = " ".join(f'"{g}"' for g in user.groups)
    return (
        f'user "{user.name}" (groups=[{groups}]) is attempting to grant RBAC permissions not '
        f"currently held:\n{shown}"
    )


def _shown(rule: PolicyRule) -> str:
    parts = (
        ("APIGroups", rule.apiGroups),
        ("Resources", rule.resources),
        ("NonResourceURLs", rule.nonResourceURLs),
        ("ResourceNames", rule.resourceNames),
        ("Verbs", rule.verbs or []),
    )
    listed = ", ".join(
        f"{name}:[" + ", ".join(f'"{v}"' for v in values) + "]" for name, values in parts if values
    )
    return "{" + listed + "}"
