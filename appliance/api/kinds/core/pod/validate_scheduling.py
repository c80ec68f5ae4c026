"""Where a pod may run: affinity, tolerations, spread, gates. Called by the validation of pods."""

from collections.abc import Iterator, Sequence

from appliance.api import faults, names
from appliance.api.errors import Cause
from appliance.api.kinds import checks
from appliance.api.kinds.core.pod.affinity import (
    Affinity,
    NodeAffinity,
    PodAffinity,
    PodAffinityTerm,
    PodAntiAffinity,
    Toleration,
    TopologySpreadConstraint,
)
from appliance.api.kinds.core.references import (
    NodeSelector,
    NodeSelectorRequirement,
    NodeSelectorTerm,
)
from appliance.api.validate_meta import label_key

TAINT_EFFECTS = ("NoSchedule", "PreferNoSchedule", "NoExecute")
REQUIRED_TERMS = "requiredDuringSchedulingIgnoredDuringExecution"
PREFERRED_TERMS = "preferredDuringSchedulingIgnoredDuringExecution"


def affinity(found: Affinity, path: str) -> Iterator[Cause]:
    """Check affinity to nodes and to other pods."""
    if found.nodeAffinity:
        yield from _nodes(found.nodeAffinity, f"{path}.nodeAffinity")
    if found.podAffinity:
        yield from _pods(found.podAffinity, f"{path}.podAffinity")
    if found.podAntiAffinity:
        yield from _pods(found.podAntiAffinity, f"{path}.podAntiAffinity")


def _nodes(found: NodeAffinity, path: str) -> Iterator[Cause]:
    needed = found.requiredDuringSchedulingIgnoredDuringExecution
    if needed:
        yield from node_selector(needed, f"{path}.{REQUIRED_TERMS}")
    for index, wish in enumerate(found.preferredDuringSchedulingIgnoredDuringExecution):
        here = f"{path}.{PREFERRED_TERMS}[{index}]"
        yield from _weight(wish.weight, here)
        yield from _term(wish.preference, f"{here}.preference")


def _weight(weight: int, path: str) -> Iterator[Cause]:
    if not 1 <= weight <= 100:
        yield faults.wrong(f"{path}.weight", weight, "must be in the range 1-100")


def node_selector(found: NodeSelector, path: str) -> Iterator[Cause]:
    """Check a selector of nodes."""
    here = f"{path}.nodeSelectorTerms"
    yield from checks.required(
        found.nodeSelectorTerms, here, "must have at least one node selector term"
    )
    for index, term in enumerate(found.nodeSelectorTerms):
        yield from _term(term, f"{here}[{index}]")


def _term(term: NodeSelectorTerm, path: str) -> Iterator[Cause]:
    for index, need in enumerate(term.matchExpressions):
        yield from _by_label(need, f"{path}.matchExpressions[{index}]")
    for index, need in enumerate(term.matchFields):
        yield from _by_field(need, f"{path}.matchFields[{index}]")


def _by_label(need: NodeSelectorRequirement, path: str) -> Iterator[Cause]:
    if need.operator in {"In", "NotIn"}:
        why = "must be specified when `operator` is 'In' or 'NotIn'"
        yield from checks.required(need.values, f"{path}.values", why)
    elif need.operator in {"Exists", "DoesNotExist"}:
        if need.values:
            why = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"
            yield faults.forbidden(f"{path}.values", why)
    elif need.operator in {"Gt", "Lt"}:
        if len(need.values) != 1:
            why = "must be specified single value when `operator` is 'Lt' or 'Gt'"
            yield faults.required(f"{path}.values", why)
    else:
        yield faults.wrong(f"{path}.operator", need.operator, "not a valid selector operator")
    yield from label_key(need.key, f"{path}.key")


def _by_field(need: NodeSelectorRequirement, path: str) -> Iterator[Cause]:
    if need.operator not in {"In", "NotIn"}:
        yield faults.wrong(f"{path}.operator", need.operator, "not a valid selector operator")
    elif len(need.values) != 1:
        why = "must be only one value when `operator` is 'In' or 'NotIn' for node field selector"
        yield faults.required(f"{path}.values", why)
    if need.key != "metadata.name":
        yield faults.wrong(f"{path}.key", need.key, "not a valid field selector key")
        return
    for index, value in enumerate(need.values):
        yield from checks.named(names.dns_subdomain, value, f"{path}.values[{index}]")


