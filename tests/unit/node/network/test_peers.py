"""The loop that keeps the ways: Nodes come and go, the kernel loses routes, it refuses."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence

import pytest

from appliance.api.kinds.core.node import NODE, NodeAddress
from appliance.client.base import clone
from appliance.node.network.base import NetworkFault
from appliance.node.network.peers import PeerRoutes, RangeChanged
from appliance.node.network.routes import Tunnel, Way
from tests.unit.control.cluster import Cluster, cluster

OWN = Tunnel(node_ip="192.0.2.1", pod_cidr="10.42.0.0/24", network_id=7)


class FakeKernel:
    """Routes in memory; `lose` is what a link that goes down does."""

    def __init__(self) -> None:
        self.ways: dict[str, bool] = {}
        self.refusals = 0
        self._stir: Callable[[], None] = lambda: None

    async def links(self, address: str) -> list[str]:
        return ["192.0.2.0/24"] if address == OWN.node_ip else []

    async def apply(self, ways: Sequence[Way], own: Tunnel) -> None:
        assert own == OWN
        if self.refusals:
            self.refusals -= 1
            raise NetworkFault("no such gateway")
        self.ways = {way.node: way.tunnel for way in ways}

    async def listen(self, stir: Callable[[], None]) -> None:
        self._stir = stir
        await asyncio.Event().wait()

    def lose(self) -> None:
        self.ways = {}
        self._stir()


class Room:
    """A plane with our node, the loop and its kernel."""

    def __init__(self, plane: Cluster) -> None:
        self.plane = plane
        self.kernel = FakeKernel()
        self.new_range = ""
        self.loop = PeerRoutes(
            plane.informers,
            self.kernel,
            node_name="me",
            own=OWN,
            clock=plane.clock,
            range_changed=self._changed,
        )

    async def add(self, name: str, address: str, cidr: str) -> None:
        await self.plane.add_node(name, podCIDR=cidr, podCIDRs=[cidr])
        node = clone(await self.plane.client.get(NODE, name))
        node.status.addresses = [NodeAddress(type="InternalIP", address=address)]
        await self.plane.client.update(NODE, node, subresource="status")
        await self.plane.advance(1)

    def _changed(self, cidr: str) -> None:
        self.new_range = cidr


@pytest.fixture
async def room() -> AsyncIterator[Room]:
    async with cluster() as plane:
        made = Room(plane)
        await plane.add_node("me", podCIDR=OWN.pod_cidr, podCIDRs=[OWN.pod_cidr])
        _ = plane.tasks.spawn("routes", made.loop.run())
        await plane.start()
        yield made


async def test_ways_follow_nodes_that_come_and_go(room: Room) -> None:
    await room.add("near", "192.0.2.2", "10.42.1.0/24")
    await room.add("far", "198.51.100.2", "10.42.2.0/24")
    assert room.kernel.ways == {"near": False, "far": True}
    await room.plane.delete(NODE, "near")
    await room.plane.advance(1)
    assert room.kernel.ways == {"far": True}


async def test_what_the_kernel_lost_is_written_again(room: Room) -> None:
    await room.add("near", "192.0.2.2", "10.42.1.0/24")
    room.kernel.lose()
    await room.plane.advance(1)
    assert room.kernel.ways == {"near": False}


async def test_a_refusal_is_tried_again(room: Room) -> None:
    room.kernel.refusals = 3
    await room.add("near", "192.0.2.2", "10.42.1.0/24")
    await room.plane.advance(10)
    assert room.kernel.ways == {"near": False}


async def test_another_range_of_our_own_ends_the_loop_once_it_is_kept() -> None:
    async with cluster() as plane:
        room = Room(plane)
        await plane.add_node("me", podCIDR="10.42.7.0/24", podCIDRs=["10.42.7.0/24"])
        running = asyncio.ensure_future(room.loop.run())
        await plane.start()
        with pytest.raises(RangeChanged, match=r"was 10\.42\.0\.0/24 and is 10\.42\.7\.0/24"):
            await running
        assert room.new_range == "10.42.7.0/24"
