"""One object, several versions: what is written through one is read through the other."""

from typing import Any

import msgspec

from appliance.api.kinds.autoscaling.horizontalpodautoscaler import HORIZONTAL_POD_AUTOSCALER
from appliance.api.kinds.autoscaling.horizontalpodautoscaler_v2 import (
    HORIZONTAL_POD_AUTOSCALER_V2,
)
from appliance.api.kinds.core.event import EVENT
from appliance.api.kinds.events.event import EVENT_V1
from appliance.client.base import EventType
from appliance.control.registry.base import Call, Query
from appliance.control.registry.registry import StoreRegistry

TARGET = {"kind": "Deployment", "name": "web", "apiVersion": "apps/v1"}
V2: dict[str, Any] = {
    "metadata": {"name": "web"},
    "spec": {
        "scaleTargetRef": TARGET,
        "maxReplicas": 5,
        "metrics": [
            {
                "type": "Resource",
                "resource": {
                    "name": "cpu",
                    "target": {"type": "Utilization", "averageUtilization": 70},
                },
            },
            {
                "type": "Resource",
                "resource": {
                    "name": "memory",
                    "target": {"type": "AverageValue", "averageValue": "100Mi"},
                },
            },
        ],
        "behavior": {"scaleDown": {"stabilizationWindowSeconds": 60}},
    },
}


async def test_what_v1_has_no_field_for_survives_a_write_through_v1(
    registry: StoreRegistry, call: Call
) -> None:
    made = msgspec.convert(V2, HORIZONTAL_POD_AUTOSCALER_V2.type)
    await registry.create(HORIZONTAL_POD_AUTOSCALER_V2, made, namespace="default", call=call)
    old = await registry.get(HORIZONTAL_POD_AUTOSCALER, "default", "web")
    assert old.obj.spec.targetCPUUtilizationPercentage == 70
    changed = msgspec.json.decode(old.json, type=HORIZONTAL_POD_AUTOSCALER.type)
    changed.spec.maxReplicas = 9
    _ = await registry.update(
        HORIZONTAL_POD_AUTOSCALER, changed, namespace="default", name="web", call=call
    )
    now = (await registry.get(HORIZONTAL_POD_AUTOSCALER_V2, "default", "web")).obj
    assert now.spec.maxReplicas == 9
    names = [m.resource.name for m in now.spec.metrics if m.resource]
    assert names == ["cpu", "memory"]
    assert now.spec.behavior
    assert now.spec.behavior.scaleDown
    assert now.spec.behavior.scaleDown.stabilizationWindowSeconds == 60
    assert not now.metadata.annotations


async def test_a_watch_of_one_group_sees_events_of_the_other(
    registry: StoreRegistry, call: Call
) -> None:
    watch = registry.watch(EVENT_V1, Query(namespace="default", fields="regarding.name=p"))
    body = {
        "metadata": {"name": "e"},
        "involvedObject": {"kind": "Pod", "name": "p", "namespace": "default"},
        "message": "hello",
        "type": "Normal",
    }
    await registry.create(EVENT, msgspec.convert(body, EVENT.type), namespace="default", call=call)
    seen = await anext(watch)
    assert (seen.type, seen.item.obj.note) == (EventType.ADDED, "hello")
    assert msgspec.json.decode(seen.item.json)["apiVersion"] == "events.k8s.io/v1"
    await watch.aclose()
