"""Requests and limits. Called by the validation of containers and of pod specs."""

from collections.abc import Iterator, Mapping

from appliance.api import faults, names, quantity
from appliance.api.errors import Cause
from appliance.api.kinds import checks
from appliance.api.kinds.core.pod.container import ResourceRequirements

Amounts = Mapping[str, str | int | float]

CONTAINER_RESOURCES = ("cpu", "memory", "ephemeral-storage")
STANDARD_RESOURCES = (
    *CONTAINER_RESOURCES,
    *(f"{side}.{name}" for side in ("requests", "limits") for name in CONTAINER_RESOURCES),
    "pods",
    "resourcequotas",
    "services",
    "replicationcontrollers",
    "secrets",
    "configmaps",
    "persistentvolumeclaims",
    "storage",
    "requests.storage",
    "services.nodeports",
    "services.loadbalancers",
)
HUGE_PAGES = "hugepages-"


def resources(wanted: ResourceRequirements, path: str) -> Iterator[Cause]:
    """Check requests and limits of one container, or of a pod as a whole."""
    yield from _amounts(wanted.limits, f"{path}.limits")
    yield from _amounts(wanted.requests, f"{path}.requests")
    for name, amount in wanted.requests.items():
        yield from _request(name, amount, wanted.limits, path)
    every = {*wanted.limits, *wanted.requests}
    if any(n.startswith(HUGE_PAGES) for n in every) and not every & {"cpu", "memory"}:
        yield faults.forbidden(path, "HugePages require cpu or memory")
    seen: set[tuple[str, str]] = set()
    for index, claim in enumerate(wanted.claims):
        here = f"{path}.claims[{index}]"
        yield from checks.required(claim.name, f"{here}.name")
        if (claim.name, claim.request) in seen:
            yield faults.duplicate(here, claim.name)
        seen.add((claim.name, claim.request))


def _amounts(amounts: Amounts, path: str) -> Iterator[Cause]:
    for name, amount in amounts.items():
        here = f"{path}[{name}]"
        yield from _resource_name(name, here)
        yield from resource_amount(name, amount, here)


def _resource_name(name: str, path: str) -> Iterator[Cause]:
    yield from checks.named(names.qualified_name, name, path)
    plain = "/" not in name
    known = name in STANDARD_RESOURCES or name.startswith(HUGE_PAGES)
    if plain and not known:
        why = "must be a standard resource type or fully qualified"
        yield faults.wrong(path, name, why)
    if plain and name not in CONTAINER_RESOURCES and not name.startswith(HUGE_PAGES):
        yield faults.wrong(path, name, "must be a standard resource for containers")
    elif not is_native(name) and name.startswith("requests."):
        yield faults.wrong(path, name, "doesn't follow extended resource name standard")


def is_native(name: str) -> bool:
    """Whether the name is the system's own, not one that somebody advertises on a node."""
    return "/" not in name or "kubernetes.io/" in name


def resource_amount(name: str, amount: str | float, path: str) -> Iterator[Cause]:
    """Check an amount: none is negative, and those of others are whole."""
    exact = quantity.read(amount)
    if exact.value < 0:
        yield faults.wrong(path, str(exact), checks.NOT_NEGATIVE)
    if not is_native(name) and exact.value.denominator != 1:
        yield faults.wrong(path, str(exact), "must be an integer")


def _request(name: str, amount: str | float, limits: Amounts, path: str) -> Iterator[Cause]:
    # What cannot be shared by promising more than there is: huge pages, devices.
    may_overcommit = is_native(name) and not name.startswith(HUGE_PAGES)
    if name not in limits:
        if not may_overcommit:
            why = "Limit must be set for non overcommitable resources"
            yield faults.required(f"{path}.limits", why)
        return
    want, limit = quantity.read(amount), quantity.read(limits[name])
    here = f"{path}.requests"
    if not may_overcommit and want != limit:
        yield faults.wrong(here, str(want), f"must be equal to {name} limit of {limit}")
    elif want > limit:
        yield faults.wrong(
            here, str(want), f"must be less than or equal to {name} limit of {limit}"
        )
