"""HorizontalPodAutoscaler, version v1: sets the number of pods by their use of CPU.

Another view of the stored v2: what v1 has no field for stands in annotations, so that nothing is
lost when somebody reads v1 and writes it back. Source: kubernetes
`pkg/apis/autoscaling/v1/conversion.go` (there the annotations hold v1's own form of metrics; here
the v2 form, because only the server reads them).
"""

from typing import Annotated, Any

import msgspec

from appliance.api.errors import Cause
from appliance.api.kind import Kind, StoredAs, Subresource
from appliance.api.kinds.autoscaling import hpa_metrics_v2 as metrics
from appliance.api.kinds.autoscaling import hpa_rules as rules
from appliance.api.kinds.autoscaling import hpa_spec_v2 as v2
from appliance.api.kinds.autoscaling.horizontalpodautoscaler_v2 import (
    COLUMNS,
    HORIZONTAL_POD_AUTOSCALER_V2,
)
from appliance.api.meta import KubeObject
from appliance.api.schema import F, Int32, Int64, Message, Time, always


class CrossVersionObjectReference(Message):
    """Names an object of any kind in the namespace."""

    kind: Annotated[str, F(1, "Its kind.", required=True)] = always(str)
    name: Annotated[str, F(2, "Its name.", required=True)] = always(str)
    apiVersion: Annotated[str, F(3, "Its API version.")] = ""


class HorizontalPodAutoscalerSpec(Message):
    """What is wanted of an autoscaler."""

    scaleTargetRef: Annotated[
        CrossVersionObjectReference, F(1, "What is scaled.", required=True)
    ] = always(CrossVersionObjectReference)
    minReplicas: Annotated[Int32 | None, F(2, "The least number of pods; 1 unless said.")] = None
    maxReplicas: Annotated[Int32, F(3, "The greatest number of pods.", required=True)] = always(int)
    targetCPUUtilizationPercentage: Annotated[
        Int32 | None, F(4, "Wanted use of CPU in per cent of the requests.")
    ] = None


class HorizontalPodAutoscalerStatus(Message):
    """What an autoscaler did last."""

    observedGeneration: Annotated[
        Int64 | None, F(1, "Generation of the spec that this is about.")
    ] = None
    lastScaleTime: Annotated[Time | None, F(2, "When it last changed the number.")] = None
    currentReplicas: Annotated[Int32, F(3, "The number of pods it saw.", required=True)] = always(
        int
    )
    desiredReplicas: Annotated[Int32, F(4, "The number of pods it wants.", required=True)] = always(
        int
    )
    currentCPUUtilizationPercentage: Annotated[
        Int32 | None, F(5, "Use of CPU in per cent of the requests.")
    ] = None


class HorizontalPodAutoscaler(KubeObject):
    """Sets the number of pods of something by what they use."""

    spec: Annotated[HorizontalPodAutoscalerSpec, F(2, "What is wanted.")] = always(
        HorizontalPodAutoscalerSpec
    )
    status: Annotated[HorizontalPodAutoscalerStatus, F(3, "What was seen last.")] = always(
        HorizontalPodAutoscalerStatus
    )


METRICS = "autoscaling.alpha.kubernetes.io/metrics"
CURRENT = "autoscaling.alpha.kubernetes.io/current-metrics"
CONDITIONS = "autoscaling.alpha.kubernetes.io/conditions"
BEHAVIOR = "autoscaling.alpha.kubernetes.io/behavior"


def _is_cpu(metric: metrics.MetricSpec | metrics.MetricStatus) -> bool:
    return (
        metric.type == "Resource" and metric.resource is not None and metric.resource.name == "cpu"
    )


def _cpu_share(found: list[metrics.MetricSpec]) -> int | None:
    shares = (
        m.resource.target.averageUtilization for m in found if m.resource is not None and _is_cpu(m)
    )
    return next((share for share in shares if share is not None), None)


def to_v2(obj: HorizontalPodAutoscaler) -> v2.HorizontalPodAutoscaler:
    """Turn v1 into what is stored."""
    notes = dict(obj.metadata.annotations)
    spec, status = obj.spec, obj.status
    wanted = _read(notes.pop(METRICS, ""), list[metrics.MetricSpec]) or []
    share = spec.targetCPUUtilizationPercentage
    if share is not None:
        target = metrics.MetricTarget(type="Utilization", averageUtilization=share)
        cpu = metrics.ResourceMetricSource(name="cpu", target=target)
        wanted.insert(0, metrics.MetricSpec(type="Resource", resource=cpu))
    made = v2.HorizontalPodAutoscaler(
        kind=obj.kind,
        apiVersion="autoscaling/v2",
        spec=v2.HorizontalPodAutoscalerSpec(
            scaleTargetRef=_reference(spec.scaleTargetRef),
            minReplicas=spec.minReplicas,
            maxReplicas=spec.maxReplicas,
            metrics=wanted,
            behavior=_read(notes.pop(BEHAVIOR, ""), v2.HorizontalPodAutoscalerBehavior),
        ),
        status=v2.HorizontalPodAutoscalerStatus(
            observedGeneration=status.observedGeneration,
            lastScaleTime=status.lastScaleTime,
            currentReplicas=status.currentReplicas,
            desiredReplicas=status.desiredReplicas,
            currentMetrics=_read(notes.pop(CURRENT, ""), list[metrics.MetricStatus]),
            conditions=_read(notes.pop(CONDITIONS, ""), list[v2.HorizontalPodAutoscalerCondition])
            or [],
        ),
    )
    made.metadata = msgspec.structs.replace(obj.metadata, annotations=notes)
    return made


