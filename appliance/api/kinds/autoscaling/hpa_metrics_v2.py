"""What an autoscaler measures, and what it measured."""

from typing import Annotated

from appliance.api.meta import LabelSelector
from appliance.api.schema import F, Int32, Message, Quantity, always


class MetricTarget(Message):
    """What is aimed at."""

    type: Annotated[str, F(1, "Utilization, Value or AverageValue.", required=True)] = always(str)
    value: Annotated[Quantity | None, F(2, "The whole.")] = None
    averageValue: Annotated[Quantity | None, F(3, "For each pod.")] = None
    averageUtilization: Annotated[
        Int32 | None, F(4, "For each pod, in per cent of its request.")
    ] = None


class ContainerResourceMetricSource(Message):
    """CPU or memory of one container in each pod."""

    name: Annotated[str, F(1, "cpu or memory.", required=True)] = always(str)
    target: Annotated[MetricTarget, F(2, "What is aimed at.", required=True)] = always(MetricTarget)
    container: Annotated[str, F(3, "Name of the container.", required=True)] = always(str)


class MetricIdentifier(Message):
    """Names a metric."""

    name: Annotated[str, F(1, "Name of the metric.", required=True)] = always(str)
    selector: Annotated[LabelSelector | None, F(2, "Labels of the series that are meant.")] = None


class ExternalMetricSource(Message):
    """A metric from outside of the cluster."""

    metric: Annotated[MetricIdentifier, F(1, "Which metric.", required=True)] = always(
        MetricIdentifier
    )
    target: Annotated[MetricTarget, F(2, "What is aimed at.", required=True)] = always(MetricTarget)


class CrossVersionObjectReference(Message):
    """Names an object of any kind in the namespace."""

    kind: Annotated[str, F(1, "Its kind.", required=True)] = always(str)
    name: Annotated[str, F(2, "Its name.", required=True)] = always(str)
    apiVersion: Annotated[str, F(3, "Its API version.")] = ""


class ObjectMetricSource(Message):
    """A metric of another object."""

    describedObject: Annotated[
        CrossVersionObjectReference, F(1, "The object that is measured.", required=True)
    ] = always(CrossVersionObjectReference)
    target: Annotated[MetricTarget, F(2, "What is aimed at.", required=True)] = always(MetricTarget)
    metric: Annotated[MetricIdentifier, F(3, "Which metric.", required=True)] = always(
        MetricIdentifier
    )


class PodsMetricSource(Message):
    """A metric of each pod."""

    metric: Annotated[MetricIdentifier, F(1, "Which metric.", required=True)] = always(
        MetricIdentifier
    )
    target: Annotated[MetricTarget, F(2, "What is aimed at.", required=True)] = always(MetricTarget)


class ResourceMetricSource(Message):
    """CPU or memory of the pods."""

    name: Annotated[str, F(1, "cpu or memory.", required=True)] = always(str)
    target: Annotated[MetricTarget, F(2, "What is aimed at.", required=True)] = always(MetricTarget)


class MetricSpec(Message):
    """Something that is measured; the field of its type is given."""

    type: Annotated[
        str, F(1, "Resource, ContainerResource, Pods, Object or External.", required=True)
    ] = always(str)
    object: Annotated[ObjectMetricSource | None, F(2, "A metric of another object.")] = None
    pods: Annotated[PodsMetricSource | None, F(3, "A metric of each pod.")] = None
    resource: Annotated[ResourceMetricSource | None, F(4, "CPU or memory of the pods.")] = None
    containerResource: Annotated[
        ContainerResourceMetricSource | None, F(7, "CPU or memory of one container in each pod.")
    ] = None
    external: Annotated[
        ExternalMetricSource | None, F(5, "A metric from outside of the cluster.")
    ] = None


class MetricValueStatus(Message):
    """What was measured."""

    value: Annotated[Quantity | None, F(1, "The whole.")] = None
    averageValue: Annotated[Quantity | None, F(2, "For each pod.")] = None
    averageUtilization: Annotated[
        Int32 | None, F(3, "For each pod, in per cent of its request.")
    ] = None


class ContainerResourceMetricStatus(Message):
    """Measured CPU or memory of one container in each pod."""

    name: Annotated[str, F(1, "cpu or memory.", required=True)] = always(str)
    current: Annotated[MetricValueStatus, F(2, "What was measured.", required=True)] = always(
        MetricValueStatus
    )
    container: Annotated[str, F(3, "Name of the container.", required=True)] = always(str)


class ExternalMetricStatus(Message):
    """A measured metric from outside of the cluster."""

    metric: Annotated[MetricIdentifier, F(1, "Which metric.", required=True)] = always(
        MetricIdentifier
    )
    current: Annotated[MetricValueStatus, F(2, "What was measured.", required=True)] = always(
        MetricValueStatus
    )


class ObjectMetricStatus(Message):
    """A measured metric of another object."""

    metric: Annotated[MetricIdentifier, F(1, "Which metric.", required=True)] = always(
        MetricIdentifier
    )
    current: Annotated[MetricValueStatus, F(2, "What was measured.", required=True)] = always(
        MetricValueStatus
    )
    describedObject: Annotated[
        CrossVersionObjectReference, F(3, "The object that is measured.", required=True)
    ] = always(CrossVersionObjectReference)


class PodsMetricStatus(Message):
    """A measured metric of each pod."""

    metric: Annotated[MetricIdentifier, F(1, "Which metric.", required=True)] = always(
        MetricIdentifier
    )
    current: Annotated[MetricValueStatus, F(2, "What was measured.", required=True)] = always(
        MetricValueStatus
    )


class ResourceMetricStatus(Message):
    """Measured CPU or memory of the pods."""

    name: Annotated[str, F(1, "cpu or memory.", required=True)] = always(str)
    current: Annotated[MetricValueStatus, F(2, "What was measured.", required=True)] = always(
        MetricValueStatus
    )


class MetricStatus(Message):
    """Something that was measured; the field of its type is given."""

    type: Annotated[
        str, F(1, "Resource, ContainerResource, Pods, Object or External.", required=True)
    ] = always(str)
    object: Annotated[ObjectMetricStatus | None, F(2, "A metric of another object.")] = None
    pods: Annotated[PodsMetricStatus | None, F(3, "A metric of each pod.")] = None
    resource: Annotated[ResourceMetricStatus | None, F(4, "CPU or memory of the pods.")] = None
    containerResource: Annotated[
        ContainerResourceMetricStatus | None, F(7, "CPU or memory of one container in each pod.")
    ] = None
    external: Annotated[
        ExternalMetricStatus | None, F(5, "A metric from outside of the cluster.")
    ] = None
