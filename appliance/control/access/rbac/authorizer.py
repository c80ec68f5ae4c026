"""`Rbac`: decides by the roles and bindings that are in force now.

Asked for each request by `attributes.Authorizers`, and by the steps and reviews that want to
know more. Grants are kept until a role or a binding changes: the caches of the registry count
their changes, so a question costs four comparisons and some look-ups. A write is in force when
it has been acknowledged.
Source: kubernetes `plugin/pkg/auth/authorizer/rbac`.
"""

from typing import Any

from appliance.api.kind import Kind
from appliance.api.kinds.rbac.clusterrole import CLUSTER_ROLE
from appliance.api.kinds.rbac.clusterrolebinding import CLUSTER_ROLE_BINDING
from appliance.api.kinds.rbac.role import ROLE
from appliance.api.kinds.rbac.rolebinding import ROLE_BINDING
from appliance.control.access.attributes import NO_OPINION, Attributes, Decision, Rules
from appliance.control.access.rbac.grants import Grants, Objects
from appliance.control.registry.base import Lookup, User

_KINDS: tuple[Kind[Any], ...] = (ROLE, CLUSTER_ROLE, ROLE_BINDING, CLUSTER_ROLE_BINDING)


class Rbac:
    """See the module."""

    def __init__(self, lookup: Lookup) -> None:
        self._lookup = lookup
        self._stamp: tuple[int, ...] = ()
        self._grants = Grants(Objects())

    async def decide(self, user: User, asked: Attributes) -> Decision:
        """See `Authorizer`."""
        for grant in (await self.grants()).of(user, asked.namespace):
            if grant.rules.allows(asked):
                return Decision(allowed=True, reason=f"RBAC: allowed by {grant.source}")
        return NO_OPINION

    async def rules_of(self, user: User, namespace: str) -> Rules:
        """See `Authorizer`."""
        granted = (await self.grants()).of(user, namespace)
        return Rules(tuple(rule for grant in granted for rule in grant.rules.rules))

    async def grants(self) -> Grants:
        """Everything that is granted now."""
        while self._stamp != (stamp := self._now()):
            roles = await self._lookup.every(ROLE)
            cluster_roles = await self._lookup.every(CLUSTER_ROLE)
            bindings = await self._lookup.every(ROLE_BINDING)
            cluster_bindings = await self._lookup.every(CLUSTER_ROLE_BINDING)
            if stamp != self._now():
                continue  # something changed while we waited for a cache to fill
            self._grants = Grants(
                Objects(
                    roles=roles,
                    cluster_roles=cluster_roles,
                    bindings=bindings,
                    cluster_bindings=cluster_bindings,
                )
            )
            self._stamp = stamp
        return self._grants

    def _now(self) -> tuple[int, ...]:
        return tuple(self._lookup.changes(kind) for kind in _KINDS)
