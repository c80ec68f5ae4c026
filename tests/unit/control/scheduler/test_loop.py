"""The scheduling loop over a real registry: binds, waits, tries again, and rests."""

import random
from typing import Any

import msgspec
import pytest

from appliance.api.kinds.core.node import NODE
from appliance.api.kinds.core.pod.kind import POD, Pod
from appliance.api.kinds.scheduling.priorityclass import PRIORITY_CLASS, PriorityClass
from appliance.api.meta import ObjectMeta
from appliance.api.objects import condition
from appliance.control.scheduler.loop import Scheduler
from tests.unit.control.cluster import Cluster


@pytest.fixture
async def sched(plane: Cluster) -> Cluster:
    rng = random.Random(1)  # noqa: S311 - picks among equals
    await plane.start(
        Scheduler(
            plane.client, plane.informers, clock=plane.clock, recorder=plane.recorder, rng=rng
        )
    )
    return plane


async def test_a_pod_is_bound_and_says_where(sched: Cluster) -> None:
    await sched.add_node("n1")
    await sched.make(POD, pod("a"))
    assert await node_of(sched, "a") == "n1"
    (event,) = await sched.events("Scheduled")
    assert event.message == "Successfully assigned default/a to n1"
    assert event.involvedObject.name == "a"


@pytest.mark.seed("D03")
async def test_a_pod_that_fits_nowhere_says_why_and_is_tried_when_a_node_comes(
    sched: Cluster,
) -> None:
    await sched.make(POD, pod("a", cpu="2"))
    await sched.add_node("small", unschedulable=True)
    await sched.advance(2)
    stored = await sched.client.get(POD, "a", "default")
    scheduled = condition(stored.status.conditions, "PodScheduled")
    assert scheduled is not None
    words = (
        "0/1 nodes are available: 1 node(s) were unschedulable. preemption: "
        "0/1 nodes are available: 1 Preemption is not helpful for scheduling."
    )
    assert (scheduled.status, scheduled.reason, scheduled.message) == (
        "False",
        "Unschedulable",
        words,
    )
    assert words in [e.message for e in await sched.events("FailedScheduling")]
    await sched.edit(NODE, "small", {"spec": {"unschedulable": None}})
    await sched.advance(10)
    assert await node_of(sched, "a") == "small"


async def test_room_that_a_pod_leaves_is_given_to_one_that_waits(sched: Cluster) -> None:
    await sched.add_node("n1")
    await sched.make(POD, pod("big", cpu="3"))
    await sched.make(POD, pod("next", cpu="3"))
    assert await node_of(sched, "next") == ""
    await sched.delete(POD, "big", grace_period_s=0)
    await sched.advance(10)
    assert await node_of(sched, "next") == "n1"


async def test_a_pod_that_waits_for_company_goes_when_it_comes(sched: Cluster) -> None:
    await sched.add_node("n1")
    await sched.edit(NODE, "n1", {"metadata": {"labels": {"kubernetes.io/hostname": "n1"}}})
    wish = {
        "labelSelector": {"matchLabels": {"app": "cache"}},
        "topologyKey": "kubernetes.io/hostname",
    }
    rules = {"requiredDuringSchedulingIgnoredDuringExecution": [wish]}
    await sched.make(POD, pod("web", affinity={"podAffinity": rules}))
    assert await node_of(sched, "web") == ""
    cache = pod("cache")
    cache.metadata.labels = {"app": "cache"}
    await sched.make(POD, cache)
    await sched.advance(10)
    assert await node_of(sched, "web") == "n1"


async def test_pods_of_one_moment_do_not_share_the_same_room(sched: Cluster) -> None:
    await sched.add_node("n1")
    for number in range(6):
        await sched.client.create(POD, pod(f"p{number}", cpu="1"), namespace="default")
    await sched.settle()
    bound = [p for p in await sched.pods() if p.spec.nodeName]
    assert len(bound) == 4


@pytest.mark.seed("D04")
async def test_pods_of_other_schedulers_and_gated_pods_are_left_alone(sched: Cluster) -> None:
    await sched.add_node("n1")
    await sched.make(POD, pod("other", schedulerName="mine"))
    await sched.make(POD, pod("gated", schedulingGates=[{"name": "wait"}]))
    assert await node_of(sched, "other") == ""
    assert await node_of(sched, "gated") == ""


