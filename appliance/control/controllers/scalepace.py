"""How fast an autoscaler may go: what it wished for lately, and how much it has done lately. Pure.

A wish is only followed down when no higher one was made within the window, and only up when no
lower one was; then policies bound the change within a period. Source: kubernetes
`pkg/controller/podautoscaler/horizontal.go` (normalizeDesiredReplicasWithBehaviors).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from appliance.api.kinds.autoscaling.hpa_spec_v2 import (
    HorizontalPodAutoscalerSpec,
    HPAScalingPolicy,
    HPAScalingRules,
)

UP = HPAScalingRules(
    stabilizationWindowSeconds=0,
    selectPolicy="Max",
    policies=[
        HPAScalingPolicy(type="Pods", value=4, periodSeconds=15),
        HPAScalingPolicy(type="Percent", value=100, periodSeconds=15),
    ],
)
DOWN = HPAScalingRules(
    stabilizationWindowSeconds=300,
    selectPolicy="Max",
    policies=[HPAScalingPolicy(type="Percent", value=100, periodSeconds=15)],
)
"""What goes for those who said nothing, as the API documents it."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of a wish: the number, and the two conditions that say why."""

    replicas: int
    able: tuple[str, str]
    """Reason and message of AbleToScale."""
    limited: tuple[bool, str, str]
    """Status, reason and message of ScalingLimited."""


@dataclass(slots=True)
class Past:
    """What one autoscaler wished and did; forgotten with the process, as upstream forgets it."""

    wishes: list[tuple[float, int]] = field(default_factory=list)
    changes: list[tuple[float, int]] = field(default_factory=list)
    """When, and by how many: positive is up."""

    def forget_before(self, moment: float) -> None:
        """Drop what no window reaches."""
        self.wishes = [one for one in self.wishes if one[0] >= moment]
        self.changes = [one for one in self.changes if one[0] >= moment]


def rules(spec: HorizontalPodAutoscalerSpec) -> tuple[HPAScalingRules, HPAScalingRules]:
    """The rules up and down."""
    said = spec.behavior
    return (said and said.scaleUp) or UP, (said and said.scaleDown) or DOWN


def longest_s(spec: HorizontalPodAutoscalerSpec) -> float:
    """How far back anything is looked at."""
    spans = [
        span
        for one in rules(spec)
        for span in (one.stabilizationWindowSeconds or 0, *(p.periodSeconds for p in one.policies))
    ]
    return float(max(spans))


def pace(
    spec: HorizontalPodAutoscalerSpec, past: Past, *, current: int, wish: int, now: float
) -> Verdict:
    """Bound a wish."""
    if not past.wishes:
        past.wishes.append((now, current))
    past.forget_before(now - longest_s(spec))
    past.wishes.append((now, wish))
    steady, able = _steady(spec, past, current=current, wish=wish, now=now)
    if steady > current:
        replicas, limited = _up(spec, past, current=current, wish=steady, now=now)
    elif steady < current:
        replicas, limited = _down(spec, past, current=current, wish=steady, now=now)
    else:
        replicas, limited = steady, WITHIN
    return Verdict(replicas, able, limited)


WITHIN = (False, "DesiredWithinRange", "the desired count is within the acceptable range")
_TOO_MANY = (
    True,
    "TooManyReplicas",
    "the desired replica count is more than the maximum replica count",
)
_TOO_FEW = (
    True,
    "TooFewReplicas",
    "the desired replica count is less than the minimum replica count",
)


def _steady(
    spec: HorizontalPodAutoscalerSpec, past: Past, *, current: int, wish: int, now: float
) -> tuple[int, tuple[str, str]]:
    up, down = rules(spec)
    up_since = now - (up.stabilizationWindowSeconds or 0)
    down_since = now - (
        300 if down.stabilizationWindowSeconds is None else down.stabilizationWindowSeconds
    )
    lowest = min([wish, *(n for at, n in past.wishes if at > up_since)])
    highest = max([wish, *(n for at, n in past.wishes if at > down_since)])
    steady = min(max(current, lowest), highest)
    if steady == wish:
        return steady, ("ReadyForNewScale", "recommended size matches current size")
    if wish < steady:
        why = (
            "recent recommendations were higher than current one, "
            "applying the highest recent recommendation"
        )
        return steady, ("ScaleDownStabilized", why)
    why = (
        "recent recommendations were lower than current one, "
        "applying the lowest recent recommendation"
    )
    return steady, ("ScaleUpStabilized", why)


def _up(
    spec: HorizontalPodAutoscalerSpec, past: Past, *, current: int, wish: int, now: float
) -> tuple[int, tuple[bool, str, str]]:
    rule = rules(spec)[0]
    bounds = [_bound(policy, past, current, now=now, sign=1) for policy in rule.policies]
    bound = max(current, _selected(rule, bounds, current, most=True))
    ceiling = min(bound, spec.maxReplicas)
    if wish <= ceiling:
        return wish, WITHIN
    if bound < spec.maxReplicas:
        why = "the desired replica count is increasing faster than the maximum scale rate"
        return bound, (True, "ScaleUpLimit", why)
    return spec.maxReplicas, _TOO_MANY


def _down(
    spec: HorizontalPodAutoscalerSpec, past: Past, *, current: int, wish: int, now: float
) -> tuple[int, tuple[bool, str, str]]:
    rule = rules(spec)[1]
    least = 1 if spec.minReplicas is None else spec.minReplicas
    bounds = [_bound(policy, past, current, now=now, sign=-1) for policy in rule.policies]
    bound = min(current, _selected(rule, bounds, current, most=False))
    if wish >= max(bound, least):
        return wish, WITHIN
    if bound > least:
        why = "the desired replica count is decreasing faster than the maximum scale rate"
        return bound, (True, "ScaleDownLimit", why)
    return least, _TOO_FEW


def _selected(rule: HPAScalingRules, bounds: Sequence[int], current: int, *, most: bool) -> int:
    """The policy that counts; Max means the one that changes most."""
    if rule.selectPolicy == "Disabled" or not bounds:
        return current
    return max(bounds) if (rule.selectPolicy != "Min") == most else min(bounds)


def _bound(policy: HPAScalingPolicy, past: Past, current: int, *, now: float, sign: int) -> int:
    """How far one policy lets it go: from where it stood when the period began."""
    since = now - policy.periodSeconds
    start = current - sum(by for at, by in past.changes if at >= since)
    if policy.type == "Pods":
        return start + sign * policy.value
    share = start * (100 + sign * policy.value) / 100
    return math.ceil(share) if sign > 0 else int(share)
