"""Every node has a share of the pod range that no other has."""

import pytest

from appliance.api.kinds.core.node import NODE
from appliance.control.controllers.nodeipam import NodeIpam, NoShareLeft, first_free
from tests.unit.control.cluster import Cluster


@pytest.mark.parametrize(
    ("cluster", "taken", "share"),
    [
        ("10.42.0.0/16", [], "10.42.0.0/24"),
        ("10.42.0.0/16", ["10.42.0.0/24", "10.42.2.0/24"], "10.42.1.0/24"),
        ("10.42.0.0/16", ["10.42.0.0/23"], "10.42.2.0/24"),
        ("10.42.0.0/16", ["192.0.2.0/24"], "10.42.0.0/24"),
        ("10.42.7.0/26", [], "10.42.7.0/26"),
    ],
)
def test_the_first_share_that_overlaps_none(cluster: str, taken: list[str], share: str) -> None:
    assert first_free(cluster, taken) == share


def test_a_used_up_range_is_said_to_be_used_up() -> None:
    with pytest.raises(NoShareLeft, match=r"all 2 shares of 10\.42\.0\.0/23 are taken"):
        first_free("10.42.0.0/23", ["10.42.0.0/24", "10.42.1.0/24"])


async def test_nodes_get_shares_as_they_come_and_leave_them_as_they_go(plane: Cluster) -> None:
    for name in ("n1", "n2", "n3"):
        await plane.add_node(name)
    await start(plane, "10.42.0.0/16")
    assert await shares(plane) == {
        "n1": "10.42.0.0/24",
        "n2": "10.42.1.0/24",
        "n3": "10.42.2.0/24",
    }
    await plane.delete(NODE, "n2")
    await plane.add_node("n4")
    assert (await shares(plane))["n4"] == "10.42.1.0/24"


async def test_a_share_that_a_node_brings_is_its_own(plane: Cluster) -> None:
    await plane.add_node("n1", podCIDR="10.42.0.0/24", podCIDRs=["10.42.0.0/24"])
    await start(plane, "10.42.0.0/16")
    await plane.add_node("n2")
    assert await shares(plane) == {"n1": "10.42.0.0/24", "n2": "10.42.1.0/24"}


async def test_who_got_none_gets_one_when_another_leaves(plane: Cluster) -> None:
    await start(plane, "10.42.0.0/24")
    await plane.add_node("n1")
    await plane.add_node("n2")
    assert await shares(plane) == {"n1": "10.42.0.0/24", "n2": ""}
    assert [e.involvedObject.name for e in await plane.events("CIDRNotAvailable")] == ["n2"]
    await plane.delete(NODE, "n1")
    assert await shares(plane) == {"n2": "10.42.0.0/24"}


async def start(plane: Cluster, cluster_cidr: str) -> None:
    informers, recorder = plane.informers, plane.recorder
    await plane.start(
        NodeIpam(plane.client, informers, cluster_cidr=cluster_cidr, recorder=recorder)
    )


async def shares(plane: Cluster) -> dict[str, str]:
    return {n.metadata.name: n.spec.podCIDR for n in await plane.all(NODE)}
