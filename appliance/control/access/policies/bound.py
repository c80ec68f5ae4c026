"""Policies with their bindings and the values that these name: what is to be asked about a write.

Called by the two steps; reads through `Lookup`.
"""

from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from appliance.api import labels
from appliance.api.kind import Kind
from appliance.api.kinds.admissionregistration.policy_parts import ParamRef
from appliance.api.kinds.admissionregistration.policy_rules import VARIABLES
from appliance.api.kinds.core.namespace import NAMESPACE
from appliance.control.access.policies import variables
from appliance.control.access.policies.matching import (
    ConditionFailed,
    conditions_hold,
    is_meant,
    may_match,
)
from appliance.control.access.steps.base import Attempt
from appliance.control.registry.base import Lookup

Json = dict[str, Any]
FindKind = Callable[[str, str], Kind[Any] | None]
"""Looks a kind up by apiVersion and kind."""


class PolicyFault(Exception):
    """A policy cannot be asked; what follows depends on its failurePolicy."""


@dataclass(frozen=True, slots=True)
class Bound:
    """A policy by one binding, with one set of values; `fault` is why it cannot be asked."""

    policy: Any
    binding: Any
    values: Json
    fault: str = ""

    @property
    def ignores(self) -> bool:
        """Whether failures let the write pass."""
        return bool(self.policy.spec.failurePolicy == "Ignore")


class Policies:
    """Finds what a write must be measured by."""

    def __init__(self, lookup: Lookup, find_kind: FindKind) -> None:
        self._lookup = lookup
        self._find_kind = find_kind

    async def bound(
        self, policies: Kind[Any], bindings: Kind[Any], attempt: Attempt
    ) -> AsyncIterator[Bound]:
        """Every policy that is about a write, by each of its bindings.

        One is given after the other has been worked with: it sees what that one has changed.
        """
        if not may_match(attempt) or not (every := await self._lookup.every(bindings)):
            return
        namespace = await self._namespace(attempt)
        spaces: Mapping[str, str] | None = namespace.metadata.labels if namespace else None
        for binding in sorted(every, key=lambda b: b.metadata.name):
            policy = await self._lookup.find(policies, "", binding.spec.policyName)
            if policy is None or not is_meant(policy.spec.matchConstraints, attempt, spaces):
                continue
            if is_meant(binding.spec.matchResources, attempt, spaces):
                async for found in self._with_values(policy, binding, attempt, namespace):
                    yield found

    async def _namespace(self, attempt: Attempt) -> Any:
        if attempt.kind is NAMESPACE:
            return attempt.obj if attempt.obj is not None else attempt.old
        if not attempt.kind.namespaced:
            return None
        return await self._lookup.find(NAMESPACE, "", attempt.namespace)

    async def _with_values(
        self, policy: Any, binding: Any, attempt: Attempt, namespace: Any
    ) -> AsyncIterator[Bound]:
        try:
            params = await self._params(policy.spec.paramKind, binding.spec.paramRef, attempt)
        except PolicyFault as fault:
            yield Bound(policy, binding, {}, str(fault))
            return
        for param in params:
            values = variables.of_attempt(attempt)
            values["params"] = param
            values["namespaceObject"] = variables.plain(NAMESPACE, namespace)
            values["variables"] = variables.Composed(policy.spec.variables, VARIABLES, values)
            try:
                if conditions_hold(policy.spec.matchConditions, VARIABLES, values):
                    yield Bound(policy, binding, values)
            except ConditionFailed as failed:
                yield Bound(policy, binding, values, f"match condition {failed}")

    async def _params(self, wanted: Any, ref: ParamRef | None, attempt: Attempt) -> list[Any]:
        """The objects with values; one None where the policy needs none."""
        if wanted is None:
            return [None]
        kind = self._find_kind(wanted.apiVersion, wanted.kind)
        if kind is None:
            raise PolicyFault(f"failed to find resource referenced by paramKind: '{wanted.kind}'")
        if ref is None:
            return [None]
        namespace = (ref.namespace or attempt.namespace) if kind.namespaced else ""
        if kind.namespaced and not namespace:
            raise PolicyFault("cannot use namespaced paramRef in policy of cluster-scoped objects")
        found = await self._chosen(kind, namespace, ref)
        if not found and ref.parameterNotFoundAction != "Allow":
            why = "no params found for policy binding with `Deny` parameterNotFoundAction"
            raise PolicyFault(why)
        return [variables.plain(kind, obj) for obj in found]

    async def _chosen(self, kind: Kind[Any], namespace: str, ref: ParamRef) -> list[Any]:
        if ref.name:
            found = await self._lookup.find(kind, namespace, ref.name)
            return [found] if found is not None else []
        chosen = labels.from_label_selector(ref.selector)
        every = await self._lookup.every(kind, namespace)
        return [obj for obj in every if chosen.matches(obj.metadata.labels)]
