"""The loop of policies: new pods are guarded first, nothing is watched in vain, loss is healed."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress

import msgspec
import pytest

from appliance.api.kinds.core.pod.kind import POD, Pod
from appliance.api.kinds.networking.networkpolicy import NETWORK_POLICY
from appliance.node.network.base import NetworkFault, PodLink
from appliance.node.network.fake import FakeNetwork
from appliance.node.network.policies.firewall import Firewall
from appliance.node.network.policies.guard import GuardedNetwork
from appliance.node.network.policies.loop import APPLY_EVERY_S, PolicyLoop
from tests.unit.control.cluster import Cluster, cluster
from tests.unit.node.network.policies.scenes import policy


class FakeGuard:
    """Rules in memory."""

    def __init__(self) -> None:
        self.rules = Firewall()
        self.applied = 0
        self.refusals = 0
        self.undone = asyncio.Event()

    async def apply(self, wanted: Firewall) -> None:
        if self.refusals:
            self.refusals -= 1
            raise NetworkFault("no room")
        self.rules = wanted
        self.applied += 1

    async def lost(self) -> None:
        await self.undone.wait()
        self.undone.clear()

    def guarded(self) -> set[str]:
        return set(self.rules.maps.get("ingress4", ()))


class Room:
    """A plane with the loop of node n1."""

    def __init__(self, plane: Cluster) -> None:
        self.plane = plane
        self.guard = FakeGuard()
        self.loop = PolicyLoop(
            plane.informers, plane.client, self.guard, node_name="n1", clock=plane.clock
        )
        self.network = GuardedNetwork(FakeNetwork(), self.loop)

    async def policy(self, name: str = "p") -> None:
        made = policy({"podSelector": {}}, namespace="default", name=name)
        await self.plane.client.create(NETWORK_POLICY, made, namespace="default")
        await self.turn()

    async def turn(self) -> None:
        await self.plane.settle()
        await self.plane.advance(2 * APPLY_EVERY_S)
        await self.plane.settle()


@pytest.fixture
async def room() -> AsyncIterator[Room]:
    async with cluster() as plane:
        room = Room(plane)
        _ = plane.tasks.spawn("policies", room.loop.run())
        await plane.start()
        await plane.add_node("n1")
        await room.turn()
        yield room


def new_pod(uid: str = "u1", name: str = "web") -> Pod:
    meta = {"name": name, "namespace": "default", "uid": uid}
    return msgspec.convert({"metadata": meta, "spec": {"nodeName": "n1"}}, Pod)


async def test_a_pod_that_the_api_shows_no_address_of_is_guarded_before_it_starts(
    room: Room,
) -> None:
    await room.policy()
    assert room.guard.guarded() == set()
    attaching = room.plane.tasks.spawn(
        "attach", room.network.attach(PodLink(pod_uid="u1", pid=1, pod=new_pod()))
    )
    await room.turn()
    address = attaching.result().address
    assert room.guard.guarded() == {address}
    await room.network.detach("u1")
    await room.turn()
    assert room.guard.guarded() == set()


async def test_without_policies_pods_start_at_once_and_nothing_is_written_again(
    room: Room,
) -> None:
    applied = room.guard.applied
    await room.network.attach(PodLink(pod_uid="u1", pid=1, pod=new_pod()))
    await room.turn()
    assert room.guard.applied == applied
    await room.policy()
    assert len(room.guard.guarded()) == 1, "a pod from before the policy is guarded, too"
    await room.plane.client.delete(NETWORK_POLICY, "p", namespace="default")
    await room.turn()
    assert not room.guard.rules.guards


async def test_a_pod_is_not_started_while_its_rules_are_refused(room: Room) -> None:
    await room.policy()
    room.guard.refusals = 10**6
    attaching = room.plane.tasks.spawn("attach", _fault_of(room))
    with suppress(TimeoutError):
        await asyncio.wait_for(asyncio.shield(attaching), 0.05)
    assert not attaching.done()
    room.guard.refusals = 0
    await room.plane.advance(60)
    await room.turn()
    assert await attaching == ""


async def _fault_of(room: Room) -> str:
    try:
        await room.network.attach(PodLink(pod_uid="u1", pid=1, pod=new_pod()))
    except NetworkFault as fault:
        return str(fault)
    return ""


async def test_what_others_take_away_comes_back(room: Room) -> None:
    await room.policy()
    applied = room.guard.applied
    room.guard.undone.set()
    await room.turn()
    assert room.guard.applied == applied + 1


async def test_changes_of_pods_that_policies_do_not_look_at_cost_nothing(room: Room) -> None:
    await room.policy()
    body = {"metadata": {"name": "other"}, "spec": {"containers": [{"name": "c", "image": "i"}]}}
    await room.plane.client.create(POD, msgspec.convert(body, Pod), namespace="default")
    await room.turn()
    applied = room.guard.applied
    await room.plane.edit(POD, "other", {"metadata": {"annotations": {"a": "b"}}})
    await room.turn()
    assert room.guard.applied == applied
    await room.plane.edit(POD, "other", {"metadata": {"labels": {"a": "b"}}})
    await room.turn()
    assert room.guard.applied == applied + 1
