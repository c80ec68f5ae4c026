"""Which webhooks are asked about a write. Pure.

Source: apiserver `pkg/admission/plugin/webhook/{predicates,matchconditions}`.
"""

from collections.abc import Mapping
from typing import Any

from appliance.api import labels
from appliance.api.kinds.admissionregistration.webhook_parts import RuleWithOperations
from appliance.control.access.steps.base import Attempt

Labels = Mapping[str, str]
CONFIGURATIONS = frozenset({"MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"})
"""Nobody is asked about these, or a broken webhook could never be taken away."""


def is_asked(hook: Any, attempt: Attempt, namespace: Labels | None) -> bool:
    """Whether a webhook wants to know of a write; `namespace`: labels of the object's, if any."""
    if attempt.kind.kind in CONFIGURATIONS:
        return False
    return any(fits(rule, attempt) for rule in hook.rules) and chooses(hook, attempt, namespace)


def chooses(match: Any, attempt: Attempt, namespace: Labels | None) -> bool:
    """Whether selectors of namespaces and of objects fit."""
    spaces = labels.from_label_selector(match.namespaceSelector)
    if namespace is not None and not spaces.matches(namespace):
        return False
    chosen = labels.from_label_selector(match.objectSelector)
    states = [each for each in (attempt.obj, attempt.old) if each is not None]
    return any(chosen.matches(each.metadata.labels) for each in states)


def fits(rule: RuleWithOperations, attempt: Attempt) -> bool:
    """Whether a rule names the operation and the resource."""
    kind = attempt.kind
    scope = "Namespaced" if kind.namespaced else "Cluster"
    return (
        _has(rule.operations, attempt.verb.upper())
        and _has(rule.apiGroups, kind.group)
        and _has(rule.apiVersions, kind.version)
        and rule.scope in {None, "*", scope}
        and any(_is_resource(name, kind.plural, attempt.subresource) for name in rule.resources)
    )


def _has(allowed: list[str], value: str) -> bool:
    return "*" in allowed or value in allowed


def _is_resource(wanted: str, plural: str, subresource: str) -> bool:
    name, _, below = wanted.partition("/")
    if name not in {"*", plural}:
        return False
    return below in {"*", subresource} if below else not subresource
