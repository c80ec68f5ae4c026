"""ResourceQuota: bounds what all objects of a namespace may use together."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any

from appliance.api import faults, names, quantity
from appliance.api.errors import Cause
from appliance.api.kind import Column, Kind, Subresource
from appliance.api.kinds import checks
from appliance.api.kinds.cells import age
from appliance.api.kinds.core.pod.validate_resources import HUGE_PAGES, STANDARD_RESOURCES
from appliance.api.meta import KubeObject
from appliance.api.schema import F, Message, Quantity, always


class ScopedResourceSelectorRequirement(Message):
    """One test of a scope selector."""

    scopeName: Annotated[str, F(1, "Name of the scope.", required=True)] = always(str)
    operator: Annotated[str, F(2, "In, NotIn, Exists or DoesNotExist.", required=True)] = always(
        str
    )
    values: Annotated[list[str], F(3, "Values for In and NotIn.", list_type="atomic")] = []


class ScopeSelector(Message):
    """Which things a quota counts."""

    matchExpressions: Annotated[
        list[ScopedResourceSelectorRequirement],
        F(1, "Tests that must all hold.", list_type="atomic"),
    ] = []


class ResourceQuotaSpec(Message):
    """The bounds of a quota."""

    hard: Annotated[dict[str, Quantity], F(1, "The most, by resource.")] = {}
    scopes: Annotated[
        list[str], F(2, "Only things that all of these fit are counted.", list_type="atomic")
    ] = []
    scopeSelector: Annotated[ScopeSelector | None, F(3, "The same with operators.")] = None


class ResourceQuotaStatus(Message):
    """What a quota bounds and what is used."""

    hard: Annotated[dict[str, Quantity], F(1, "The bounds that are enforced.")] = {}
    used: Annotated[dict[str, Quantity], F(2, "What is used now.")] = {}


class ResourceQuota(KubeObject):
    """Bounds what all objects of a namespace may use together."""

    spec: Annotated[ResourceQuotaSpec, F(2, "What is wanted.")] = always(ResourceQuotaSpec)
    status: Annotated[ResourceQuotaStatus, F(3, "What was seen last.")] = always(
        ResourceQuotaStatus
    )


_COUNTED = (
    *("pods", "resourcequotas", "services", "replicationcontrollers", "secrets", "configmaps"),
    *("persistentvolumeclaims", "services.nodeports", "services.loadbalancers"),
)
_SIZES = ("cpu", "memory", "ephemeral-storage")
QUOTA_RESOURCES = frozenset({
    *_COUNTED,
    *_SIZES,
    "requests.storage",
    *(f"{side}.{name}" for side in ("requests", "limits") for name in _SIZES),
})  # fmt: skip
SCOPES = frozenset({
    *("Terminating", "NotTerminating", "BestEffort", "NotBestEffort", "PriorityClass"),
    *("CrossNamespacePodAffinity", "VolumeAttributesClass"),
})  # fmt: skip
_PAIRS = ({"BestEffort", "NotBestEffort"}, {"Terminating", "NotTerminating"})
_WITHOUT_VALUES = SCOPES - {"PriorityClass", "VolumeAttributesClass"}


def _cells(obj: ResourceQuota, now: float) -> list[Any]:
    shown = {
        name: f"{name}: {obj.status.used.get(name, '0')}/{most}"
        for name, most in sorted(obj.status.hard.items())
    }
    limits = [text for name, text in shown.items() if name.startswith("limits.")]
    requests = [text for name, text in shown.items() if not name.startswith("limits.")]
    return [obj.metadata.name, ", ".join(requests), ", ".join(limits), age(obj, now)]


def _prepare_create(obj: ResourceQuota) -> None:
    obj.status = ResourceQuotaStatus()


def _validate(obj: ResourceQuota) -> list[Cause]:
    spec = obj.spec
    found = list(_amounts(spec.hard, "spec.hard"))
    if not SCOPES.issuperset(spec.scopes):
        found.append(faults.wrong("spec.scopes", spec.scopes, "unsupported scope"))
    if any(pair <= set(spec.scopes) for pair in _PAIRS):
        found.append(faults.wrong("spec.scopes", spec.scopes, "conflicting scopes"))
    return [*found, *_selector(spec, "spec.scopeSelector.matchExpressions")]


def _amounts(amounts: Mapping[str, Any], path: str) -> Iterator[Cause]:
    for name, amount in amounts.items():
        here = f"{path}[{name}]"
        yield from _name(name, here)
        exact = quantity.read(amount)
        if exact.value < 0:
            yield faults.wrong(here, str(exact), checks.NOT_NEGATIVE)
        counted = name in _COUNTED or "/" in name
        if counted and exact.value.denominator != 1:
            yield faults.wrong(here, str(exact), "must be an integer")


def _name(name: str, path: str) -> Iterator[Cause]:
    yield from checks.named(names.qualified_name, name, path)
    if "/" in name:
        return
    pages = name.removeprefix("requests.").startswith(HUGE_PAGES)
    if name not in STANDARD_RESOURCES and not pages:
        yield faults.wrong(path, name, "must be a standard resource type or fully qualified")
    if name not in QUOTA_RESOURCES and not pages:
        yield faults.wrong(path, name, "must be a standard resource for quota")


def _selector(spec: ResourceQuotaSpec, path: str) -> Iterator[Cause]:
    for index, need in enumerate(spec.scopeSelector.matchExpressions if spec.scopeSelector else ()):
        here = f"{path}[{index}]"
        if need.scopeName not in SCOPES:
            yield faults.wrong(f"{path}.scopeName", need.scopeName, "unsupported scope")
        yield from _operator(need, here)


def _operator(need: ScopedResourceSelectorRequirement, path: str) -> Iterator[Cause]:
    if need.scopeName in _WITHOUT_VALUES and need.operator != "Exists":
        why = "must be 'Exist' when scope is any of ResourceQuotaScopeTerminating,"
        rest = " ResourceQuotaScopeNotTerminating, ResourceQuotaScopeBestEffort,"
        end = " ResourceQuotaScopeNotBestEffort or ResourceQuotaScopeCrossNamespacePodAffinity"
        yield faults.wrong(f"{path}.operator", need.operator, why + rest + end)
    if need.operator in {"In", "NotIn"}:
        if not need.values:
            why = "must be at least one value when `operator` is 'In' or 'NotIn' for scope selector"
            yield faults.required(f"{path}.values", why)
    elif need.operator in {"Exists", "DoesNotExist"}:
        if need.values:
            why = (
                "must be no value when `operator` is 'Exists' or 'DoesNotExist' for scope selector"
            )
            yield faults.wrong(f"{path}.values", need.values, why)
    else:
        yield faults.wrong(f"{path}.operator", need.operator, "not a valid selector operator")


def _validate_update(new: ResourceQuota, old: ResourceQuota) -> list[Cause]:
    found = _validate(new)
    if set(new.spec.scopes) != set(old.spec.scopes):
        found.append(faults.wrong("spec.scopes", new.spec.scopes, "field is immutable"))
    return found


def _validate_status(new: ResourceQuota, _old: ResourceQuota) -> list[Cause]:
    status = new.status
    return [*_amounts(status.hard, "status.hard"), *_amounts(status.used, "status.used")]


RESOURCE_QUOTA = Kind(
    group="",
    version="v1",
    kind="ResourceQuota",
    plural="resourcequotas",
    singular="resourcequota",
    namespaced=True,
    type=ResourceQuota,
    short_names=("quota",),
    subresources=(
        Subresource(name="status", verbs=("get", "patch", "update"), kind="ResourceQuota"),
    ),
    columns=(
        Column("Name", format="name"),
        Column("Request"),
        Column("Limit"),
        Column("Age"),
    ),
    cells=_cells,
    prepare_create=_prepare_create,
    validate=_validate,
    validate_update=_validate_update,
    validate_status=_validate_status,
    has_generation=False,
)
