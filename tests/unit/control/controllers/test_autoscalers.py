"""Autoscalers follow what pods use, at the pace that their rules allow."""

import random
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import pytest

from appliance.api.kinds.apps.replicaset import REPLICA_SET, ReplicaSet
from appliance.api.kinds.autoscaling.horizontalpodautoscaler_v2 import HORIZONTAL_POD_AUTOSCALER_V2
from appliance.api.kinds.autoscaling.hpa_spec_v2 import HorizontalPodAutoscaler
from appliance.api.kinds.core.pod.kind import Pod
from appliance.api.kinds.table import KINDS
from appliance.api.objects import condition
from appliance.control.controllers.autoscalers import Autoscalers
from appliance.control.controllers.replicasets import ReplicaSets
from appliance.control.controllers.scalemetrics import PodUse
from appliance.control.scheduler.loop import Scheduler
from tests.unit.control.cluster import Cluster


class Load:
    """What every pod is measured to use."""

    def __init__(self) -> None:
        self.plane: Cluster | None = None
        self.cores: float | None = 0.1

    async def uses(self, pods: Sequence[Pod]) -> Mapping[str, PodUse]:
        assert self.plane is not None
        if self.cores is None:
            return {}
        now = self.plane.clock.wall()
        return {
            pod.metadata.uid: PodUse(now, 15.0, {"c": {"cpu": self.cores, "memory": 2.0**20}})
            for pod in pods
        }


@pytest.fixture
def load() -> Load:
    return Load()


@pytest.fixture
async def busy(plane: Cluster, load: Load) -> Cluster:
    load.plane = plane
    rng = random.Random(1)  # noqa: S311 - picks among equals
    with_clock: dict[str, Any] = {"clock": plane.clock, "recorder": plane.recorder}
    scaler = Autoscalers(
        plane.client, plane.informers, kinds=lambda: KINDS, uses=load.uses, **with_clock
    )
    await plane.add_node("n1")
    await plane.start(
        scaler,
        ReplicaSets(plane.client, plane.informers, **with_clock),
        Scheduler(plane.client, plane.informers, **with_clock, rng=rng),
    )
    return plane


async def web(busy: Cluster, replicas: int = 1, request: str | None = "200m") -> None:
    resources = {"requests": {"cpu": request}} if request else {}
    body = {
        "metadata": {"name": "web", "namespace": "default"},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": "web"}},
            "template": {
                "metadata": {"labels": {"app": "web"}},
                "spec": {"containers": [{"name": "c", "image": "i", "resources": resources}]},
            },
        },
    }
    await busy.make(REPLICA_SET, msgspec.convert(body, ReplicaSet))
    await busy.play_nodes()


def scaler(**spec: Any) -> HorizontalPodAutoscaler:
    target = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web"}
    share = {"type": "Utilization", "averageUtilization": 50}
    body = {
        "metadata": {"name": "web", "namespace": "default"},
        "spec": {
            "scaleTargetRef": target,
            "maxReplicas": 10,
            "metrics": [{"type": "Resource", "resource": {"name": "cpu", "target": share}}],
            **spec,
        },
    }
    return msgspec.convert(body, HorizontalPodAutoscaler)


async def replicas(busy: Cluster) -> int:
    found = await busy.client.get(REPLICA_SET, "web", "default")
    return found.spec.replicas or 0


async def the_scaler(busy: Cluster) -> HorizontalPodAutoscaler:
    found: HorizontalPodAutoscaler = await busy.client.get(
        HORIZONTAL_POD_AUTOSCALER_V2, "web", "default"
    )
    return found


def reasons(found: HorizontalPodAutoscaler) -> dict[str, tuple[str, str]]:
    return {one.type: (one.status, one.reason) for one in found.status.conditions}


async def grow(busy: Cluster, seconds: float) -> None:
    await busy.advance(seconds)
    await busy.play_nodes()


async def test_twice_the_mark_is_twice_the_pods(busy: Cluster, load: Load) -> None:
    await web(busy, 2)
    load.cores = 0.2  # 100 % of the request, where 50 % is wanted
    await busy.advance(60)
    await busy.make(HORIZONTAL_POD_AUTOSCALER_V2, scaler())
    assert await replicas(busy) == 4
    found = await the_scaler(busy)
    assert reasons(found) == {
        "AbleToScale": ("True", "SucceededRescale"),
        "ScalingActive": ("True", "ValidMetricFound"),
        "ScalingLimited": ("False", "DesiredWithinRange"),
    }
    (metric,) = found.status.currentMetrics or ()
    assert metric.resource is not None
    assert metric.resource.current.averageUtilization == 100
    assert metric.resource.current.averageValue == "200m"
    assert found.status.desiredReplicas == 4
    (event,) = await busy.events("SuccessfulRescale")
    assert event.message == (
        "New size: 4; reason: cpu resource utilization (percentage of request) above target"
    )


async def test_within_the_tolerance_nothing_happens(busy: Cluster, load: Load) -> None:
    await web(busy, 2)
    load.cores = 0.109
    await busy.advance(60)
    await busy.make(HORIZONTAL_POD_AUTOSCALER_V2, scaler())
    before = await busy.revision()
    await busy.advance(60)
    assert await replicas(busy) == 2
    assert await busy.revision() == before, "what does not change is not written"


