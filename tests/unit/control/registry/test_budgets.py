"""Evictions keep to disruption budgets."""

from typing import Any

import msgspec
import pytest

from appliance.api.errors import InternalError, NotFound, TooManyRequests
from appliance.api.kinds.core.pod.kind import POD, Pod
from appliance.api.kinds.core.serviceaccount import SERVICE_ACCOUNT, ServiceAccount
from appliance.api.kinds.policy.eviction import Eviction
from appliance.api.kinds.policy.poddisruptionbudget import (
    POD_DISRUPTION_BUDGET,
    PodDisruptionBudget,
)
from appliance.api.meta import ObjectMeta
from appliance.client.base import PatchType
from appliance.control.registry.base import Call
from appliance.control.registry.registry import StoreRegistry


@pytest.fixture
async def pods(registry: StoreRegistry, call: Call) -> StoreRegistry:
    account = ServiceAccount(metadata=ObjectMeta(name="default"))
    await registry.create(SERVICE_ACCOUNT, account, namespace="default", call=call)
    for name in ("a", "b"):
        body = {
            "metadata": {"name": name, "labels": {"app": "web"}},
            "spec": {"containers": [{"name": "c", "image": "i"}]},
        }
        made = msgspec.convert(body, Pod)
        await registry.create(POD, made, namespace="default", call=call)
        running = {
            "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}
        }
        await status(registry, POD, name, running, call)
    return registry


async def status(registry: StoreRegistry, kind: Any, name: str, body: Any, call: Call) -> None:
    _ = await registry.patch(
        kind,
        namespace="default",
        name=name,
        how=PatchType.MERGE,
        body=body,
        call=call,
        subresource="status",
    )


async def budget(registry: StoreRegistry, call: Call, name: str = "web", **seen: Any) -> None:
    body = {
        "metadata": {"name": name},
        "spec": {"minAvailable": 1, "selector": {"matchLabels": {"app": "web"}}},
    }
    made = msgspec.convert(body, PodDisruptionBudget)
    await registry.create(POD_DISRUPTION_BUDGET, made, namespace="default", call=call)
    if seen:
        await status(registry, POD_DISRUPTION_BUDGET, name, {"status": seen}, call)


async def evict(registry: StoreRegistry, name: str, call: Call) -> None:
    made = Eviction(metadata=ObjectMeta(name=name))
    await registry.post(
        POD, made, namespace="default", name=name, subresource="eviction", call=call
    )


async def test_the_last_disruption_that_is_allowed_is_taken_once(
    pods: StoreRegistry, call: Call
) -> None:
    seen = {"observedGeneration": 1, "disruptionsAllowed": 1, "currentHealthy": 2}
    await budget(pods, call, **seen, desiredHealthy=1)
    await evict(pods, "a", call)
    with pytest.raises(NotFound):
        await pods.get(POD, "default", "a")
    with pytest.raises(TooManyRequests) as refused:
        await evict(pods, "b", call)
    assert refused.value.details
    assert refused.value.details.causes[0].message == (
        "The disruption budget web needs 1 healthy pods and has 2 currently"
    )
    left = (await pods.get(POD_DISRUPTION_BUDGET, "default", "web")).obj.status
    assert (left.disruptionsAllowed, list(left.disruptedPods)) == (0, ["a"])
    assert left.conditions[0].reason == "InsufficientPods"


async def test_a_budget_that_nobody_has_looked_at_yet_allows_nothing(
    pods: StoreRegistry, call: Call
) -> None:
    await budget(pods, call)
    with pytest.raises(TooManyRequests) as refused:
        await evict(pods, "a", call)
    assert refused.value.details
    assert refused.value.details.retry_after_s == 10


async def test_a_pod_that_does_not_run_disrupts_nothing(pods: StoreRegistry, call: Call) -> None:
    await budget(pods, call)
    await status(pods, POD, "a", {"status": {"phase": "Failed"}}, call)
    await evict(pods, "a", call)
    with pytest.raises(NotFound):
        await pods.get(POD, "default", "a")


async def test_two_budgets_over_one_pod_are_a_mistake(pods: StoreRegistry, call: Call) -> None:
    await budget(pods, call, "one")
    await budget(pods, call, "two")
    with pytest.raises(InternalError, match="more than one PodDisruptionBudget"):
        await evict(pods, "a", call)
