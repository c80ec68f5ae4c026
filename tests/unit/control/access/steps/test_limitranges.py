"""Limit ranges: what is filled in, and what is too much or too little."""

from typing import Any

import pytest

from appliance.api import codec
from appliance.api.errors import Forbidden
from appliance.api.kinds.core.limitrange import LIMIT_RANGE, LimitRange
from appliance.api.kinds.core.pod.kind import POD, Pod
from appliance.api.kinds.core.serviceaccount import SERVICE_ACCOUNT, ServiceAccount
from appliance.api.meta import ObjectMeta
from appliance.control.access.steps.limitranges import NOTE
from appliance.control.registry.base import Call
from appliance.control.registry.registry import StoreRegistry

CONTAINER = {
    "type": "Container",
    "default": {"cpu": "200m"},
    "defaultRequest": {"cpu": "100m"},
    "min": {"cpu": "50m"},
    "max": {"cpu": "1"},
    "maxLimitRequestRatio": {"cpu": "4"},
}
WHOLE = {"type": "Pod", "max": {"cpu": "2"}}


async def begin(registry: StoreRegistry, call: Call, *items: dict[str, Any]) -> None:
    account = ServiceAccount(metadata=ObjectMeta(name="default"))
    await registry.create(SERVICE_ACCOUNT, account, namespace="default", call=call)
    plain = {"metadata": {"name": "l"}, "spec": {"limits": list(items)}}
    limits, _ = codec.decode(LimitRange, plain)
    await registry.create(LIMIT_RANGE, limits, namespace="default", call=call)


async def create(registry: StoreRegistry, call: Call, *resources: dict[str, Any]) -> Pod:
    containers = [
        {"name": f"c{at}", "image": "i", "resources": wanted} for at, wanted in enumerate(resources)
    ]
    plain = {"metadata": {"name": "p"}, "spec": {"containers": containers}}
    pod, _ = codec.decode(Pod, plain)
    return (await registry.create(POD, pod, namespace="default", call=call)).obj


async def test_containers_get_what_they_do_not_say(registry: StoreRegistry, call: Call) -> None:
    await begin(registry, call, CONTAINER)
    pod = await create(registry, call, {}, {"limits": {"cpu": "300m"}})
    first, second = (c.resources for c in pod.spec.containers or ())
    assert (first.requests, first.limits) == ({"cpu": "100m"}, {"cpu": "200m"})
    assert (second.requests, second.limits) == ({"cpu": "300m"}, {"cpu": "300m"})
    assert pod.metadata.annotations[NOTE] == (
        "LimitRanger plugin set: cpu request for container c0; cpu limit for container c0"
    )
    assert pod.status.qosClass == "Burstable"


@pytest.mark.parametrize(
    ("resources", "why"),
    [
        (
            [{"limits": {"cpu": "3"}}],
            "[maximum cpu usage per Container is 1, but limit is 3, maximum cpu usage per Pod is "
            "2, but limit is 3]",
        ),
        (
            [{"requests": {"cpu": "10m"}, "limits": {"cpu": "40m"}}],
            "minimum cpu usage per Container is 50m, but request is 10m",
        ),
        (
            [{"requests": {"cpu": "50m"}, "limits": {"cpu": "900m"}}],
            "cpu max limit to request ratio per Container is 4, but provided ratio is 18.000000",
        ),
        (
            [{"limits": {"cpu": "900m"}}] * 3,
            "maximum cpu usage per Pod is 2, but limit is 2700m",
        ),
    ],
)
async def test_what_is_out_of_bounds_is_refused(
    registry: StoreRegistry, call: Call, resources: list[dict[str, Any]], why: str
) -> None:
    await begin(registry, call, CONTAINER, WHOLE)
    with pytest.raises(Forbidden) as caught:
        await create(registry, call, *resources)
    assert caught.value.message == f'pods "p" is forbidden: {why}'


async def test_a_bound_asks_for_a_value(registry: StoreRegistry, call: Call) -> None:
    await begin(registry, call, {"type": "Pod", "max": {"memory": "1Gi"}})
    with pytest.raises(Forbidden, match="is 1Gi\\.  No limit is specified"):
        await create(registry, call, {})
