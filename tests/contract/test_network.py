"""What every pod network promises (`appliance/node/network/base.py`), and what the bridge adds."""

import asyncio
import json
import os
import secrets
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
from pyroute2 import AsyncIPRoute

from appliance.kit.netns import socket_inside
from appliance.kit.nftables import Nft, nft_usable
from appliance.node.network.base import Network, NetworkFault, NoAddressLeft, PodLink
from appliance.node.network.bridge import BridgeNetwork
from appliance.node.network.fake import FakeNetwork
from appliance.node.network.publish import Published
from tests.lab.cluster import free_port
from tests.lab.netns import sh

OUTSIDE = "198.51.100"  # a documentation range: nothing of this host is there

Spawn = Callable[[], int]


@dataclass(frozen=True, slots=True)
class Room:
    """A network under test; `again` is the same one as a restarted agent would make it."""

    network: Network
    again: Callable[[], Network]
    pod_cidr: str
    cluster_cidr: str
    real: bool
    cluster_id: str = ""

    def links(self) -> set[str]:
        """The network's links on this host; others make theirs at the same time."""
        return {name for name in os.listdir("/sys/class/net") if self.cluster_id[:6] in name}


@pytest.fixture
def spawn() -> Iterator[Spawn]:
    """Start processes in network namespaces of their own; give their pids."""
    with ExitStack() as stack:

        def start() -> int:
            process = subprocess.Popen(
                ["unshare", "-n", "sh", "-c", "echo; exec sleep 60"], stdout=subprocess.PIPE
            )
            stack.callback(process.wait)
            stack.callback(process.kill)
            assert process.stdout is not None
            stack.callback(process.stdout.close)
            process.stdout.readline()
            return process.pid

        yield start


@pytest.fixture(params=["fake", pytest.param("bridge", marks=pytest.mark.root)])
async def room(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Room]:
    second = secrets.randbelow(50) + 180
    cluster_cidr, pod_cidr = f"10.{second}.0.0/16", f"10.{second}.7.0/29"
    if request.param == "fake":
        fake = FakeNetwork()
        yield Room(fake, lambda: fake, pod_cidr, cluster_cidr, real=False)
        return
    if os.geteuid() != 0:
        pytest.skip("needs root")
    if reason := nft_usable():
        pytest.skip(reason)
    cluster_id = secrets.token_hex(4)

    def build() -> Network:
        return BridgeNetwork(cluster_id, cluster_cidr=cluster_cidr, data_dir=tmp_path)

    yield Room(build(), build, pod_cidr, cluster_cidr, real=True, cluster_id=cluster_id)
    await build().clean_up()


@pytest.fixture
def bridge(room: Room) -> Room:
    if not room.real:
        pytest.skip("the fake makes no links")
    return room


async def socket_in(pid: int) -> socket.socket:
    """A TCP socket of another network namespace."""
    made = await socket_inside(pid)
    made.settimeout(5)
    return made


def sender_seen(listening: socket.socket, asking: socket.socket, address: str) -> str:
    """Connect, greet, answer; give the address that the listener saw."""
    with listening, asking:
        listening.bind(("0.0.0.0", 0))  # noqa: S104 - in a namespace of its own
        listening.listen()
        asking.connect((address, listening.getsockname()[1]))
        accepted, (seen, _) = listening.accept()
        with accepted:
            accepted.sendall(b"hello")
            assert asking.recv(5) == b"hello"
    return str(seen)


@pytest.mark.seed("N01")
async def test_each_pod_has_one_address_whoever_asks_how_often(room: Room, spawn: Spawn) -> None:
    await room.network.set_up(room.pod_cidr)
    one, two = PodLink(pod_uid="one", pid=spawn()), PodLink(pod_uid="two", pid=spawn())
    first, second = await room.network.attach(one), await room.network.attach(two)
    base = room.pod_cidr.removesuffix("0/29")

    assert (first.address, first.gateway) == (f"{base}2", f"{base}1")
    assert second.address == f"{base}3"
    assert await room.network.attach(one) == first


async def test_addresses_in_use_survive_a_restart(room: Room, spawn: Spawn) -> None:
    await room.network.set_up(room.pod_cidr)
    link = PodLink(pod_uid="one", pid=spawn())
    before = await room.network.attach(link)

    after = room.again()
    await after.set_up(room.pod_cidr)
    other = await after.attach(PodLink(pod_uid="two", pid=spawn()))
    assert other.address != before.address
    assert await after.attach(link) == before


async def test_a_new_sandbox_of_the_pod_keeps_the_address(room: Room, spawn: Spawn) -> None:
    await room.network.set_up(room.pod_cidr)
    before = await room.network.attach(PodLink(pod_uid="one", pid=spawn()))
    assert await room.network.attach(PodLink(pod_uid="one", pid=spawn())) == before


