"""What policies and bindings get where nothing is said, and what must hold for them.

Source: kubernetes `pkg/apis/admissionregistration/{v1,validation}`.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from appliance.api import faults
from appliance.api.cel.program import compile_expression
from appliance.api.cel.syntax import CelSyntaxError
from appliance.api.errors import Cause
from appliance.api.kinds import checks
from appliance.api.kinds.admissionregistration.policy_parts import MatchResources, ParamRef
from appliance.api.meta import LabelSelector

VARIABLES = frozenset({"object", "oldObject", "request", "namespaceObject", "params", "variables"})
"""What expressions of policies may name."""
CONDITION_VARIABLES = frozenset({"object", "oldObject", "request"})
"""What conditions of webhooks may name."""
ACTIONS = ("Audit", "Deny", "Warn")
REASONS = ("Forbidden", "Invalid", "RequestEntityTooLarge", "Unauthorized")
PATCHES = ("ApplyConfiguration", "JSONPatch")


def set_policy_defaults(obj: Any) -> None:
    """Default a policy."""
    spec = obj.spec
    spec.failurePolicy = spec.failurePolicy or "Fail"
    if spec.matchConstraints is not None:
        _default_matching(spec.matchConstraints)


def set_mutating_defaults(obj: Any) -> None:
    """Default a policy that changes things."""
    set_policy_defaults(obj)
    obj.spec.reinvocationPolicy = obj.spec.reinvocationPolicy or "Never"


def set_binding_defaults(obj: Any) -> None:
    """Default a binding."""
    if obj.spec.matchResources is not None:
        _default_matching(obj.spec.matchResources)
    ref = obj.spec.paramRef
    if ref is not None and ref.parameterNotFoundAction is None:
        ref.parameterNotFoundAction = "Deny"


def _default_matching(found: MatchResources) -> None:
    found.matchPolicy = found.matchPolicy or "Equivalent"
    if found.namespaceSelector is None:
        found.namespaceSelector = LabelSelector()
    if found.objectSelector is None:
        found.objectSelector = LabelSelector()
    for rule in (*found.resourceRules, *found.excludeResourceRules):
        rule.scope = rule.scope or "*"


def validate_validating(obj: Any) -> list[Cause]:
    """Give every fault of a policy that says no."""
    spec = obj.spec
    found = [*_policy(spec)]
    if not spec.validations and not spec.auditAnnotations:
        why = "validations or auditAnnotations must contain at least one item"
        found.append(faults.required("spec.validations", why))
    for index, rule in enumerate(spec.validations):
        path = f"spec.validations[{index}]"
        found += expression(rule.expression, f"{path}.expression")
        if rule.messageExpression:
            found += expression(rule.messageExpression, f"{path}.messageExpression")
        if rule.reason is not None:
            found += checks.one_of(rule.reason, REASONS, f"{path}.reason")
    for index, note in enumerate(spec.auditAnnotations):
        path = f"spec.auditAnnotations[{index}]"
        found += checks.required(note.key, f"{path}.key")
        found += expression(note.valueExpression, f"{path}.valueExpression")
    return found


def validate_mutating(obj: Any) -> list[Cause]:
    """Give every fault of a policy that changes things."""
    spec = obj.spec
    found = [*_policy(spec)]
    if not spec.mutations:
        found.append(faults.required("spec.mutations"))
    for index, change in enumerate(spec.mutations):
        path = f"spec.mutations[{index}]"
        found += checks.one_of(change.patchType, PATCHES, f"{path}.patchType")
        for name, inside in (
            ("applyConfiguration", change.applyConfiguration),
            ("jsonPatch", change.jsonPatch),
        ):
            if inside is not None:
                found += expression(inside.expression, f"{path}.{name}.expression")
            elif change.patchType.lower() == name.lower():
                found.append(faults.required(f"{path}.{name}"))
    return found


def _policy(spec: Any) -> Iterator[Cause]:
    yield from checks.one_of(spec.failurePolicy or "", ("Fail", "Ignore"), "spec.failurePolicy")
    if spec.matchConstraints is None or not spec.matchConstraints.resourceRules:
        yield faults.required("spec.matchConstraints.resourceRules")
    else:
        yield from _matching(spec.matchConstraints, "spec.matchConstraints")
    if spec.paramKind is not None:
        yield from checks.required(spec.paramKind.apiVersion, "spec.paramKind.apiVersion")
        yield from checks.required(spec.paramKind.kind, "spec.paramKind.kind")
    for index, variable in enumerate(spec.variables):
        path = f"spec.variables[{index}]"
        if not variable.name.isidentifier():
            why = "name is not a valid CEL identifier"
            yield faults.wrong(f"{path}.name", variable.name, why)
        yield from expression(variable.expression, f"{path}.expression")
    yield from conditions(spec.matchConditions, "spec.matchConditions", VARIABLES)


def validate_validating_binding(obj: Any) -> list[Cause]:
    """Give every fault of a binding of a policy that says no."""
    found = validate_binding(obj)
    actions = obj.spec.validationActions
    if not actions:
        found.append(faults.required("spec.validationActions"))
    for index, action in enumerate(actions):
        found += checks.one_of(action, ACTIONS, f"spec.validationActions[{index}]")
    if {"Deny", "Warn"} <= set(actions):
        why = "must not contain both Deny and Warn (repeating the same validation failure)"
        found.append(faults.wrong("spec.validationActions", actions, why))
    return found


def validate_binding(obj: Any) -> list[Cause]:
    """Give every fault of a binding."""
    spec = obj.spec
    found = [*checks.required(spec.policyName, "spec.policyName")]
    if spec.matchResources is not None:
        found += _matching(spec.matchResources, "spec.matchResources")
    if spec.paramRef is not None:
        found += _param_ref(spec.paramRef)
    return found


def _param_ref(ref: ParamRef) -> Iterator[Cause]:
    if bool(ref.name) == (ref.selector is not None):
        why = "exactly one of name or selector must be specified"
        yield faults.required("spec.paramRef", why)
    yield from checks.one_of(
        ref.parameterNotFoundAction or "",
        ("Allow", "Deny"),
        "spec.paramRef.parameterNotFoundAction",
    )


def _matching(found: MatchResources, path: str) -> Iterator[Cause]:
    yield from checks.selector(found.namespaceSelector, f"{path}.namespaceSelector")
    yield from checks.selector(found.objectSelector, f"{path}.objectSelector")
    for name, listed in (
        ("resourceRules", found.resourceRules),
        ("excludeResourceRules", found.excludeResourceRules),
    ):
        for index, rule in enumerate(listed):
            for word in ("operations", "apiGroups", "apiVersions", "resources"):
                yield from checks.required(getattr(rule, word), f"{path}.{name}[{index}].{word}")


def conditions(found: Sequence[Any], path: str, names: frozenset[str]) -> Iterator[Cause]:
    """Check conditions of being asked."""
    seen: set[str] = set()
    for index, condition in enumerate(found):
        here = f"{path}[{index}]"
        yield from checks.required(condition.name, f"{here}.name")
        if condition.name in seen:
            yield faults.duplicate(f"{here}.name", condition.name)
        seen.add(condition.name)
        yield from expression(condition.expression, f"{here}.expression", names)


def expression(text: str, path: str, names: frozenset[str] = VARIABLES) -> Iterator[Cause]:
    """Check an expression."""
    if not text.strip():
        yield faults.required(path)
        return
    try:
        compile_expression(text, names)
    except CelSyntaxError as error:
        yield faults.wrong(path, text, f"compilation failed: {error}")