@pytest.mark.seed("D04")
async def test_a_gate_that_is_lifted_lets_the_pod_go(sched: Cluster) -> None:
    await sched.add_node("n1")
    await sched.make(POD, pod("gated", schedulingGates=[{"name": "wait"}]))
    stored = await sched.client.get(POD, "gated", "default")
    gate = condition(stored.status.conditions, "PodScheduled")
    assert gate is not None
    assert (gate.status, gate.reason) == ("False", "SchedulingGated")
    await sched.edit(POD, "gated", {"spec": {"schedulingGates": None}})
    assert await node_of(sched, "gated") == "n1"


async def test_a_more_important_pod_pushes_out_the_least_that_is_needed(sched: Cluster) -> None:
    await classes(sched)
    await sched.add_node("n1")
    await sched.make(POD, pod("low", cpu="2", priorityClassName="low"))
    await sched.make(POD, pod("mid", cpu="2", priorityClassName="mid"))
    await sched.make(POD, pod("high", cpu="1", priorityClassName="high"))
    low = await sched.client.get(POD, "low", "default")
    assert low.metadata.deletionTimestamp is not None, "gracefully"
    target = condition(low.status.conditions, "DisruptionTarget")
    assert target is not None
    assert (target.status, target.reason, target.message) == (
        "True",
        "PreemptionByScheduler",
        "default-scheduler: preempting to accommodate a higher priority pod",
    )
    high = await sched.client.get(POD, "high", "default")
    assert (high.status.nominatedNodeName, high.spec.nodeName) == ("n1", "")
    (event,) = await sched.events("Preempted")
    assert event.message == f"Preempted by pod {high.metadata.uid} on node n1"
    await sched.make(POD, pod("late", cpu="1", priorityClassName="mid"))
    await sched.delete(POD, "low", grace_period_s=0)
    await sched.advance(10)
    assert await node_of(sched, "high") == "n1"
    assert await node_of(sched, "late") == "n1", "what is left over"
    assert (await sched.client.get(POD, "mid", "default")).metadata.deletionTimestamp is None


async def test_room_that_was_made_is_not_taken_by_a_lesser_pod(sched: Cluster) -> None:
    await classes(sched)
    await sched.add_node("n1")
    await sched.make(POD, pod("low", cpu="4", priorityClassName="low"))
    await sched.make(POD, pod("high", cpu="4", priorityClassName="high"))
    await sched.make(POD, pod("thief", cpu="4", priorityClassName="mid"))
    await sched.delete(POD, "low", grace_period_s=0)
    await sched.advance(30)
    assert await node_of(sched, "high") == "n1"
    assert await node_of(sched, "thief") == ""


async def test_who_may_not_push_out_says_so(sched: Cluster) -> None:
    await classes(sched)
    await sched.add_node("n1")
    await sched.make(POD, pod("low", cpu="4", priorityClassName="low"))
    await sched.make(POD, pod("meek", cpu="4", priorityClassName="meek"))
    meek = await sched.client.get(POD, "meek", "default")
    said = condition(meek.status.conditions, "PodScheduled")
    assert said is not None
    assert said.message == (
        "0/1 nodes are available: 1 Insufficient cpu. "
        "preemption: not eligible due to preemptionPolicy=Never."
    )
    await sched.make(POD, pod("equal", cpu="4", priorityClassName="low"))
    equal = await sched.client.get(POD, "equal", "default")
    said = condition(equal.status.conditions, "PodScheduled")
    assert said is not None
    assert said.message == (
        "0/1 nodes are available: 1 Insufficient cpu. preemption: "
        "0/1 nodes are available: 1 No preemption victims found for incoming pod."
    )


async def test_a_waiting_pod_costs_nothing(sched: Cluster) -> None:
    await sched.add_node("n1")
    await sched.make(POD, pod("huge", cpu="64"))
    await sched.advance(30)
    before = await sched.revision()
    await sched.advance(1800)  # events would go after an hour
    assert await sched.revision() == before


async def classes(plane: Cluster) -> None:
    for name, value in {"low": 1, "mid": 2, "high": 3}.items():
        await plane.make(PRIORITY_CLASS, PriorityClass(metadata=ObjectMeta(name=name), value=value))
    meek = PriorityClass(metadata=ObjectMeta(name="meek"), value=9, preemptionPolicy="Never")
    await plane.make(PRIORITY_CLASS, meek)


async def node_of(plane: Cluster, name: str) -> str:
    return (await plane.client.get(POD, name, "default")).spec.nodeName


def pod(name: str, *, cpu: str = "", **spec: Any) -> Pod:
    resources = {"resources": {"requests": {"cpu": cpu}}} if cpu else {}
    containers = [{"name": "c", "image": "web", **resources}]
    meta = {"name": name, "namespace": "default"}
    return msgspec.convert({"metadata": meta, "spec": {"containers": containers, **spec}}, Pod)
