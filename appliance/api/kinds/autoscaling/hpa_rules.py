"""What an autoscaler gets where the user said nothing, what must hold, and its row in a table.

Called through both versions of the kind. Source: kubernetes `pkg/apis/autoscaling`.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from appliance.api import faults, names, quantity
from appliance.api.errors import Cause
from appliance.api.kinds import checks
from appliance.api.kinds.autoscaling.hpa_metrics_v2 import (
    CrossVersionObjectReference,
    MetricIdentifier,
    MetricSpec,
    MetricStatus,
    MetricTarget,
    ResourceMetricSource,
)
from appliance.api.kinds.autoscaling.hpa_spec_v2 import (
    HorizontalPodAutoscaler,
    HPAScalingPolicy,
    HPAScalingRules,
)
from appliance.api.kinds.cells import NONE, age

CPU_TARGET = 80
METRICS = {
    "ContainerResource": "containerResource",
    "External": "external",
    "Object": "object",
    "Pods": "pods",
    "Resource": "resource",
}
TARGETS = ("Utilization", "Value", "AverageValue")
SELECT = ("Disabled", "Max", "Min")
POLICIES = ("Percent", "Pods")
WINDOW_MAX_S = 3600
PERIOD_MAX_S = 1800
_SHOWN = 2
_UNKNOWN = "<unknown>"


def set_defaults(obj: HorizontalPodAutoscaler) -> None:
    """Default an autoscaler: one pod at least, 80 % of the CPU that pods ask for."""
    spec = obj.spec
    if spec.minReplicas is None:
        spec.minReplicas = 1
    if not spec.metrics:
        target = MetricTarget(type="Utilization", averageUtilization=CPU_TARGET)
        spec.metrics = [
            MetricSpec(type="Resource", resource=ResourceMetricSource(name="cpu", target=target))
        ]
    if spec.behavior is None:
        return
    up = spec.behavior.scaleUp = spec.behavior.scaleUp or HPAScalingRules()
    down = spec.behavior.scaleDown = spec.behavior.scaleDown or HPAScalingRules()
    if up.stabilizationWindowSeconds is None:
        up.stabilizationWindowSeconds = 0
    up.policies = up.policies or [_policy("Pods", 4), _policy("Percent", 100)]
    down.policies = down.policies or [_policy("Percent", 100)]
    for found in (up, down):
        found.selectPolicy = found.selectPolicy or "Max"


def _policy(kind: str, value: int) -> HPAScalingPolicy:
    return HPAScalingPolicy(type=kind, value=value, periodSeconds=15)


def cells(obj: HorizontalPodAutoscaler, now: float) -> list[Any]:
    """Give the row of `kubectl get hpa`."""
    target, least = obj.spec.scaleTargetRef, obj.spec.minReplicas
    return [
        obj.metadata.name,
        f"{target.kind}/{target.name}",
        _metrics(obj.spec.metrics, obj.status.currentMetrics or ()),
        "<unset>" if least is None else str(least),
        obj.spec.maxReplicas,
        obj.status.currentReplicas,
        age(obj, now),
    ]


def _metrics(specs: Sequence[MetricSpec], seen: Sequence[MetricStatus]) -> str:
    if not specs:
        return NONE
    texts = [
        _metric(spec, seen[index] if index < len(seen) else MetricStatus())
        for index, spec in enumerate(specs)
    ]
    shown = ", ".join(texts[:_SHOWN])
    return shown if len(texts) <= _SHOWN else f"{shown} + {len(texts) - _SHOWN} more..."


def _metric(spec: MetricSpec, seen: MetricStatus) -> str:
    field = METRICS.get(spec.type, "")
    source, status = getattr(spec, field, None), getattr(seen, field, None)
    if source is None:
        return "<unknown type>"
    target, current = source.target, status.current if status else None
    if spec.type in {"Resource", "ContainerResource"}:
        if target.averageValue is not None:
            value = current.averageValue if current else None
            return f"{source.name}: {_UNKNOWN if value is None else value}/{target.averageValue}"
        share = current.averageUtilization if current else None
        wanted = target.averageUtilization
        return (
            f"{source.name}: {_UNKNOWN if share is None else f'{share}%'}/"
            f"{'<auto>' if wanted is None else f'{wanted}%'}"
        )
    if target.averageValue is not None:
        value = current.averageValue if current else None
        text = f"{_UNKNOWN if value is None else value}/{target.averageValue}"
        return text if spec.type == "Pods" else f"{text} (avg)"
    value = current.value if current else None
    return f"{_UNKNOWN if value is None else value}/{target.value}"


def validate(obj: HorizontalPodAutoscaler) -> list[Cause]:
    """Give every fault of an autoscaler."""
    spec = obj.spec
    found: list[Cause] = []
    least = spec.minReplicas
    if least is not None and least < 1:
        why = "must be greater than or equal to 1"
        found.append(faults.wrong("spec.minReplicas", least, why))
    if spec.maxReplicas < 1:
        found.append(faults.required("spec.maxReplicas", "must be set and greater than 0"))
    if least is not None and spec.maxReplicas < least:
        why = "must be greater than or equal to `minReplicas`"
        found.append(faults.wrong("spec.maxReplicas", spec.maxReplicas, why))
    found += _reference(spec.scaleTargetRef, "spec.scaleTargetRef", needs_group=True)
    for index, metric in enumerate(spec.metrics):
        found += _validate_metric(metric, f"spec.metrics[{index}]")
    if spec.behavior:
        for name in ("scaleUp", "scaleDown"):
            found += _rules(getattr(spec.behavior, name), f"spec.behavior.{name}")
    return found


def _reference(
    found: CrossVersionObjectReference, path: str, *, needs_group: bool = False
) -> Iterator[Cause]:
    for name in ("kind", "name"):
        value = getattr(found, name)
        if not value:
            yield faults.required(f"{path}.{name}")
        else:
            yield from checks.named(names.path_segment, value, f"{path}.{name}")
    if needs_group and not found.apiVersion:
        why = "apiVersion must specify API group"
        yield faults.wrong(f"{path}.apiVersion", found.apiVersion, why)


def _validate_metric(metric: MetricSpec, path: str) -> Iterator[Cause]:
    if not metric.type:
        yield faults.required(f"{path}.type", "must specify a metric source type")
        return
    if metric.type not in METRICS:
        unknown = faults.unsupported(f"{path}.type", metric.type, tuple(METRICS))
        yield from (unknown, unknown)  # upstream asks twice
        return
    field = METRICS[metric.type]
    for other in METRICS.values():
        if other != field and getattr(metric, other) is not None:
            why = "must populate the given metric source only"
            yield faults.forbidden(f"{path}.{other}", why)
    source, here = getattr(metric, field), f"{path}.{field}"
    if source is None:
        yield faults.required(here, "must populate information for the given metric source")
        return
    yield from _source(metric.type, source, here)


def _source(kind: str, source: Any, path: str) -> Iterator[Cause]:
    if kind in {"Resource", "ContainerResource"}:
        yield from checks.required(source.name, f"{path}.name", "must specify a resource name")
        if kind == "ContainerResource":
            yield from checks.required(
                source.container, f"{path}.container", "must specify a container"
            )
        yield from _target(source.target, f"{path}.target", of_pods=True)
        return
    if kind == "Object":
        yield from _reference(source.describedObject, f"{path}.describedObject")
    yield from _identifier(source.metric, f"{path}.metric")
    yield from _target(source.target, f"{path}.target")
    target = source.target
    if kind == "Pods":
        if target.averageValue is None or quantity.read(target.averageValue).value <= 0:
            why = "must specify a positive target averageValue"
            yield faults.required(f"{path}.target.averageValue", why)
    elif target.value is None and target.averageValue is None:
        why = "must set either a target value or averageValue"
        yield faults.required(f"{path}.target.averageValue", why)


def _identifier(found: MetricIdentifier, path: str) -> Iterator[Cause]:
    if not found.name:
        yield faults.required(f"{path}.name", "must specify a metric name")
    else:
        yield from checks.named(names.path_segment, found.name, f"{path}.name")
    yield from checks.selector(found.selector, f"{path}.selector")


def _target(found: MetricTarget, path: str, *, of_pods: bool = False) -> Iterator[Cause]:
    if not found.type:
        yield faults.required(f"{path}.type", "must specify a metric target type")
    elif found.type not in TARGETS:
        why = "must be either Utilization, Value, or AverageValue"
        yield faults.wrong(f"{path}.type", found.type, why)
    for name in ("value", "averageValue"):
        amount = getattr(found, name)
        if amount is not None and quantity.read(amount).value <= 0:
            yield faults.wrong(f"{path}.{name}", str(amount), "must be positive")
    share = found.averageUtilization
    if share is not None and share < 1:
        yield faults.wrong(f"{path}.averageUtilization", share, "must be greater than 0")
    if of_pods and share is None and found.averageValue is None:
        why = "must set either a target raw value or a target utilization"
        yield faults.required(f"{path}.averageUtilization", why)
    if of_pods and share is not None and found.averageValue is not None:
        why = "may not set both a target raw value and a target utilization"
        yield faults.forbidden(f"{path}.averageValue", why)


def _rules(found: HPAScalingRules | None, path: str) -> Iterator[Cause]:
    if found is None:
        return
    window, here = found.stabilizationWindowSeconds, f"{path}.stabilizationWindowSeconds"
    if window is not None and window < 0:
        yield faults.wrong(here, window, "must be greater than or equal to zero")
    if window is not None and window > WINDOW_MAX_S:
        yield faults.wrong(here, window, f"must be less than or equal to {WINDOW_MAX_S}")
    if found.selectPolicy is not None and found.selectPolicy not in SELECT:
        yield faults.unsupported(f"{path}.selectPolicy", found.selectPolicy, SELECT)
    if not found.policies:
        yield faults.required(f"{path}.policies", "must specify at least one Policy")
    for index, policy in enumerate(found.policies):
        yield from _scaling_policy(policy, f"{path}.policies[{index}]")


def _scaling_policy(found: HPAScalingPolicy, path: str) -> Iterator[Cause]:
    if found.type not in POLICIES:
        yield faults.unsupported(f"{path}.type", found.type, POLICIES)
    if found.value <= 0:
        yield faults.wrong(f"{path}.value", found.value, "must be greater than zero")
    if found.periodSeconds <= 0:
        yield faults.wrong(
            f"{path}.periodSeconds", found.periodSeconds, "must be greater than zero"
        )
    if found.periodSeconds > PERIOD_MAX_S:
        why = f"must be less than or equal to {PERIOD_MAX_S}"
        yield faults.wrong(f"{path}.periodSeconds", found.periodSeconds, why)


def validate_update(new: HorizontalPodAutoscaler, _old: HorizontalPodAutoscaler) -> list[Cause]:
    """Give every fault of a changed autoscaler."""
    return validate(new)


def validate_status(new: HorizontalPodAutoscaler, _old: HorizontalPodAutoscaler) -> list[Cause]:
    """Give every fault of a new status."""
    return [
        *checks.not_negative(new.status.currentReplicas, "status.currentReplicas"),
        *checks.not_negative(new.status.desiredReplicas, "status.desiredReplicas"),
    ]
