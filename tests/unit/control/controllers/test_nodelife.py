"""A node that falls silent loses its pods in time; a master that was away loses nothing."""

from typing import Any

import msgspec
import pytest

from appliance.api import taints
from appliance.api.kinds.core.node import NODE, Node, Taint
from appliance.api.kinds.core.pod.kind import POD, Pod
from appliance.api.objects import condition, is_true
from appliance.control.controllers.evictions import Evictions
from appliance.control.controllers.nodelife import NodeLife
from appliance.control.controllers.podgc import PodCollector
from tests.unit.control.cluster import Cluster

UNREACHABLE = [(taints.UNREACHABLE, "NoSchedule"), (taints.UNREACHABLE, "NoExecute")]


@pytest.fixture
async def farm(plane: Cluster) -> Cluster:
    """Two nodes alive, each with a pod that tolerates silence for 30 s."""
    for name in ("n1", "n2"):
        await plane.add_node(name)
        await beat(plane, name)
        made = await plane.make(POD, pod(f"on-{name}", 30))
        await plane.bind(made, name)
        await plane.set_ready(made)
    await start(plane)
    return plane


async def test_a_node_that_renews_its_lease_stays_as_it_is(farm: Cluster) -> None:
    before = (await node(farm, "n1")).metadata.resourceVersion
    for _ in range(12):
        await farm.advance(10)
        await renew(farm, "n1", "n2")
    assert (await node(farm, "n1")).metadata.resourceVersion == before
    assert len(await farm.pods()) == 2


@pytest.mark.seed("E05", "K08")
async def test_a_silent_node_is_marked_then_its_pods_are_evicted(farm: Cluster) -> None:
    await silence(farm, 45)
    silent = await node(farm, "n1")
    ready = condition(silent.status.conditions, "Ready")
    assert ready is not None
    assert (ready.status, ready.reason) == ("Unknown", "NodeStatusUnknown")
    assert marks(silent) == UNREACHABLE
    stored = await farm.client.get(POD, "on-n1", "default")
    assert not is_true(stored.status.conditions, "Ready"), "no traffic goes there"
    assert stored.metadata.deletionTimestamp is None, "it is tolerated for 30 s"
    await silence(farm, 60)
    stored = await farm.client.get(POD, "on-n1", "default")
    assert stored.metadata.deletionTimestamp is not None
    other = await farm.client.get(POD, "on-n2", "default")
    assert other.metadata.deletionTimestamp is None


async def test_a_node_that_speaks_again_is_taken_back(farm: Cluster) -> None:
    await silence(farm, 45)
    await beat(farm, "n1")
    back = await node(farm, "n1")
    assert marks(back) == []
    await silence(farm, 20)
    stored = await farm.client.get(POD, "on-n1", "default")
    assert stored.metadata.deletionTimestamp is None


async def test_while_no_node_is_ready_nobody_is_evicted(farm: Cluster) -> None:
    await farm.advance(600)
    assert marks(await node(farm, "n1")) == marks(await node(farm, "n2")) == UNREACHABLE
    assert [p.metadata.deletionTimestamp for p in await farm.pods()] == [None, None]


async def test_a_node_that_is_not_ready_is_tainted_so(farm: Cluster) -> None:
    await beat(farm, "n1", ready="False")
    assert {key for key, _ in marks(await node(farm, "n1"))} == {taints.NOT_READY}


async def test_a_cordoned_node_is_tainted_so_that_people_see_why(farm: Cluster) -> None:
    await farm.edit(NODE, "n1", {"spec": {"unschedulable": True}})
    assert marks(await node(farm, "n1")) == [(taints.UNSCHEDULABLE, "NoSchedule")]
    await farm.edit(NODE, "n1", {"spec": {"unschedulable": None}})
    assert marks(await node(farm, "n1")) == []


async def test_a_master_that_was_away_gives_every_node_a_fresh_grace(plane: Cluster) -> None:
    """The taints are older than any toleration, but the nodes have had no chance to speak."""
    old = [Taint(key=k, effect=e, timeAdded="2023-11-14T20:00:00Z") for k, e in UNREACHABLE]
    await plane.add_node("n1", taints=old)
    await plane.post_status("n1", "Unknown")
    await plane.add_node("n2")
    await beat(plane, "n2")
    made = await plane.make(POD, pod("on-n1", 30))
    await plane.bind(made)
    await start(plane)
    await silence(plane, 30)
    stored = await plane.client.get(POD, "on-n1", "default")
    assert stored.metadata.deletionTimestamp is None
    await silence(plane, 45)
    stored = await plane.client.get(POD, "on-n1", "default")
    assert stored.metadata.deletionTimestamp is not None


async def test_a_pod_leaves_at_once_when_it_tolerates_nothing(farm: Cluster) -> None:
    made = await farm.make(POD, pod("frail", None))
    await farm.bind(made, "n2")
    taint = {"key": "example.org/fire", "effect": "NoExecute"}
    await farm.edit(NODE, "n2", {"spec": {"taints": [taint]}})
    going = {p.metadata.name for p in await farm.pods() if p.metadata.deletionTimestamp}
    assert going == {"frail", "on-n2"}


@pytest.mark.seed("E06", "P06")
async def test_pods_of_a_node_that_is_gone_are_removed(farm: Cluster) -> None:
    await farm.delete(NODE, "n1")
    await silence(farm, 30)
    assert len(await farm.pods()) == 2, "it may be registering anew"
    await silence(farm, 20)
    assert await farm.names() == ["on-n2"]


async def start(plane: Cluster) -> None:
    client, informers, clock = plane.client, plane.informers, plane.clock
    await plane.start(
        NodeLife(client, informers, clock=clock, recorder=plane.recorder),
        Evictions(client, informers, clock=clock, recorder=plane.recorder),
        PodCollector(client, informers, clock=clock),
    )


async def silence(plane: Cluster, seconds: int) -> None:
    """Let time pass while only n2 speaks."""
    for _ in range(seconds // 5):
        await plane.advance(5)
        await renew(plane, "n2")


async def renew(plane: Cluster, *names: str) -> None:
    await plane.heartbeat(*names)
    await plane.settle()


async def beat(plane: Cluster, name: str, ready: str = "True") -> None:
    """Post a status and renew the Lease, as a node does."""
    await plane.post_status(name, ready)
    await renew(plane, name)


async def node(plane: Cluster, name: str) -> Node:
    return await plane.client.get(NODE, name)


def marks(node: Node) -> list[tuple[str, str]]:
    return [(taint.key, taint.effect) for taint in node.spec.taints]


def pod(name: str, tolerates_s: int | None) -> Pod:
    tolerations: list[Any] = []
    if tolerates_s is not None:
        tolerations = [
            {
                "key": key,
                "operator": "Exists",
                "effect": "NoExecute",
                "tolerationSeconds": tolerates_s,
            }
            for key in (taints.NOT_READY, taints.UNREACHABLE)
        ]
    body = {
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"containers": [{"name": "c", "image": "web"}], "tolerations": tolerations},
    }
    return msgspec.convert(body, Pod)