async def test_a_full_range_is_said_to_be_full(room: Room, spawn: Spawn) -> None:
    await room.network.set_up(room.pod_cidr)
    pid = spawn()
    for number in range(5):  # a /29 less network, gateway and broadcast
        pid = spawn()
        await room.network.attach(PodLink(pod_uid=f"pod-{number}", pid=pid))
    with pytest.raises(NoAddressLeft, match="10"):
        await room.network.attach(PodLink(pod_uid="one-too-many", pid=pid))


async def test_detaching_what_is_gone_is_fine(room: Room, spawn: Spawn) -> None:
    await room.network.set_up(room.pod_cidr)
    await room.network.attach(PodLink(pod_uid="one", pid=spawn()))
    await room.network.detach("one")
    await room.network.detach("one")
    await room.network.detach("never seen")


async def test_a_freed_address_can_be_had_again(bridge: Room, spawn: Spawn) -> None:
    await bridge.network.set_up(bridge.pod_cidr)
    for number in range(5):
        await bridge.network.attach(PodLink(pod_uid=f"pod-{number}", pid=spawn()))
    await bridge.network.detach("pod-3")
    got = await bridge.network.attach(PodLink(pod_uid="new", pid=spawn()))
    assert got.address == bridge.pod_cidr.replace("0/29", "5")


async def test_keep_only_frees_all_others(bridge: Room, spawn: Spawn) -> None:
    await bridge.network.set_up(bridge.pod_cidr)
    before = bridge.links()
    for name in ("one", "two", "three"):
        await bridge.network.attach(PodLink(pod_uid=name, pid=spawn()))
    again = bridge.again()
    await again.set_up(bridge.pod_cidr)
    await again.keep_only(frozenset({"two"}))

    assert len(bridge.links() - before) == 1


@pytest.mark.seed("N02", "N03", "N04")
async def test_pods_reach_one_another_and_the_host_by_their_own_address(
    bridge: Room, spawn: Spawn
) -> None:
    await bridge.network.set_up(bridge.pod_cidr)
    pids = [spawn(), spawn()]
    one, two = [await bridge.network.attach(PodLink(pod_uid=str(pid), pid=pid)) for pid in pids]
    assert (
        sender_seen(await socket_in(pids[1]), await socket_in(pids[0]), two.address) == one.address
    )
    assert sender_seen(socket.socket(), await socket_in(pids[0]), one.gateway) == one.address
    assert sender_seen(await socket_in(pids[0]), socket.socket(), one.address) == one.gateway
    assert (
        sender_seen(await socket_in(pids[0]), await socket_in(pids[0]), "127.0.0.1") == "127.0.0.1"
    )


async def test_a_pod_that_asks_a_service_may_be_sent_back_to_itself(
    bridge: Room, spawn: Spawn
) -> None:
    await bridge.network.set_up(bridge.pod_cidr)
    pid = spawn()
    pod = await bridge.network.attach(PodLink(pod_uid="one", pid=pid))
    service = bridge.cluster_cidr.replace("0.0/16", "99.99")
    table = f"apltest{secrets.token_hex(3)}"
    with Nft() as nft:
        nft.run_text(f"""table ip {table} {{
          chain pre {{ type nat hook prerouting priority dstnat;
                       ip daddr {service} dnat to {pod.address}; }}
          chain post {{ type nat hook postrouting priority srcnat;
                        ct status dnat ip daddr {pod.address} masquerade; }}
        }}""")
        try:
            seen = sender_seen(await socket_in(pid), await socket_in(pid), service)
        finally:
            nft.run_text(f"delete table ip {table}")
    assert seen == pod.gateway


@pytest.mark.seed("C05", "N06")
async def test_ports_of_the_host_lead_to_their_pod(
    bridge: Room, spawn: Spawn, outside: int
) -> None:
    await bridge.network.set_up(bridge.pod_cidr)
    pid, other = spawn(), spawn()
    here, there = free_port(), free_port()
    await bridge.network.attach(PodLink(pod_uid="other", pid=other))
    link = PodLink(
        pod_uid="one",
        pid=pid,
        ports=(Published("", "TCP", here, 8080), Published(f"{OUTSIDE}.1", "TCP", there, 8080)),
    )
    pod = await bridge.network.attach(link)
    with await socket_in(pid) as listening:
        listening.bind(("0.0.0.0", 8080))  # noqa: S104 - in a namespace of its own
        listening.listen()

        def seen(asking: socket.socket, address: str, port: int) -> str:
            with asking:
                asking.settimeout(2)
                asking.connect((address, port))
                accepted, (peer, _) = listening.accept()
                accepted.close()
            return str(peer)

        # From this host by any of its addresses, from beyond, from a neighbour, from itself.
        assert seen(socket.socket(), f"{OUTSIDE}.1", here) == f"{OUTSIDE}.1"
        assert seen(socket.socket(), "127.0.0.1", here) == pod.gateway
        assert seen(await socket_in(outside), f"{OUTSIDE}.1", here) == f"{OUTSIDE}.2"
        assert seen(await socket_in(other), f"{OUTSIDE}.1", here) != pod.gateway
        assert seen(await socket_in(pid), f"{OUTSIDE}.1", here) == pod.gateway
        # One address only.
        assert seen(socket.socket(), f"{OUTSIDE}.1", there) == f"{OUTSIDE}.1"
        with pytest.raises(OSError, match="refused"):
            seen(socket.socket(), "127.0.0.1", there)
        # An agent that restarts does not close them; a pod that goes does.
        again = bridge.again()
        await again.set_up(bridge.pod_cidr)
        assert seen(socket.socket(), f"{OUTSIDE}.1", here) == f"{OUTSIDE}.1"
        await again.keep_only(frozenset({"other"}))
        with pytest.raises(OSError, match="refused"):
            seen(socket.socket(), f"{OUTSIDE}.1", here)


