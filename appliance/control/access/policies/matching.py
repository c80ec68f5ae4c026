"""Which writes policies, bindings and conditions are about. Pure.

Source: apiserver `pkg/admission/plugin/policy/matching`.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from appliance.api.cel.program import Program, compile_expression
from appliance.api.cel.values import CelError
from appliance.api.kinds.admissionregistration.policies import (
    MUTATING_ADMISSION_POLICY,
    MUTATING_ADMISSION_POLICY_BINDING,
    VALIDATING_ADMISSION_POLICY,
    VALIDATING_ADMISSION_POLICY_BINDING,
)
from appliance.api.kinds.admissionregistration.policy_parts import (
    MatchResources,
    NamedRuleWithOperations,
)
from appliance.control.access.steps.base import Attempt
from appliance.control.access.webhooks.matching import CONFIGURATIONS, chooses, fits

_OWN = frozenset(
    kind.kind
    for kind in (
        VALIDATING_ADMISSION_POLICY,
        VALIDATING_ADMISSION_POLICY_BINDING,
        MUTATING_ADMISSION_POLICY,
        MUTATING_ADMISSION_POLICY_BINDING,
    )
)


def may_match(attempt: Attempt) -> bool:
    """Policies are not asked about policies, or a broken one could never be taken away."""
    return attempt.kind.kind not in _OWN | CONFIGURATIONS


def is_meant(
    match: MatchResources | None, attempt: Attempt, namespace: Mapping[str, str] | None
) -> bool:
    """Whether a write is among these; None means every one."""
    if match is None:
        return True
    if match.resourceRules and not any(_names(rule, attempt) for rule in match.resourceRules):
        return False
    if any(_names(rule, attempt) for rule in match.excludeResourceRules):
        return False
    return chooses(match, attempt, namespace)


def _names(rule: NamedRuleWithOperations, attempt: Attempt) -> bool:
    named = not rule.resourceNames or attempt.name in rule.resourceNames
    return named and fits(rule, attempt)


class ConditionFailed(Exception):
    """A condition could not be worked out."""


def conditions_hold(
    conditions: Iterable[Any], names: frozenset[str], variables: Mapping[str, Any]
) -> bool:
    """Whether all conditions hold; one that does not counts for more than one that fails.

    Raises:
        ConditionFailed: one cannot be worked out, and no other one decides.
    """
    failed = ""
    for condition in conditions:
        try:
            if program(condition.expression, names).evaluate(variables) is not True:
                return False
        except CelError as error:
            failed = failed or f"{condition.name}: {error}"
    if failed:
        raise ConditionFailed(failed)
    return True


_PROGRAMS: dict[tuple[str, frozenset[str]], Program] = {}
_KEPT = 2048


def program(text: str, names: frozenset[str]) -> Program:
    """A compiled expression; the last ones are kept."""
    key = (text, names)
    found = _PROGRAMS.get(key)
    if found is None:
        if len(_PROGRAMS) >= _KEPT:
            _PROGRAMS.clear()
        found = _PROGRAMS[key] = compile_expression(text, names)
    return found
