"""A node's range comes from the master once, and from disk ever after."""

import asyncio
from pathlib import Path

from appliance.api.kinds.core.node import NODE, Node
from appliance.api.meta import ObjectMeta
from appliance.control.controllers.nodeipam import NodeIpam
from appliance.node.podrange import keep_range, own_range
from tests.unit.control.cluster import Cluster, cluster

FRESH = Node(metadata=ObjectMeta(name="pi-2"))


async def ask(plane: Cluster, folder: Path) -> str:
    return await own_range(plane.client, FRESH, data_dir=folder, clock=plane.clock)


async def test_a_new_node_waits_until_it_has_been_given_one(tmp_path: Path) -> None:
    async with cluster() as plane:
        asked = plane.tasks.spawn("ask", ask(plane, tmp_path))
        await plane.settle()
        assert not asked.done()
        ipam = NodeIpam(
            plane.client,
            plane.informers,
            cluster_cidr="10.42.0.0/16",
            recorder=plane.recorder,
        )
        await plane.start(ipam)
        async with asyncio.timeout(5):
            assert await asked == "10.42.0.0/24"
        await plane.delete(NODE, "pi-2")
        assert await ask(plane, tmp_path) == "10.42.0.0/24", "from disk: nobody is asked"


async def test_a_node_that_is_known_has_its_range_at_once(tmp_path: Path) -> None:
    async with cluster() as plane:
        await plane.add_node("pi-2", podCIDR="10.42.7.0/24", podCIDRs=["10.42.7.0/24"])
        assert await ask(plane, tmp_path) == "10.42.7.0/24"


async def test_a_kept_range_needs_no_master(tmp_path: Path) -> None:
    keep_range(tmp_path, "10.42.9.0/24")
    async with cluster() as plane:
        before = await plane.revision()
        assert await ask(plane, tmp_path) == "10.42.9.0/24"
        assert await plane.revision() == before
