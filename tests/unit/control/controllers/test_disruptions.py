"""Budgets say how many pods may go, and evictions keep to it."""

from typing import Any

import msgspec
import pytest

from appliance.api.errors import TooManyRequests
from appliance.api.kinds.apps.deployment import DEPLOYMENT, Deployment
from appliance.api.kinds.core.pod.kind import POD
from appliance.api.kinds.policy.eviction import Eviction
from appliance.api.kinds.policy.poddisruptionbudget import (
    POD_DISRUPTION_BUDGET,
    PodDisruptionBudget,
    PodDisruptionBudgetStatus,
)
from appliance.api.meta import ObjectMeta
from appliance.api.objects import condition
from appliance.control.controllers.deployments import Deployments
from appliance.control.controllers.disruptions import Disruptions
from appliance.control.controllers.replicasets import ReplicaSets
from tests.unit.control.cluster import Cluster


@pytest.fixture
async def budgeted(plane: Cluster) -> Cluster:
    common: Any = {"clock": plane.clock, "recorder": plane.recorder}
    client, informers = plane.client, plane.informers
    await plane.start(
        Disruptions(client, informers, **common),
        Deployments(client, informers, **common),
        ReplicaSets(client, informers, **common),
    )
    template = {
        "metadata": {"labels": {"app": "web"}},
        "spec": {"containers": [{"name": "c", "image": "web"}]},
    }
    spec = {"replicas": 4, "selector": {"matchLabels": {"app": "web"}}, "template": template}
    body = {"metadata": {"name": "web", "namespace": "default"}, "spec": spec}
    await plane.make(DEPLOYMENT, msgspec.convert(body, Deployment))
    for pod in await plane.pods():
        await plane.bind(pod)
        await plane.set_ready(pod)
    return plane


@pytest.mark.parametrize(
    ("spec", "desired", "allowed"),
    [
        ({"minAvailable": 3}, 3, 1),
        ({"minAvailable": 5}, 5, 0),
        ({"minAvailable": "60%"}, 3, 1),
        ({"maxUnavailable": 2}, 2, 2),
        ({"maxUnavailable": "30%"}, 2, 2),
        ({"maxUnavailable": 0}, 4, 0),
        ({}, 0, 4),
    ],
)
async def test_what_is_wanted_decides_how_many_may_go(
    budgeted: Cluster, spec: dict[str, Any], desired: int, allowed: int
) -> None:
    await budgeted.make(POD_DISRUPTION_BUDGET, budget(**spec))
    status = await status_of(budgeted)
    assert (status.currentHealthy, status.expectedPods) == (4, 4)
    assert (status.desiredHealthy, status.disruptionsAllowed) == (desired, allowed)
    said = condition(status.conditions, "DisruptionAllowed")
    assert said is not None
    word = ("True", "SufficientPods") if allowed else ("False", "InsufficientPods")
    assert (said.status, said.reason) == word


async def test_an_eviction_takes_one_off_and_it_comes_back_with_the_next_pod(
    budgeted: Cluster,
) -> None:
    await budgeted.make(POD_DISRUPTION_BUDGET, budget(minAvailable=3))
    first, second, *_ = await budgeted.names()
    await evict(budgeted, first)
    with pytest.raises(TooManyRequests):
        await evict(budgeted, second)
    await budgeted.play_nodes()
    for pod in await budgeted.pods():
        if not pod.spec.nodeName:
            await budgeted.bind(pod)
            await budgeted.set_ready(pod)
    status = await status_of(budgeted)
    assert (status.disruptionsAllowed, status.disruptedPods) == (1, {})
    await evict(budgeted, second)


async def test_a_pod_that_is_not_ready_leaves_less_room(budgeted: Cluster) -> None:
    await budgeted.make(POD_DISRUPTION_BUDGET, budget(minAvailable=3))
    await budgeted.set_ready((await budgeted.pods())[0], ready=False)
    assert (await status_of(budgeted)).disruptionsAllowed == 0
    await budgeted.edit(DEPLOYMENT, "web", {"spec": {"replicas": 2}})
    await budgeted.edit(POD_DISRUPTION_BUDGET, "b", {"spec": {"minAvailable": 1}})
    await budgeted.play_nodes()
    assert (await status_of(budgeted)).expectedPods == 2


async def test_an_eviction_that_nothing_came_of_is_forgotten(budgeted: Cluster) -> None:
    await budgeted.make(POD_DISRUPTION_BUDGET, budget(minAvailable=3))
    (name, *_) = await budgeted.names()
    since = "2023-11-14T22:13:20Z"  # the fake clock's begin
    await budgeted.edit(
        POD_DISRUPTION_BUDGET, "b", {"status": {"disruptedPods": {name: since}}},
        subresource="status",
    )  # fmt: skip
    assert (await status_of(budgeted)).disruptionsAllowed == 0
    await budgeted.advance(125)
    status = await status_of(budgeted)
    assert (status.disruptionsAllowed, status.disruptedPods) == (1, {})


async def evict(plane: Cluster, name: str) -> None:
    body: Any = Eviction(metadata=ObjectMeta(name=name, namespace="default"))
    await plane.client.create(POD, body, namespace="default", name=name, subresource="eviction")
    await plane.settle()


async def status_of(plane: Cluster) -> PodDisruptionBudgetStatus:
    return (await plane.client.get(POD_DISRUPTION_BUDGET, "b", "default")).status


def budget(**spec: Any) -> PodDisruptionBudget:
    body = {"metadata": {"name": "b", "namespace": "default"},
            "spec": {"selector": {"matchLabels": {"app": "web"}}, **spec}}  # fmt: skip
    return msgspec.convert(body, PodDisruptionBudget)
