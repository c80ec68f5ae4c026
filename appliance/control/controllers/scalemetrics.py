"""How many replicas a measured resource asks for. Pure.

Pods that cannot be judged do not drive the number: those that are starting count as idle when it
would grow, those without a measurement count as being on the mark when it would shrink and as
idle when it would grow. Source: kubernetes `pkg/controller/podautoscaler/replica_calculator.go`.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

from appliance.api import quantity
from appliance.api.kinds.core.pod.container import Container
from appliance.api.kinds.core.pod.kind import Pod
from appliance.api.objects import condition
from appliance.kit.clock import parse_rfc3339

TOLERANCE = 0.1
"""How far off the mark nothing happens yet."""
STARTING_S = 300.0
"""CPU burnt within this time of a pod's start says nothing, unless it is ready."""
FIRST_READY_S = 30.0
"""A pod that was never ready after its first so many seconds has not started."""


class Unmeasured(Exception):
    """There is no number to be had; the message says why, in upstream's words."""


@dataclass(frozen=True, slots=True)
class PodUse:
    """What a pod used: by container, then by resource, in cores or bytes.

    `at` is the end of the measurement (seconds since 1970), which took `window_s`.
    """

    at: float
    window_s: float
    containers: Mapping[str, Mapping[str, float]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Aim:
    """What is aimed at: `share` per cent of the request, or `average` (cores, bytes) per pod."""

    resource: str
    container: str = ""
    """One container of each pod; empty is all."""
    share: int | None = None
    average: float | None = None
    tolerance_up: float = TOLERANCE
    tolerance_down: float = TOLERANCE


@dataclass(frozen=True, slots=True)
class Proposal:
    """`replicas` are asked for, as `share` per cent, or `average` per pod, was measured."""

    replicas: int
    average: float
    share: int | None


@dataclass(slots=True)
class _Groups:
    measured: dict[str, float]
    """Use of the pods that count, by name."""
    starting: list[str]
    missing: list[str]


def propose(
    pods: Sequence[Pod], uses: Mapping[str, PodUse], aim: Aim, *, current: int, now: float
) -> Proposal:
    """Reckon the replicas for these pods; `uses` is by uid.

    Raises:
        Unmeasured: no pod was measured, or one asks for none of the resource.
    """
    if not pods:
        raise Unmeasured("no pods returned by selector while calculating replica count")
    live = [pod for pod in pods if pod.metadata.deletionTimestamp is None]
    live = [pod for pod in live if pod.status.phase != "Failed"]
    groups = _grouped(live, uses, aim, now)
    marks = {pod.metadata.name: _mark(pod, aim) for pod in live}
    if not groups.measured:
        raise Unmeasured("did not receive metrics for targeted pods (pods might be unready)")
    ratio = _ratio(groups.measured, marks)
    total = sum(groups.measured.values())
    share = None
    if aim.share is not None:
        asked = sum(marks[name] for name in groups.measured) / aim.share * 100
        share = int(total * 100 / asked)
    replicas = _replicas(groups, marks, aim, ratio=ratio, current=current)
    return Proposal(replicas, total / len(groups.measured), share)


def _replicas(
    groups: _Groups, marks: Mapping[str, float], aim: Aim, *, ratio: float, current: int
) -> int:
    grows = ratio > 1
    if not groups.missing and not (groups.starting and grows):
        if _near(ratio, aim):
            return current
        return math.ceil(ratio * len(groups.measured))
    filled = dict(groups.measured)
    filled |= {name: 0.0 if grows else _full(marks[name], aim) for name in groups.missing}
    if grows:
        filled |= dict.fromkeys(groups.starting, 0.0)
    again = _ratio(filled, marks)
    if _near(again, aim) or (ratio < 1 < again) or (again < 1 < ratio):
        return current
    replicas = math.ceil(again * len(filled))
    if (again < 1 and replicas > current) or (again > 1 and replicas < current):
        return current
    return replicas


def _full(mark: float, aim: Aim) -> float:
    """The use of a pod nobody measured: its whole request at least."""
    return mark if aim.share is None else mark * max(100, aim.share) / aim.share


def _near(ratio: float, aim: Aim) -> bool:
    return 1 - aim.tolerance_down <= ratio <= 1 + aim.tolerance_up


def _ratio(used: Mapping[str, float], marks: Mapping[str, float]) -> float:
    mark = sum(marks[name] for name in used)
    if mark <= 0:
        raise Unmeasured("the pods request nothing of it")
    return sum(used.values()) / mark


def _grouped(pods: Iterable[Pod], uses: Mapping[str, PodUse], aim: Aim, now: float) -> _Groups:
    groups = _Groups({}, [], [])
    for pod in pods:
        name, use = pod.metadata.name, uses.get(pod.metadata.uid)
        if pod.status.phase == "Pending":
            groups.starting.append(name)
            continue
        amount = None if use is None else _amount(pod, use, aim)
        if use is None or amount is None:
            groups.missing.append(name)
        elif aim.resource == "cpu" and _is_starting(pod, use, now):
            groups.starting.append(name)
        else:
            groups.measured[name] = amount
    return groups


def _amount(pod: Pod, use: PodUse, aim: Aim) -> float | None:
    """The pod's use, None unless every container that counts was measured."""
    total = 0.0
    for container in _counted(pod, aim):
        measured = use.containers.get(container.name, {}).get(aim.resource)
        if measured is None:
            return None
        total += measured
    return total


def _counted(pod: Pod, aim: Aim) -> list[Container]:
    beside = (c for c in pod.spec.initContainers if c.restartPolicy == "Always")
    every = chain(pod.spec.containers or (), beside)
    return [one for one in every if aim.container in {"", one.name}]


def _is_starting(pod: Pod, use: PodUse, now: float) -> bool:
    ready = condition(pod.status.conditions, "Ready")
    if ready is None or not pod.status.startTime:
        return True
    started = parse_rfc3339(pod.status.startTime)
    changed = parse_rfc3339(ready.lastTransitionTime) if ready.lastTransitionTime else started
    if started + STARTING_S > now:
        # Of a pod that became ready within the window, part of the use was its start.
        return ready.status == "False" or use.at < changed + use.window_s
    return ready.status == "False" and started + FIRST_READY_S > changed


def _mark(pod: Pod, aim: Aim) -> float:
    """What this pod would use if it were on the mark."""
    if aim.share is None:
        return aim.average or 0.0
    total = 0.0
    for container in _counted(pod, aim):
        asked = container.resources.requests.get(aim.resource)
        if asked is None:
            raise Unmeasured(
                f"missing request for {aim.resource} in container {container.name} "
                f"of Pod {pod.metadata.name}"
            )
        total += float(quantity.read(asked).value)
    return total * aim.share / 100
