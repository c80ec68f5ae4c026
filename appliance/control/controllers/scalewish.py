"""Between the words of an autoscaler's spec and status and the numbers of `scalemetrics`. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from appliance.api import quantity
from appliance.api.kinds.autoscaling.hpa_metrics_v2 import (
    ContainerResourceMetricSource,
    ContainerResourceMetricStatus,
    MetricSpec,
    MetricStatus,
    MetricValueStatus,
    ResourceMetricSource,
    ResourceMetricStatus,
)
from appliance.api.kinds.autoscaling.hpa_spec_v2 import HorizontalPodAutoscalerSpec
from appliance.api.quantity import Amount
from appliance.control.controllers import scalepace
from appliance.control.controllers.scalemetrics import TOLERANCE, Aim, Proposal, Unmeasured

_STEADY = 0.1
"""A measurement within this share of the one that was written last is not written."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What the metrics ask for, and the words for it."""

    replicas: int
    metric: str
    """The metric that asked for most."""
    seen: list[MetricStatus]


def aim_of(spec: HorizontalPodAutoscalerSpec, metric: MetricSpec) -> Aim:
    """What one metric aims at.

    Raises:
        Unmeasured: it comes from a source that this cluster does not have.
    """
    source = _source(metric)
    if source is None:
        raise Unmeasured(f"{metric.type} metrics need an adapter, and there is none")
    average = source.target.averageValue
    up, down = scalepace.rules(spec)
    return Aim(
        resource=source.name,
        container=getattr(source, "container", ""),
        share=source.target.averageUtilization,
        average=None if average is None else float(quantity.read(average).value),
        tolerance_up=_tolerance(up.tolerance),
        tolerance_down=_tolerance(down.tolerance),
    )


def _tolerance(said: str | float | None) -> float:
    return TOLERANCE if said is None else float(quantity.read(said).value)


def _source(metric: MetricSpec) -> ResourceMetricSource | ContainerResourceMetricSource | None:
    return metric.resource or metric.containerResource


def name_of(aim: Aim) -> str:
    """What events call a metric."""
    thing = f"{aim.resource} container resource" if aim.container else f"{aim.resource} resource"
    if aim.share is None:
        return thing
    return f"{thing} utilization (percentage of request)"


def fault_of(metric: MetricSpec, error: Unmeasured) -> tuple[str, str]:
    """Reason and message for a metric that cannot be had."""
    source = _source(metric)
    if source is None:
        return f"FailedGet{metric.type}Metric", str(error)
    what = f"{source.name} utilization" if source.target.averageUtilization else source.name
    return (
        f"FailedGet{metric.type}Metric",
        f"failed to get {what}: unable to get metrics for resource {source.name}: {error}",
    )


def seen_of(metric: MetricSpec, asked: Proposal | None) -> MetricStatus:
    """What is told of a metric, None where it could not be had."""
    source = _source(metric)
    if source is None or asked is None:
        return MetricStatus()
    average = _shown(source.name, asked.average)
    current = MetricValueStatus(averageValue=average, averageUtilization=asked.share)
    if isinstance(source, ContainerResourceMetricSource):
        container = ContainerResourceMetricStatus(
            name=source.name, current=current, container=source.container
        )
        return MetricStatus(type=metric.type, containerResource=container)
    resource = ResourceMetricStatus(name=source.name, current=current)
    return MetricStatus(type=metric.type, resource=resource)


def _shown(resource: str, average: float) -> str:
    """Millicores, or bytes."""
    if resource == "cpu":
        return str(Amount(Fraction(round(average * 1000), 1000)))
    return str(Amount(Fraction(round(average))))


def steady(old: Sequence[MetricStatus] | None, new: Sequence[MetricStatus] | None) -> bool:
    """Whether measurements are near enough to those told before: telling them costs a write."""
    if old is None or new is None:
        return old == new
    pairs = list(zip(old, new, strict=False))
    return len(old) == len(new) and all(one == two or _near(one, two) for one, two in pairs)


def _near(old: MetricStatus, new: MetricStatus) -> bool:
    before, after = _current(old), _current(new)
    if before is None or after is None or old.type != new.type:
        return False
    if before.averageValue is None or after.averageValue is None:
        return False
    one = float(quantity.read(before.averageValue).value)
    two = float(quantity.read(after.averageValue).value)
    return abs(one - two) <= _STEADY * max(one, two)


def _current(status: MetricStatus) -> MetricValueStatus | None:
    found = status.resource or status.containerResource
    return found.current if found else None