@pytest.fixture
async def outside(room: Room, spawn: Spawn) -> AsyncIterator[int]:
    """A host beyond ours that knows no way to pods."""
    if not room.real:
        pytest.skip("the fake makes no links")
    pid, name = spawn(), f"t{secrets.token_hex(4)}"
    async with AsyncIPRoute() as here:
        peer = {"ifname": "eth0", "net_ns_pid": pid}
        await here.link("add", ifname=name, kind="veth", peer=peer)
        (index,) = await here.link_lookup(ifname=name)
        await here.link("set", index=index, state="up")
        await here.addr("add", index=index, address=f"{OUTSIDE}.1", prefixlen=24)
        async with AsyncIPRoute(netns=f"/proc/{pid}/ns/net") as there:
            (eth0,) = await there.link_lookup(ifname="eth0")
            await there.link("set", index=eth0, state="up")
            await there.addr("add", index=eth0, address=f"{OUTSIDE}.2", prefixlen=24)
        yield pid
        await here.link("del", index=index)


@pytest.mark.seed("N05")
async def test_what_leaves_the_cluster_bears_the_hosts_address(
    bridge: Room, spawn: Spawn, outside: int
) -> None:
    await bridge.network.set_up(bridge.pod_cidr)
    pid = spawn()
    await bridge.network.attach(PodLink(pod_uid="one", pid=pid))

    seen = sender_seen(await socket_in(outside), await socket_in(pid), f"{OUTSIDE}.2")
    assert seen == f"{OUTSIDE}.1"


async def test_pods_links_carry_what_the_way_out_carries(bridge: Room, spawn: Spawn) -> None:
    await bridge.network.set_up(bridge.pod_cidr)
    pid = spawn()
    await bridge.network.attach(PodLink(pod_uid="one", pid=pid))
    ways = json.loads(sh("ip", "-j", "route", "show", "default"))
    wanted = min([mtu_of(sh("ip", "-j", "link", "show", w["dev"])) for w in ways], default=1500)
    inside = sh("nsenter", f"--net=/proc/{pid}/ns/net", "ip", "-j", "link", "show", "eth0")
    assert mtu_of(inside) == wanted
    ours = sh("ip", "-j", "link", "show", f"apl{bridge.cluster_id}")
    assert mtu_of(ours) == wanted


def mtu_of(shown: str) -> int:
    return int(json.loads(shown)[0]["mtu"])


async def test_setting_up_twice_changes_nothing_for_pods(bridge: Room, spawn: Spawn) -> None:
    await bridge.network.set_up(bridge.pod_cidr)
    pids = [spawn(), spawn()]
    _, two = [await bridge.network.attach(PodLink(pod_uid=str(p), pid=p)) for p in pids]
    await bridge.again().set_up(bridge.pod_cidr)

    assert sender_seen(await socket_in(pids[1]), await socket_in(pids[0]), two.address)


async def test_clean_up_leaves_nothing(bridge: Room, spawn: Spawn, tmp_path: Path) -> None:
    await bridge.network.set_up(bridge.pod_cidr)
    for name in ("one", "two"):
        await bridge.network.attach(PodLink(pod_uid=name, pid=spawn()))
    assert len(bridge.links()) == 3
    await bridge.network.clean_up()

    assert bridge.links() == set()
    assert os.listdir(tmp_path / "agent") == []
    with Nft() as nft:
        assert bridge.pod_cidr not in nft.run_text("list ruleset")
    await bridge.network.clean_up()


async def test_an_ended_sandbox_is_said_to_have_ended(bridge: Room) -> None:
    await bridge.network.set_up(bridge.pod_cidr)
    with pytest.raises(NetworkFault, match="has ended"):
        await bridge.network.attach(PodLink(pod_uid="one", pid=2**22 + 1))


@pytest.mark.root
async def test_a_filter_that_drops_strangers_is_opened_once_and_closed_again(
    tmp_path: Path,
) -> None:
    if os.geteuid() != 0:
        pytest.skip("needs root")
    script = [sys.executable, "-m", "tests.contract.behind_docker", str(tmp_path)]
    process = await asyncio.create_subprocess_exec("unshare", "-n", *script, stdout=-1, stderr=-1)
    out, err = await process.communicate()

    assert process.returncode == 0, err.decode()
    text = out.decode()
    assert text.count('iifname "apl0a0b" counter') == 1
    assert text.count('oifname "apl0a0b" counter') == 1
    assert text.index("apl0a0b") < text.index("return")
