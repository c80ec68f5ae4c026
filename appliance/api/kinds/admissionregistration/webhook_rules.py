"""What a webhook gets where its configuration says nothing, and what must hold for it.

Called through both kinds of configuration.
Source: kubernetes `pkg/apis/admissionregistration/validation`.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from appliance.api import faults, names
from appliance.api.errors import Cause
from appliance.api.kinds import checks
from appliance.api.kinds.admissionregistration.policy_rules import (
    CONDITION_VARIABLES,
    conditions,
)
from appliance.api.kinds.admissionregistration.webhook_parts import (
    RuleWithOperations,
    ServiceReference,
    WebhookClientConfig,
)
from appliance.api.meta import LabelSelector

OPERATIONS = ("*", "CONNECT", "CREATE", "DELETE", "UPDATE")
SCOPES = ("*", "Cluster", "Namespaced")
VERSIONS = ("v1",)
_TIMEOUT_S = 10
_TIMEOUT_MAX_S = 30


def set_webhook_defaults(hook: Any) -> None:
    """Default one webhook."""
    hook.failurePolicy = hook.failurePolicy or "Fail"
    hook.matchPolicy = hook.matchPolicy or "Equivalent"
    if hook.namespaceSelector is None:
        hook.namespaceSelector = LabelSelector()
    if hook.objectSelector is None:
        hook.objectSelector = LabelSelector()
    if hook.timeoutSeconds is None:
        hook.timeoutSeconds = _TIMEOUT_S
    for rule in hook.rules:
        rule.scope = rule.scope or "*"
    service = hook.clientConfig.service
    if service and service.port is None:
        service.port = 443


def validate_webhooks(hooks: Sequence[Any]) -> list[Cause]:
    """Give every fault of the webhooks of a configuration."""
    found: list[Cause] = []
    seen: set[str] = set()
    for index, hook in enumerate(hooks):
        path = f"webhooks[{index}]"
        if hook.name in seen:
            found.append(faults.duplicate(f"{path}.name", hook.name))
        seen.add(hook.name)
        found += _webhook(hook, path)
    return found


def _webhook(hook: Any, path: str) -> Iterator[Cause]:
    yield from checks.named(names.dns_subdomain, hook.name, f"{path}.name")
    if hook.name.count(".") < 2:
        why = "should be a domain with at least three segments separated by dots"
        yield faults.wrong(f"{path}.name", hook.name, why)
    for index, rule in enumerate(hook.rules):
        yield from _rule(rule, f"{path}.rules[{index}]")
    for name, allowed in (
        ("failurePolicy", ("Fail", "Ignore")),
        ("matchPolicy", ("Equivalent", "Exact")),
        ("sideEffects", ("None", "NoneOnDryRun")),
    ):
        value = getattr(hook, name)
        if value is None:
            if name == "sideEffects":
                listed = 'must specify one of "None", "NoneOnDryRun"'
                yield faults.required(f"{path}.{name}", listed)
        elif value not in allowed:
            yield faults.unsupported(f"{path}.{name}", value, allowed)
    yield from checks.between(hook.timeoutSeconds, 1, _TIMEOUT_MAX_S, f"{path}.timeoutSeconds")
    yield from checks.selector(hook.namespaceSelector, f"{path}.namespaceSelector")
    yield from checks.selector(hook.objectSelector, f"{path}.objectSelector")
    yield from _client(hook.clientConfig, f"{path}.clientConfig")
    yield from _versions(hook.admissionReviewVersions, f"{path}.admissionReviewVersions")
    yield from conditions(hook.matchConditions, f"{path}.matchConditions", CONDITION_VARIABLES)


def _rule(rule: RuleWithOperations, path: str) -> Iterator[Cause]:
    for name in ("operations", "apiGroups", "apiVersions", "resources"):
        values = getattr(rule, name)
        if not values:
            yield faults.required(f"{path}.{name}")
        if name != "resources" and "*" in values and len(values) > 1:
            why = "if '*' is present, must not specify other values"
            yield faults.wrong(f"{path}.{name}", values, why)
    for index, operation in enumerate(rule.operations):
        if operation not in OPERATIONS:
            yield faults.unsupported(f"{path}.operations[{index}]", operation, OPERATIONS)
    if rule.scope is not None and rule.scope not in SCOPES:
        yield faults.unsupported(f"{path}.scope", rule.scope, SCOPES)


def _client(found: WebhookClientConfig, path: str) -> Iterator[Cause]:
    if (found.url is None) == (found.service is None):
        yield faults.required(path, "exactly one of url or service is required")
    elif found.url is not None and not found.url.startswith("https://"):
        why = "'https' is the only allowed URL scheme; desired format: https://host[/path]"
        yield faults.wrong(f"{path}.url", found.url, why)
    elif found.service is not None:
        yield from _service(found.service, f"{path}.service")


def _service(found: ServiceReference, path: str) -> Iterator[Cause]:
    yield from checks.required(found.name, f"{path}.name", "service name is required")
    yield from checks.required(
        found.namespace, f"{path}.namespace", "service namespace is required"
    )
    if found.port is not None:
        yield from checks.port(found.port, f"{path}.port")
    if found.path is not None:
        yield from checks.absolute(found.path, f"{path}.path")


def _versions(found: Sequence[str], path: str) -> Iterator[Cause]:
    if not found:
        why = f"must specify one of {', '.join(VERSIONS)}"
        yield faults.required(path, why)
    elif not set(found) & set(VERSIONS):
        why = f"must include at least one of {', '.join(VERSIONS)}"
        yield faults.wrong(path, list(found), why)
