"""Which way leads to which node: pure, then in a kernel of its own."""

import json
import subprocess
import sys
from typing import Any

import msgspec
import pytest

from appliance.api.kinds.core.node import Node
from appliance.node.network.routes import Way, find_ways, network_id
from tests.lab.netns import can_make_namespaces

LINKS = ("192.0.2.0/24",)


def node(name: str, address: str, cidr: str) -> Node:
    body: dict[str, Any] = {
        "metadata": {"name": name},
        "spec": {"podCIDR": cidr},
        "status": {"addresses": [{"type": "InternalIP", "address": address}] if address else []},
    }
    return msgspec.convert(body, Node)


@pytest.mark.parametrize(
    ("address", "tunnel"), [("192.0.2.7", False), ("198.51.100.7", True), ("192.0.3.7", True)]
)
def test_a_neighbour_is_its_own_gateway_and_others_get_a_tunnel(address: str, tunnel: bool) -> None:
    ways = find_ways([node("far", address, "10.42.1.0/24")], "me", LINKS)
    assert ways.others == (
        Way(node="far", pod_cidr="10.42.1.0/24", address=address, tunnel=tunnel),
    )


def test_without_a_link_everybody_is_far() -> None:
    ways = find_ways([node("far", "192.0.2.7", "10.42.1.0/24")], "me", ())
    assert [way.tunnel for way in ways.others] == [True]


def test_no_way_leads_to_ourselves_or_to_who_has_nothing_yet() -> None:
    nodes = [
        node("me", "192.0.2.1", "10.42.0.0/24"),
        node("new", "192.0.2.2", ""),
        node("newer", "", "10.42.2.0/24"),
        node("named", "pi-7", "10.42.3.0/24"),
    ]
    ways = find_ways(nodes, "me", LINKS)
    assert (ways.own_cidr, ways.others) == ("10.42.0.0/24", ())


def test_clusters_have_different_tunnels() -> None:
    assert network_id("ab" * 32) == 0xABABAB
    assert network_id("0" * 64) == 1, "0 is no id"


IN_A_KERNEL_OF_ITS_OWN = """
import asyncio, json, subprocess, sys
from appliance.node.network.routes import Tunnel, Way
from appliance.node.network.wiring import Wiring

def ip(*argv):
    return subprocess.run(["ip", *argv], check=True, capture_output=True, text=True).stdout

def state():
    routes = {r["dst"]: (r["gateway"], r["dev"]) for r in json.loads(ip("-j", "route"))
              if r.get("protocol") == "98"}
    fdb = subprocess.run(["bridge", "fdb"], capture_output=True, text=True).stdout
    lines = [line.split() for line in fdb.splitlines() if "apv0a0b0c" in line]
    ends = sorted(words[4] for words in lines if "dst" in words)
    neighbours = sorted(n["dst"] for n in json.loads(ip("-j", "neigh")) if n["dev"] == "apv0a0b0c")
    tunnel = "apv0a0b0c" in [link["ifname"] for link in json.loads(ip("-j", "link"))]
    return {"routes": routes, "ends": ends, "neighbours": neighbours, "tunnel": tunnel}

def way(name, cidr, address, tunnel):
    return Way(node=name, pod_cidr=cidr, address=address, tunnel=tunnel)

async def main():
    ip("link", "add", "eth0", "type", "veth", "peer", "name", "far0")
    for name in ("eth0", "far0"):
        ip("link", "set", name, "up")
    ip("addr", "add", "192.0.2.1/24", "dev", "eth0")
    ip("route", "add", "10.42.99.0/24", "via", "192.0.2.99")
    wiring, own = Wiring("0a0b0c"), Tunnel(
        node_ip="192.0.2.1", pod_cidr="10.42.0.0/24", network_id=77)
    near = way("near", "10.42.1.0/24", "192.0.2.7", False)
    far = [way("far", "10.42.2.0/24", "198.51.100.7", True),
           way("farther", "10.42.3.0/24", "198.51.100.8", True)]
    seen = {"links": await wiring.links("192.0.2.1")}
    heard = asyncio.Event()
    listening = asyncio.ensure_future(wiring.listen(heard.set))
    await asyncio.wait_for(heard.wait(), 5); heard.clear()
    for _ in range(2):
        await wiring.apply([near, *far], own)
    seen["all"] = state()
    seen["mtu"] = json.loads(ip("-j", "link", "show", "apv0a0b0c"))[0]["mtu"]
    await asyncio.sleep(0.2); heard.clear()
    await wiring.apply([near, *far], own)
    await asyncio.sleep(0.2)
    seen["echo"] = heard.is_set()
    await wiring.apply([near, far[1]], own)
    seen["one gone"] = state()
    await wiring.apply([near], own)
    seen["near only"] = state()
    await asyncio.sleep(0.2); heard.clear()
    ip("link", "set", "eth0", "down")
    await asyncio.wait_for(heard.wait(), 5)
    seen["link down"] = state()
    ip("link", "set", "eth0", "up")
    await wiring.apply([near, *far], own)
    seen["healed"] = state()
    await wiring.clean_up()
    seen["cleaned"] = state()
    ip("route", "add", "10.42.99.0/24", "via", "192.0.2.99")
    listening.cancel()
    print(json.dumps(seen))
asyncio.run(main())
"""


@pytest.fixture(scope="module")
def seen() -> dict[str, Any]:
    if not can_make_namespaces():
        pytest.skip("needs root and ip")
    argv = ["unshare", "-n", sys.executable, "-c", IN_A_KERNEL_OF_ITS_OWN]
    done = subprocess.run(argv, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


NEAR = ["192.0.2.7", "eth0"]


@pytest.mark.root
def test_the_kernel_has_every_way(seen: dict[str, Any]) -> None:
    assert seen["links"] == ["192.0.2.0/24"]
    assert seen["all"] == {
        "routes": {
            "10.42.1.0/24": NEAR,
            "10.42.2.0/24": ["10.42.2.0", "apv0a0b0c"],
            "10.42.3.0/24": ["10.42.3.0", "apv0a0b0c"],
        },
        "ends": ["198.51.100.7", "198.51.100.8"],
        "neighbours": ["10.42.2.0", "10.42.3.0"],
        "tunnel": True,
    }


@pytest.mark.root
def test_what_is_right_is_left_alone(seen: dict[str, Any]) -> None:
    assert not seen["echo"], "or the loop that listens would never come to rest"


@pytest.mark.root
def test_the_tunnel_leaves_room_for_its_own_headers(seen: dict[str, Any]) -> None:
    assert seen["mtu"] == 1450


@pytest.mark.root
def test_ways_to_nodes_that_go_are_removed(seen: dict[str, Any]) -> None:
    assert set(seen["one gone"]["routes"]) == {"10.42.1.0/24", "10.42.3.0/24"}
    assert seen["one gone"]["ends"] == ["198.51.100.8"]
    assert seen["one gone"]["neighbours"] == ["10.42.3.0"]
    assert seen["near only"]["routes"] == {"10.42.1.0/24": NEAR}
    assert not seen["near only"]["tunnel"]


@pytest.mark.root
def test_what_a_lost_link_took_along_is_noticed_and_written_again(seen: dict[str, Any]) -> None:
    assert seen["link down"]["routes"] == {}
    assert seen["healed"] == seen["all"]


@pytest.mark.root
def test_nothing_is_left_behind(seen: dict[str, Any]) -> None:
    assert seen["cleaned"] == {"routes": {}, "ends": [], "neighbours": [], "tunnel": False}