async def test_it_shrinks_when_no_higher_wish_is_left_in_the_window(
    busy: Cluster, load: Load
) -> None:
    await web(busy, 4)
    load.cores = 0.1
    await busy.advance(60)
    await busy.make(HORIZONTAL_POD_AUTOSCALER_V2, scaler())
    load.cores = 0.02
    await busy.advance(120)
    assert await replicas(busy) == 4
    assert reasons(await the_scaler(busy))["AbleToScale"] == ("True", "ScaleDownStabilized")
    await busy.advance(240)
    assert await replicas(busy) == 1
    assert (await busy.events("SuccessfulRescale"))[0].message.endswith("All metrics below target")


async def test_policies_bound_the_pace(busy: Cluster, load: Load) -> None:
    await web(busy, 1)
    load.cores = 10.0
    one = {"policies": [{"type": "Pods", "value": 1, "periodSeconds": 60}]}
    await busy.advance(60)
    await busy.make(HORIZONTAL_POD_AUTOSCALER_V2, scaler(behavior={"scaleUp": one}))
    assert await replicas(busy) == 2
    assert reasons(await the_scaler(busy))["ScalingLimited"] == ("True", "ScaleUpLimit")
    await busy.advance(30)
    assert await replicas(busy) == 2, "a minute has not passed"
    await grow(busy, 45)
    assert await replicas(busy) == 3


async def test_the_maximum_holds(busy: Cluster, load: Load) -> None:
    await web(busy, 3)
    load.cores = 10.0
    await busy.advance(60)
    await busy.make(HORIZONTAL_POD_AUTOSCALER_V2, scaler(maxReplicas=4))
    assert await replicas(busy) == 4
    assert reasons(await the_scaler(busy))["ScalingLimited"] == ("True", "TooManyReplicas")


async def test_bounds_are_kept_without_any_measurement(busy: Cluster, load: Load) -> None:
    load.cores = None
    await web(busy, 1)
    await busy.make(HORIZONTAL_POD_AUTOSCALER_V2, scaler(minReplicas=3))
    assert await replicas(busy) == 3


async def test_no_measurement_changes_nothing_and_says_why(busy: Cluster, load: Load) -> None:
    load.cores = None
    await web(busy, 2)
    await busy.make(HORIZONTAL_POD_AUTOSCALER_V2, scaler())
    assert await replicas(busy) == 2
    active = condition((await the_scaler(busy)).status.conditions, "ScalingActive")
    assert active is not None
    assert (active.status, active.reason) == ("False", "FailedGetResourceMetric")
    assert active.message == (
        "the HPA was unable to compute the replica count: failed to get cpu utilization: "
        "unable to get metrics for resource cpu: did not receive metrics for targeted pods "
        "(pods might be unready)"
    )
    assert await busy.events("FailedComputeMetricsReplicas")


async def test_a_pod_without_a_request_has_no_share(busy: Cluster) -> None:
    await web(busy, 1, request=None)
    await busy.advance(60)
    await busy.make(HORIZONTAL_POD_AUTOSCALER_V2, scaler())
    active = condition((await the_scaler(busy)).status.conditions, "ScalingActive")
    assert active is not None
    assert "missing request for cpu in container c of Pod web-" in active.message


async def test_zero_replicas_switch_it_off(busy: Cluster) -> None:
    await web(busy, 0)
    await busy.make(HORIZONTAL_POD_AUTOSCALER_V2, scaler())
    assert await replicas(busy) == 0
    assert reasons(await the_scaler(busy))["ScalingActive"] == ("False", "ScalingDisabled")


@pytest.mark.parametrize(
    ("target", "why"),
    [
        (
            {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "gone"},
            'replicasets.apps "gone" not found',
        ),
        (
            {"apiVersion": "v1", "kind": "ConfigMap", "name": "x"},
            "configmaps have no scale",
        ),
        (
            {"apiVersion": "a.b/v1", "kind": "Odd", "name": "x"},
            'no matches for kind "Odd" in version "a.b/v1"',
        ),
    ],
)
async def test_a_target_without_a_scale_is_named(
    busy: Cluster, target: dict[str, str], why: str
) -> None:
    await busy.make(HORIZONTAL_POD_AUTOSCALER_V2, scaler(scaleTargetRef=target))
    able = condition((await the_scaler(busy)).status.conditions, "AbleToScale")
    assert able is not None
    assert (able.status, able.reason) == ("False", "FailedGetScale")
    assert able.message.endswith(why)


async def test_an_average_per_pod_is_aimed_at(busy: Cluster, load: Load) -> None:
    await web(busy, 1, request=None)
    load.cores = 0.3
    each = {"type": "AverageValue", "averageValue": "100m"}
    metrics = [{"type": "Resource", "resource": {"name": "cpu", "target": each}}]
    await busy.advance(60)
    await busy.make(HORIZONTAL_POD_AUTOSCALER_V2, scaler(metrics=metrics))
    assert await replicas(busy) == 3


async def test_the_metric_that_asks_for_most_wins_and_a_missing_one_stops_shrinking(
    busy: Cluster, load: Load
) -> None:
    await web(busy, 2)
    load.cores = 0.01
    low = scaler().spec.metrics[0]
    other = {
        "type": "Pods",
        "pods": {"metric": {"name": "q"}, "target": {"type": "AverageValue", "averageValue": "1"}},
    }
    await busy.advance(60)
    await busy.make(HORIZONTAL_POD_AUTOSCALER_V2, scaler(metrics=[msgspec.to_builtins(low), other]))
    await busy.advance(400)
    assert await replicas(busy) == 2
    assert reasons(await the_scaler(busy))["ScalingActive"] == ("False", "FailedGetPodsMetric")
