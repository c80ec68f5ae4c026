"""LimitRange: what containers get that say nothing, and what nobody may go beyond.

Source: kubernetes `plugin/pkg/admission/limitranger`, whose messages these are.
"""

from collections.abc import Iterator, Mapping
from fractions import Fraction

from appliance.api import podamounts
from appliance.api.kinds.core.limitrange import LIMIT_RANGE, LimitRange, LimitRangeItem
from appliance.api.kinds.core.persistentvolumeclaim import (
    PERSISTENT_VOLUME_CLAIM,
    PersistentVolumeClaim,
)
from appliance.api.kinds.core.pod.container import Container
from appliance.api.kinds.core.pod.kind import POD, Pod
from appliance.api.podamounts import Amounts
from appliance.api.quantity import Amount
from appliance.control.access.steps.base import Attempt
from appliance.control.registry.base import Lookup

NOTE = "kubernetes.io/limit-ranger"
"""Annotation that says what was filled in."""
_POD, _CONTAINER, _CLAIM = "Pod", "Container", "PersistentVolumeClaim"


class LimitRanges:
    """Fills in and checks."""

    def __init__(self, lookup: Lookup) -> None:
        self._lookup = lookup

    async def admit(self, attempt: Attempt) -> None:
        """See the module."""
        if attempt.subresource or attempt.obj is None:
            return
        is_new_pod = attempt.kind is POD and attempt.verb == "create"
        if not is_new_pod and attempt.kind is not PERSISTENT_VOLUME_CLAIM:
            return
        ranges = await self._lookup.every(LIMIT_RANGE, attempt.namespace)
        if is_new_pod:
            for found in ranges:
                fill_in(attempt.obj, found)
        faults = [
            fault
            for found in ranges
            for item in found.spec.limits or ()
            for fault in (
                _pod_faults(attempt.obj, item) if is_new_pod else _claim_faults(attempt.obj, item)
            )
        ]
        unique = list(dict.fromkeys(faults))
        if unique:
            raise attempt.forbid(unique[0] if len(unique) == 1 else f"[{', '.join(unique)}]")


def fill_in(pod: Pod, limits: LimitRange) -> None:
    """Give containers what they do not say."""
    items = [item for item in limits.spec.limits or () if item.type == _CONTAINER]
    default = {k: v for item in items for k, v in item.default.items()}
    request = {k: v for item in items for k, v in item.defaultRequest.items()}
    notes: list[str] = []
    for what, containers in (
        ("container", pod.spec.containers or ()),
        ("init container", pod.spec.initContainers),
    ):
        for container in containers:
            notes += _fill_in_one(container, default, request, what)
    if notes:
        text = "LimitRanger plugin set: " + "; ".join(notes)
        pod.metadata.annotations = {**pod.metadata.annotations, NOTE: text}


def _fill_in_one(
    container: Container,
    default: Mapping[str, str | float],
    request: Mapping[str, str | float],
    what: str,
) -> Iterator[str]:
    resources = container.resources
    missing = {k: v for k, v in request.items() if k not in resources.requests}
    if missing:
        resources.requests = {**resources.requests, **missing}
        yield f"{', '.join(sorted(missing))} request for {what} {container.name}"
    missing = {k: v for k, v in default.items() if k not in resources.limits}
    if missing:
        resources.limits = {**resources.limits, **missing}
        yield f"{', '.join(sorted(missing))} limit for {what} {container.name}"


def _pod_faults(pod: Pod, item: LimitRangeItem) -> Iterator[str]:
    if item.type == _CONTAINER:
        for container in (*(pod.spec.containers or ()), *pod.spec.initContainers):
            resources = container.resources
            asked = podamounts.read(resources.requests)
            yield from _faults(item, asked, podamounts.read(resources.limits))
    elif item.type == _POD:
        yield from _faults(item, podamounts.requests(pod.spec), podamounts.limits(pod.spec))


def _claim_faults(claim: PersistentVolumeClaim, item: LimitRangeItem) -> Iterator[str]:
    if item.type != _CLAIM:
        return
    asked = podamounts.read(claim.spec.resources.requests)
    for least in podamounts.read(item.min).items():
        yield from _too_little(item.type, least, asked=asked, most={})
    for name, bound in podamounts.read(item.max).items():
        text = f"maximum {name} usage per {item.type} is {bound}"
        if name not in asked:
            yield f"{text}.  No request is specified"
        elif asked[name] > bound:
            yield f"{text}, but request is {asked[name]}"


def _faults(item: LimitRangeItem, asked: Amounts, most: Amounts) -> Iterator[str]:
    for least in podamounts.read(item.min).items():
        yield from _too_little(item.type, least, asked=asked, most=most)
    for name, bound in podamounts.read(item.max).items():
        text = f"maximum {name} usage per {item.type} is {bound}"
        if name not in most:
            yield f"{text}.  No limit is specified"
        elif most[name] > bound:
            yield f"{text}, but limit is {most[name]}"
        elif name in asked and asked[name] > bound:
            yield f"{text}, but request is {asked[name]}"
    for name, bound in podamounts.read(item.maxLimitRequestRatio).items():
        text = f"{name} max limit to request ratio per {item.type} is {bound}"
        if name not in asked or not asked[name].value:
            yield f"{text}, but no request is specified or request is 0"
        elif name not in most or not most[name].value:
            yield f"{text}, but no limit is specified or limit is 0"
        elif (ratio := Fraction(most[name].value, asked[name].value)) > bound.value:
            yield f"{text}, but provided ratio is {float(ratio):.6f}"


def _too_little(
    kind: str, bound: tuple[str, Amount], *, asked: Amounts, most: Amounts
) -> Iterator[str]:
    name, least = bound
    text = f"minimum {name} usage per {kind} is {least}"
    if name not in asked:
        yield f"{text}.  No request is specified"
    elif asked[name] < least:
        yield f"{text}, but request is {asked[name]}"
    elif name in most and most[name] < least:
        yield f"{text}, but limit is {most[name]}"
