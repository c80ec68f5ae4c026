"""What must hold for the spec of a job, as it stands in jobs and in cron jobs.

Called through the kinds of `batch`. Source: kubernetes `pkg/apis/batch/validation`.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from appliance.api import faults, names
from appliance.api.errors import Cause
from appliance.api.kinds import checks, workloads
from appliance.api.kinds.batch.job_indexes import IndexesError, count_indexes
from appliance.api.kinds.batch.job_spec import (
    JobSpec,
    PodFailurePolicy,
    PodFailurePolicyOnExitCodesRequirement,
    PodFailurePolicyRule,
    SuccessPolicy,
    SuccessPolicyRule,
)
from appliance.api.kinds.core.pod.affinity import Affinity
from appliance.api.kinds.core.pod.spec import PodTemplateSpec
from appliance.api.kinds.core.pod.validate import template as check_template

RULES_MAX = 20
CODES_MAX = 255
PARALLELISM_MAX = 100_000
COMPLETIONS_MAX = 100_000
"""Of indexed jobs that count failures by index and have a bound on failed indexes."""
ACTIONS = ("Count", "FailIndex", "FailJob", "Ignore")
_NUMBERS = (
    *("parallelism", "completions", "activeDeadlineSeconds", "backoffLimit"),
    *("ttlSecondsAfterFinished", "backoffLimitPerIndex", "maxFailedIndexes"),
)


def spec(found: JobSpec, path: str) -> Iterator[Cause]:
    """Check all but the selector, which cron jobs must not have."""
    for name in _NUMBERS:
        yield from checks.not_negative(getattr(found, name), f"{path}.{name}")
    if found.maxFailedIndexes is not None and found.backoffLimitPerIndex is None:
        why = "when maxFailedIndexes is specified"
        yield faults.required(f"{path}.backoffLimitPerIndex", why)
    if found.managedBy is not None:
        yield from _manager(found.managedBy, f"{path}.managedBy")
    yield from _mode(found, path)
    if found.podFailurePolicy:
        yield from _failures(found, found.podFailurePolicy, f"{path}.podFailurePolicy")
    yield from _successes(found, f"{path}.successPolicy")
    yield from _replacement(found, f"{path}.podReplacementPolicy")
    yield from check_template(found.template, f"{path}.template")
    yield from _restart(found, f"{path}.template.spec.restartPolicy")


def selected(found: JobSpec, path: str) -> Iterator[Cause]:
    """Check the selector of a job."""
    if found.selector is None:
        yield faults.required(f"{path}.selector")
    yield from checks.selector(found.selector, f"{path}.selector")
    if workloads.selects(found.selector, found.template) is False:
        here = f"{path}.template.metadata.labels"
        yield faults.wrong(here, workloads.shown_labels(found.template), workloads.MISMATCH)


def _manager(name: str, path: str) -> Iterator[Cause]:
    host, slash, rest = name.partition("/")
    if not slash or not host or not rest:
        why = 'must be a domain-prefixed path (such as "acme.io/foo")'
        yield faults.wrong(path, name, why)
    else:
        yield from checks.named(names.dns_subdomain, host, path)
    if len(name) > 63:
        yield faults.too_long(path, 63)


def _mode(found: JobSpec, path: str) -> Iterator[Cause]:
    mode = found.completionMode
    if mode is None:
        return
    if mode not in {"NonIndexed", "Indexed"}:
        yield faults.unsupported(f"{path}.completionMode", mode, ("NonIndexed", "Indexed"))
    if mode == "Indexed":
        if found.completions is None:
            yield faults.required(f"{path}.completions", "when completion mode is Indexed")
        if found.parallelism is not None and found.parallelism > PARALLELISM_MAX:
            why = f"must be less than or equal to {PARALLELISM_MAX} when completion mode is Indexed"
            yield faults.wrong(f"{path}.parallelism", found.parallelism, why)
        most = found.completions
        if most is not None and (found.maxFailedIndexes or 0) > most:
            why = "must be less than or equal to completions"
            yield faults.wrong(f"{path}.maxFailedIndexes", found.maxFailedIndexes, why)
    elif found.backoffLimitPerIndex is not None:
        why = "requires indexed completion mode"
        yield faults.wrong(f"{path}.backoffLimitPerIndex", found.backoffLimitPerIndex, why)


def _replacement(found: JobSpec, path: str) -> Iterator[Cause]:
    policy = found.podReplacementPolicy
    if policy is None:
        return
    allowed = ("Failed",) if found.podFailurePolicy else ("Failed", "TerminatingOrFailed")
    if policy not in allowed:
        yield faults.unsupported(path, policy, allowed)


def _restart(found: JobSpec, path: str) -> Iterator[Cause]:
    policy = found.template.spec.restartPolicy
    if policy in {"", "Always"}:
        yield faults.required(path, 'valid values: "OnFailure", "Never"')
    elif policy not in {"OnFailure", "Never"}:
        yield faults.unsupported(path, policy, ("OnFailure", "Never"))
    if found.podFailurePolicy and policy != "Never":
        why = 'only "Never" is supported when podFailurePolicy is specified'
        yield faults.wrong(path, policy, why)


def _failures(found: JobSpec, policy: PodFailurePolicy, path: str) -> Iterator[Cause]:
    here = f"{path}.rules"
    if len(policy.rules) > RULES_MAX:
        yield faults.too_many(here, len(policy.rules), RULES_MAX)
    inside = found.template.spec
    known = {c.name for c in (*inside.containers, *inside.initContainers)}
    for index, rule in enumerate(policy.rules):
        yield from _rule(found, rule, known, f"{here}[{index}]")


def _rule(
    found: JobSpec, rule: PodFailurePolicyRule, known: set[str], path: str
) -> Iterator[Cause]:
    if not rule.action:
        listed = ", ".join(f'"{action}"' for action in ACTIONS)
        yield faults.required(f"{path}.action", f"valid values: [{listed}]")
    elif rule.action == "FailIndex" and found.backoffLimitPerIndex is None:
        why = "requires the backoffLimitPerIndex to be set"
        yield faults.wrong(f"{path}.action", rule.action, why)
    elif rule.action not in ACTIONS:
        yield faults.unsupported(f"{path}.action", rule.action, ACTIONS)
    if rule.onExitCodes:
        yield from _exit_codes(rule.onExitCodes, known, f"{path}.onExitCodes")
    yield from _conditions(rule, f"{path}.onPodConditions")
    if rule.onExitCodes and rule.onPodConditions:
        why = "specifying both OnExitCodes and OnPodConditions is not supported"
        yield faults.wrong(path, workloads.shown(rule), why)
    elif not rule.onExitCodes and not rule.onPodConditions:
        why = "specifying one of OnExitCodes and OnPodConditions is required"
        yield faults.wrong(path, workloads.shown(rule), why)


def _conditions(rule: PodFailurePolicyRule, path: str) -> Iterator[Cause]:
    if len(rule.onPodConditions) > RULES_MAX:
        yield faults.too_many(path, len(rule.onPodConditions), RULES_MAX)
    for index, wanted in enumerate(rule.onPodConditions):
        here = f"{path}[{index}]"
        yield from checks.named(names.qualified_name, wanted.type, f"{here}.type")
        yield from checks.one_of(wanted.status, ("False", "True", "Unknown"), f"{here}.status")


def _exit_codes(
    wanted: PodFailurePolicyOnExitCodesRequirement, known: set[str], path: str
) -> Iterator[Cause]:
    yield from checks.one_of(
        wanted.operator, ("In", "NotIn"), f"{path}.operator", 'valid values: ["In" "NotIn"]'
    )
    if wanted.containerName is not None and wanted.containerName not in known:
        why = "must be one of the container or initContainer names in the pod template"
        yield faults.wrong(f"{path}.containerName", wanted.containerName, why)
    here = f"{path}.values"
    if not wanted.values:
        yield faults.wrong(here, wanted.values, "at least one value is required")
    elif len(wanted.values) > CODES_MAX:
        yield faults.too_many(here, len(wanted.values), CODES_MAX)
    seen: set[int] = set()
    for index, code in enumerate(wanted.values):
        if wanted.operator == "In" and code == 0:
            yield faults.wrong(f"{here}[{index}]", code, "must not be 0 for the In operator")
        if code in seen:
            yield faults.duplicate(f"{here}[{index}]", code)
        seen.add(code)
    if wanted.values != sorted(wanted.values):
        yield faults.wrong(here, wanted.values, "must be ordered")


def _successes(found: JobSpec, path: str) -> Iterator[Cause]:
    policy = found.successPolicy
    if policy is None:
        return
    if found.completionMode != "Indexed":
        yield faults.wrong(path, workloads.shown(policy), "requires indexed completion mode")
        return
    yield from _success_rules(policy, found.completions, f"{path}.rules")


def _success_rules(policy: SuccessPolicy, completions: int | None, path: str) -> Iterator[Cause]:
    if not policy.rules:
        why = "at least one rules must be specified when the successPolicy is specified"
        yield faults.required(path, why)
    if len(policy.rules) > RULES_MAX:
        yield faults.too_many(path, len(policy.rules), RULES_MAX)
    for index, rule in enumerate(policy.rules):
        yield from _success_rule(rule, completions, f"{path}[{index}]")


def _success_rule(rule: SuccessPolicyRule, completions: int | None, path: str) -> Iterator[Cause]:
    if rule.succeededCount is None and rule.succeededIndexes is None:
        why = "at least one of succeededCount or succeededIndexes must be specified"
        yield faults.required(path, why)
    listed: int | None = None
    if rule.succeededIndexes is not None:
        try:
            listed = count_indexes(rule.succeededIndexes, completions or 0)
        except IndexesError as error:
            why = f"error parsing succeededIndexes: {error}"
            yield faults.wrong(f"{path}.succeededIndexes", rule.succeededIndexes, why)
    count, here = rule.succeededCount, f"{path}.succeededCount"
    if count is None:
        return
    yield from checks.not_negative(count, here)
    if completions is not None and count > completions:
        why = f"must be less than or equal to {completions} (the number of specified completions)"
        yield faults.wrong(here, count, why)
    if listed is not None and count > listed:
        why = (
            f"must be less than or equal to {listed} (the number of indexes in the specified"
            " succeededIndexes field)"
        )
        yield faults.wrong(here, count, why)


def fixed(new: JobSpec, old: JobSpec, path: str, *, is_movable: bool) -> Iterator[Cause]:
    """Refuse changes of what cannot change; `is_movable`: where pods go may still change."""
    yield from _completions(new, old, f"{path}.completions")
    yield from checks.same(new.selector, old.selector, f"{path}.selector")
    before = _moved(new.template, old.template) if is_movable else old.template
    if new.template != before:
        shown = workloads.shown_template(new.template)
        yield faults.wrong(f"{path}.template", shown, "field is immutable")
    names_: Sequence[str] = ("completionMode", "backoffLimitPerIndex", "managedBy")
    for name in names_:
        yield from checks.same(getattr(new, name), getattr(old, name), f"{path}.{name}")
    for name in ("podFailurePolicy", "successPolicy"):
        after, earlier = getattr(new, name), getattr(old, name)
        if after != earlier:
            inner: Any = workloads.shown(after) if after else None
            yield faults.wrong(f"{path}.{name}", inner, "field is immutable")


def _completions(new: JobSpec, old: JobSpec, path: str) -> Iterator[Cause]:
    if new.completionMode != "Indexed":
        yield from checks.same(new.completions, old.completions, path)
    elif new.completions not in {old.completions, None, new.parallelism}:
        why = "can only be modified in tandem with spec.parallelism"
        yield faults.wrong(path, new.completions, why)


def _moved(new: PodTemplateSpec, old: PodTemplateSpec) -> PodTemplateSpec:
    """The old template with the new one's choice of nodes."""
    affinity, wanted = old.spec.affinity, new.spec.affinity
    if affinity or wanted:
        nodes = wanted.nodeAffinity if wanted else None
        affinity = msgspec.structs.replace(affinity or Affinity(), nodeAffinity=nodes)
        if wanted is None and affinity == Affinity():
            affinity = None
    meta = msgspec.structs.replace(
        old.metadata, labels=new.metadata.labels, annotations=new.metadata.annotations
    )
    inside = msgspec.structs.replace(
        old.spec,
        affinity=affinity,
        nodeSelector=new.spec.nodeSelector,
        tolerations=new.spec.tolerations,
        schedulingGates=new.spec.schedulingGates,
    )
    return msgspec.structs.replace(old, metadata=meta, spec=inside)
