"""The two steps of admission that policies are: first those that change, then those that say no.

Source: apiserver `pkg/admission/plugin/policy/{mutating,validating}`.
"""

from typing import Any, NamedTuple

import structlog

from appliance.api import apply_merge, codec, errors
from appliance.api.cel.values import CelError
from appliance.api.errors import Cause
from appliance.api.kinds.admissionregistration.policies import (
    MUTATING_ADMISSION_POLICY,
    MUTATING_ADMISSION_POLICY_BINDING,
    VALIDATING_ADMISSION_POLICY,
    VALIDATING_ADMISSION_POLICY_BINDING,
)
from appliance.api.kinds.admissionregistration.policy_rules import VARIABLES
from appliance.api.patch_json import json_patch
from appliance.control.access.policies.bound import Bound, FindKind, Policies
from appliance.control.access.policies.matching import program
from appliance.control.access.policies.results import Unusable, patches, to_json
from appliance.control.access.steps.base import Attempt
from appliance.control.registry.base import Lookup
from appliance.kit import jsonio

log = structlog.get_logger(__name__)

_CODES = {"Forbidden": 403, "Unauthorized": 401, "RequestEntityTooLarge": 413, "Invalid": 422}
_FAILURE_NOTE = "validation.policy.admission.k8s.io/validation_failure"


class ValidatingPolicies:
    """Policies that may say no."""

    def __init__(self, lookup: Lookup, find_kind: FindKind) -> None:
        self._policies = Policies(lookup, find_kind)

    async def admit(self, attempt: Attempt) -> None:
        """Ask all that are about a write."""
        kinds = VALIDATING_ADMISSION_POLICY, VALIDATING_ADMISSION_POLICY_BINDING
        notes: list[dict[str, Any]] = []
        async for bound in self._policies.bound(*kinds, attempt):
            for objection in _objections(bound):
                notes += _follow(bound, attempt, objection)
            _annotate(bound, attempt)
        if notes:
            attempt.call.notes[_FAILURE_NOTE] = jsonio.dumps(notes).decode()


class Objection(NamedTuple):
    """What does not hold."""

    why: str
    reason: str


def _objections(bound: Bound) -> list[Objection]:
    if bound.fault:
        return [] if bound.ignores else [Objection(bound.fault, "Invalid")]
    found: list[Objection] = []
    for rule in bound.policy.spec.validations:
        try:
            holds = program(rule.expression, VARIABLES).evaluate(bound.values)
        except CelError as error:
            if not bound.ignores:
                why = f"expression '{rule.expression}' resulted in error: {error}"
                found.append(Objection(why, "Invalid"))
            continue
        if holds is not True:
            found.append(Objection(_message(rule, bound), rule.reason or "Invalid"))
    return found


def _message(rule: Any, bound: Bound) -> str:
    if rule.messageExpression:
        try:
            text = program(rule.messageExpression, VARIABLES).evaluate(bound.values)
        except CelError as error:
            log.warning("a policy's message cannot be made", why=str(error))
            text = None
        if isinstance(text, str) and text.strip():
            return text.strip()
    return rule.message.strip() or f"failed expression: {rule.expression.strip()}"


def _follow(bound: Bound, attempt: Attempt, objection: Objection) -> list[dict[str, Any]]:
    """Do what the binding says: deny, warn, give what to write down."""
    why, reason = objection
    policy, binding = bound.policy.metadata.name, bound.binding.metadata.name
    named = f"ValidatingAdmissionPolicy '{policy}' with binding '{binding}'"
    actions = bound.binding.spec.validationActions
    if "Deny" in actions:
        text = f"{named} denied request: {why}"
        error = attempt.forbid(text, Cause("", why, ""))
        error.code, error.reason = _CODES.get(reason, 422), reason  # type: ignore[misc]  # its own
        raise error
    if "Warn" in actions:
        attempt.call.warnings.append(f"Validation failed for {named}: {why}")
    if "Audit" not in actions:
        return []
    fact = {"message": why, "policy": policy, "binding": binding}
    return [{**fact, "validationActions": list(actions)}]


def _annotate(bound: Bound, attempt: Attempt) -> None:
    if bound.fault:
        return
    for note in bound.policy.spec.auditAnnotations:
        try:
            text = program(note.valueExpression, VARIABLES).evaluate(bound.values)
        except CelError as error:
            log.warning("a policy's annotation cannot be made", key=note.key, why=str(error))
            continue
        if isinstance(text, str) and text:
            attempt.call.notes[f"{bound.policy.metadata.name}/{note.key}"] = text


class MutatingPolicies:
    """Policies that change what is written, one after the other."""

    def __init__(self, lookup: Lookup, find_kind: FindKind) -> None:
        self._policies = Policies(lookup, find_kind)

    async def admit(self, attempt: Attempt) -> None:
        """Let all that are about a write change it."""
        if attempt.obj is None:
            return
        kinds = MUTATING_ADMISSION_POLICY, MUTATING_ADMISSION_POLICY_BINDING
        async for bound in self._policies.bound(*kinds, attempt):
            try:
                _change_all(bound, attempt)
            except (CelError, Unusable, errors.ApiError) as error:
                if bound.ignores:
                    continue
                policy, binding = bound.policy.metadata.name, bound.binding.metadata.name
                raise attempt.forbid(
                    f"MutatingAdmissionPolicy '{policy}' with binding '{binding}'"
                    f" denied request: {error}"
                ) from error


def _change_all(bound: Bound, attempt: Attempt) -> None:
    if bound.fault:
        raise Unusable(bound.fault)
    for change in bound.policy.spec.mutations:
        # what earlier ones changed is seen by later ones
        now = {**codec.to_plain(attempt.obj), "kind": attempt.kind.kind}
        now["apiVersion"] = attempt.kind.api_version
        bound.values["object"] = now
        inside = change.applyConfiguration or change.jsonPatch
        made = program(inside.expression, VARIABLES).evaluate(bound.values)
        if change.applyConfiguration is not None:
            stated = to_json(made)
            if not isinstance(stated, dict):
                raise Unusable("applyConfiguration must give an Object")
            changed = apply_merge.merge(attempt.kind.type, now, stated)
        else:
            changed = json_patch(now, patches(made))
        attempt.become(changed)