def _reference(found: CrossVersionObjectReference) -> metrics.CrossVersionObjectReference:
    return metrics.CrossVersionObjectReference(
        kind=found.kind, name=found.name, apiVersion=found.apiVersion
    )


def _read(text: str, kind: Any) -> Any:
    try:
        return msgspec.json.decode(text, type=kind) if text else None
    except msgspec.DecodeError:
        return None  # somebody else's annotation


def from_v2(obj: v2.HorizontalPodAutoscaler) -> HorizontalPodAutoscaler:
    """Turn what is stored into v1."""
    spec, status = obj.spec, obj.status
    share = _cpu_share(spec.metrics)
    others = [m for m in spec.metrics if not (share is not None and _is_cpu(m))]
    seen = [
        m.resource.current.averageUtilization
        for m in status.currentMetrics or ()
        if m.resource and _is_cpu(m)
    ]
    notes = dict(obj.metadata.annotations)
    extra = {
        METRICS: others,
        BEHAVIOR: spec.behavior,
        CURRENT: status.currentMetrics,
        CONDITIONS: status.conditions,
    }
    notes |= {name: msgspec.json.encode(value).decode() for name, value in extra.items() if value}
    target = spec.scaleTargetRef
    made = HorizontalPodAutoscaler(
        kind=obj.kind,
        apiVersion="autoscaling/v1",
        spec=HorizontalPodAutoscalerSpec(
            scaleTargetRef=CrossVersionObjectReference(
                kind=target.kind, name=target.name, apiVersion=target.apiVersion
            ),
            minReplicas=spec.minReplicas,
            maxReplicas=spec.maxReplicas,
            targetCPUUtilizationPercentage=share,
        ),
        status=HorizontalPodAutoscalerStatus(
            observedGeneration=status.observedGeneration,
            lastScaleTime=status.lastScaleTime,
            currentReplicas=status.currentReplicas,
            desiredReplicas=status.desiredReplicas,
            currentCPUUtilizationPercentage=seen[0] if seen else None,
        ),
    )
    sorted_notes = dict(sorted(notes.items()))
    made.metadata = msgspec.structs.replace(obj.metadata, annotations=sorted_notes)
    return made


def _cells(obj: HorizontalPodAutoscaler, now: float) -> list[Any]:
    return rules.cells(to_v2(obj), now)


def _set_defaults(obj: HorizontalPodAutoscaler) -> None:
    """What v2 defaults is defaulted here, too: both are one object."""
    whole = to_v2(obj)
    rules.set_defaults(whole)
    made = from_v2(whole)
    obj.spec, obj.status, obj.metadata = made.spec, made.status, made.metadata


def _prepare_create(obj: HorizontalPodAutoscaler) -> None:
    obj.status = HorizontalPodAutoscalerStatus()


def _validate(obj: HorizontalPodAutoscaler) -> list[Cause]:
    return rules.validate(to_v2(obj))


def _validate_update(new: HorizontalPodAutoscaler, _old: HorizontalPodAutoscaler) -> list[Cause]:
    return _validate(new)


HORIZONTAL_POD_AUTOSCALER = Kind(
    group="autoscaling",
    version="v1",
    kind="HorizontalPodAutoscaler",
    plural="horizontalpodautoscalers",
    singular="horizontalpodautoscaler",
    namespaced=True,
    type=HorizontalPodAutoscaler,
    short_names=("hpa",),
    categories=("all",),
    subresources=(
        Subresource(
            name="status", verbs=("get", "patch", "update"), kind="HorizontalPodAutoscaler"
        ),
    ),
    columns=COLUMNS,
    cells=_cells,
    set_defaults=_set_defaults,
    prepare_create=_prepare_create,
    validate=_validate,
    validate_update=_validate_update,
    has_generation=False,
    stored_as=StoredAs(HORIZONTAL_POD_AUTOSCALER_V2, to_stored=to_v2, from_stored=from_v2),
)
