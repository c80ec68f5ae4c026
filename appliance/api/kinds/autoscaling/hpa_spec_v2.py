"""HorizontalPodAutoscaler v2 as a type; its rules are in `hpa_rules.py`."""

from typing import Annotated

from appliance.api.kinds.autoscaling.hpa_metrics_v2 import (
    CrossVersionObjectReference,
    MetricSpec,
    MetricStatus,
)
from appliance.api.meta import KubeObject
from appliance.api.schema import F, Int32, Int64, Message, Quantity, Time, always, nullable


class HPAScalingPolicy(Message):
    """A bound on change in some time."""

    type: Annotated[str, F(1, "Pods or Percent.", required=True)] = always(str)
    value: Annotated[Int32, F(2, "How much.", required=True)] = always(int)
    periodSeconds: Annotated[Int32, F(3, "In how many seconds.", required=True)] = always(int)


class HPAScalingRules(Message):
    """How fast an autoscaler goes in one direction."""

    stabilizationWindowSeconds: Annotated[
        Int32 | None, F(3, "How far back earlier wishes count.")
    ] = None
    selectPolicy: Annotated[
        str | None, F(1, "Which policy counts: Max, Min, or Disabled for none.")
    ] = None
    policies: Annotated[list[HPAScalingPolicy], F(2, "Bounds on change.", list_type="atomic")] = []
    tolerance: Annotated[Quantity | None, F(4, "How far off the mark nothing happens yet.")] = None


class HorizontalPodAutoscalerBehavior(Message):
    """How fast an autoscaler goes up and down."""

    scaleUp: Annotated[HPAScalingRules | None, F(1, "How it goes up.")] = None
    scaleDown: Annotated[HPAScalingRules | None, F(2, "How it goes down.")] = None


class HorizontalPodAutoscalerSpec(Message):
    """What is wanted of an autoscaler."""

    scaleTargetRef: Annotated[
        CrossVersionObjectReference, F(1, "What is scaled.", required=True)
    ] = always(CrossVersionObjectReference)
    minReplicas: Annotated[Int32 | None, F(2, "The least number of pods; 1 unless said.")] = None
    maxReplicas: Annotated[Int32, F(3, "The greatest number of pods.", required=True)] = always(int)
    metrics: Annotated[
        list[MetricSpec],
        F(4, "What is measured; the metric that asks for most pods wins.", list_type="atomic"),
    ] = []
    behavior: Annotated[
        HorizontalPodAutoscalerBehavior | None, F(5, "How fast it goes up and down.")
    ] = None


class HorizontalPodAutoscalerCondition(Message):
    """One aspect of how the object is."""

    type: Annotated[str, F(1, "Which aspect, as one CamelCase word.", required=True)] = always(str)
    status: Annotated[str, F(2, "True, False or Unknown.", required=True)] = always(str)
    lastTransitionTime: Annotated[Time | None, F(3, "When the status last changed.")] = nullable()
    reason: Annotated[str, F(4, "Why, as one CamelCase word.")] = ""
    message: Annotated[str, F(5, "Why, for people.")] = ""


class HorizontalPodAutoscalerStatus(Message):
    """What an autoscaler did last."""

    observedGeneration: Annotated[
        Int64 | None, F(1, "Generation of the spec that this is about.")
    ] = None
    lastScaleTime: Annotated[Time | None, F(2, "When it last changed the number.")] = None
    currentReplicas: Annotated[Int32, F(3, "The number of pods it saw.")] = 0
    desiredReplicas: Annotated[Int32, F(4, "The number of pods it wants.", required=True)] = always(
        int
    )
    currentMetrics: Annotated[
        list[MetricStatus] | None, F(5, "What it measured.", list_type="atomic")
    ] = nullable()
    conditions: Annotated[
        list[HorizontalPodAutoscalerCondition],
        F(
            6,
            "How it is, aspect by aspect.",
            merge=True,
            merge_key="type",
            list_type="map",
            list_keys=("type",),
        ),
    ] = []


class HorizontalPodAutoscaler(KubeObject):
    """Sets the number of pods of something by what they use."""

    spec: Annotated[HorizontalPodAutoscalerSpec, F(2, "What is wanted.")] = always(
        HorizontalPodAutoscalerSpec
    )
    status: Annotated[HorizontalPodAutoscalerStatus, F(3, "What was seen last.")] = always(
        HorizontalPodAutoscalerStatus
    )