def _pods(found: PodAffinity | PodAntiAffinity, path: str) -> Iterator[Cause]:
    for index, term in enumerate(found.requiredDuringSchedulingIgnoredDuringExecution):
        yield from _pod_term(term, f"{path}.{REQUIRED_TERMS}[{index}]")
    for index, wish in enumerate(found.preferredDuringSchedulingIgnoredDuringExecution):
        here = f"{path}.{PREFERRED_TERMS}[{index}]"
        yield from _weight(wish.weight, here)
        yield from _pod_term(wish.podAffinityTerm, f"{here}.podAffinityTerm")


def _pod_term(term: PodAffinityTerm, path: str) -> Iterator[Cause]:
    yield from checks.selector(term.labelSelector, f"{path}.labelSelector")
    yield from checks.selector(term.namespaceSelector, f"{path}.namespaceSelector")
    for name in term.namespaces:
        yield from checks.named(names.dns_label, name, f"{path}.namespace")
    for field in ("matchLabelKeys", "mismatchLabelKeys"):
        for index, key in enumerate(getattr(term, field)):
            yield from label_key(key, f"{path}.{field}[{index}]")
    if term.topologyKey:
        yield from label_key(term.topologyKey, f"{path}.topologyKey")
    else:
        yield faults.required(f"{path}.topologyKey", "can not be empty")


def tolerations(found: Sequence[Toleration], path: str) -> Iterator[Cause]:
    """Check tolerations."""
    for index, each in enumerate(found):
        here = f"{path}[{index}]"
        if each.key:
            yield from label_key(each.key, f"{here}.key")
        elif each.operator != "Exists":
            why = (
                "operator must be Exists when `key` is empty,"
                ' which means "match all values and all keys"'
            )
            yield faults.wrong(f"{here}.operator", each.operator, why)
        if each.tolerationSeconds is not None and each.effect != "NoExecute":
            why = "effect must be 'NoExecute' when `tolerationSeconds` is set"
            yield faults.wrong(f"{here}.effect", each.effect, why)
        yield from _operator(each, f"{here}.operator")
        if each.effect and each.effect not in TAINT_EFFECTS:
            yield faults.unsupported(f"{here}.effect", each.effect, TAINT_EFFECTS)


def _operator(each: Toleration, path: str) -> Iterator[Cause]:
    if each.operator in {"Equal", ""}:
        yield from checks.named(names.label_value, each.value, path)
    elif each.operator == "Exists":
        if each.value:
            why = "value must be empty when `operator` is 'Exists'"
            yield faults.wrong(path, each.value, why)
    else:
        yield faults.unsupported(path, each.operator, ("Equal", "Exists"))


def spread(found: Sequence[TopologySpreadConstraint], path: str) -> Iterator[Cause]:
    """Check how pods are to be spread."""
    seen: set[tuple[str, str]] = set()
    for index, each in enumerate(found):
        here = f"{path}[{index}]"
        if each.maxSkew <= 0:
            yield faults.wrong(f"{here}.maxSkew", each.maxSkew, "must be greater than zero")
        yield from checks.required(each.topologyKey, f"{here}.topologyKey", "can not be empty")
        yield from checks.one_of(
            each.whenUnsatisfiable,
            ("DoNotSchedule", "ScheduleAnyway"),
            f"{here}.whenUnsatisfiable",
            "can not be empty",
        )
        if each.minDomains is not None and each.minDomains <= 0:
            yield faults.wrong(f"{here}.minDomains", each.minDomains, "must be greater than 0")
        for field in ("nodeAffinityPolicy", "nodeTaintsPolicy"):
            policy = getattr(each, field)
            if policy is not None and policy not in {"Honor", "Ignore"}:
                yield faults.unsupported(f"{here}.{field}", policy, ("Honor", "Ignore"))
        pair = (each.topologyKey, each.whenUnsatisfiable)
        if pair in seen:
            shown = "{" + ", ".join(pair) + "}"
            yield faults.duplicate(f"{here}.{{topologyKey, whenUnsatisfiable}}", shown)
        seen.add(pair)
        yield from checks.selector(each.labelSelector, f"{here}.labelSelector")
