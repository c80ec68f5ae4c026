"""What every proxy back end promises, by real traffic between network namespaces."""

import asyncio
import json
import os
import signal
import socket
import struct
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import TypeVar

import pytest

from appliance.kit.clock import SystemClock
from appliance.kit.nftables import nft_usable
from appliance.proxy.backends.base import Backend
from appliance.proxy.backends.nftables import NftablesBackend
from appliance.proxy.backends.userspace import RelayOptions, UserspaceBackend
from appliance.proxy.relays.wire import meeting_point
from appliance.proxy.table import Endpoint, ServicePort, ServiceTable, table_of
from tests.lab.netns import OUTER, OUTER_NODE, Lab, ask_tcp, ask_udp, inside, sh

T = TypeVar("T")
pytestmark = pytest.mark.root
VIP, PORT, NODE_PORT = "10.43.0.9", 80, 30080


@pytest.fixture
def lab() -> Iterator[Lab]:
    lab = Lab()
    try:
        yield lab
    finally:
        lab.close()


@pytest.fixture(params=["nftables", "userspace"])
async def backend(
    lab: Lab, request: pytest.FixtureRequest, tmp_path: Path
) -> AsyncIterator[Backend]:
    with inside(lab.node):
        made: Backend
        if request.param == "nftables":
            if why := nft_usable():
                pytest.skip(f"nftables can't be used here: {why}")
            made = NftablesBackend("test", inside="10.42.0.0/16")
        else:
            made = relays(tmp_path)
        yield made
        await made.clean_up()


def relays(folder: Path) -> UserspaceBackend:
    options = RelayOptions(
        cluster_id="test",
        service_cidr="10.43.0.0/16",
        inside="10.42.0.0/16",
        log=folder / "relays.log",
    )
    return UserspaceBackend(options, clock=SystemClock())


async def tcp(lab: Lab, address: str, port: int, *, source: str = "") -> tuple[str, str]:
    """Ask from a thread, so that a back end in this loop can work meanwhile."""
    namespace = lab.namespace_of(source) if source else lab.node
    return await asyncio.to_thread(_inside, namespace, ask_tcp, address, port)


async def udp(lab: Lab, address: str, port: int, *, source: str = "") -> str:
    namespace = lab.namespace_of(source) if source else lab.node
    return await asyncio.to_thread(_inside, namespace, ask_udp, address, port)


def _inside(namespace: str, ask: Callable[[str, int], T], address: str, port: int) -> T:
    with inside(namespace):
        return ask(address, port)


async def names(lab: Lab, times: int, *, source: str = "") -> Counter[str]:
    return Counter([(await tcp(lab, VIP, PORT, source=source))[0] for _ in range(times)])


def table(*addresses: str, protocol: str = "tcp", **more: object) -> ServiceTable:
    values: dict[str, object] = {
        "namespace": "d",
        "name": "web",
        "port_name": "",
        "protocol": protocol,
        "cluster_ip": VIP,
        "port": PORT,
        "node_port": NODE_PORT,
        "endpoints": tuple(Endpoint(a, 8080, local=True) for a in addresses),
    }
    return table_of(ServicePort(**{**values, **more}))  # type: ignore[arg-type]


@pytest.mark.seed("S07", "S08")
async def test_connections_from_node_and_pods_reach_every_endpoint(
    lab: Lab, backend: Backend
) -> None:
    first, second, client = lab.pod(serve=8080), lab.pod(serve=8080), lab.pod()
    await backend.apply(table(first, second))
    assert set(await names(lab, 40)) == {first, second}
    assert set(await names(lab, 40, source=client)) == {first, second}


@pytest.mark.seed("S25")
async def test_nftables_shows_pods_the_clients_own_address(lab: Lab, backend: Backend) -> None:
    if not isinstance(backend, NftablesBackend):
        pytest.skip("a relay hides the client, as the original proxy did")
    only, client = lab.pod(serve=8080), lab.pod()
    await backend.apply(table(only))
    assert await tcp(lab, VIP, PORT, source=client) == (only, client)


async def test_a_node_port_answers_on_the_nodes_addresses_and_on_localhost(
    lab: Lab, backend: Backend
) -> None:
    only, client = lab.pod(serve=8080), lab.pod()
    await backend.apply(table(only))
    assert (await tcp(lab, "127.0.0.1", NODE_PORT))[0] == only
    assert (await tcp(lab, "10.42.0.1", NODE_PORT))[0] == only
    assert (await tcp(lab, "10.42.0.1", NODE_PORT, source=client))[0] == only


async def test_a_pod_reaches_itself_by_its_service(lab: Lab, backend: Backend) -> None:
    only = lab.pod(serve=8080)
    await backend.apply(table(only))
    assert (await tcp(lab, VIP, PORT, source=only))[0] == only


@pytest.mark.seed("S07", "S11")
async def test_udp_is_sent_on_too(lab: Lab, backend: Backend) -> None:
    only, client = lab.pod(serve=8080), lab.pod()
    await backend.apply(table(only, protocol="udp"))
    assert await udp(lab, VIP, PORT, source=client) == only


@pytest.mark.seed("S22", "S23")
async def test_an_outside_address_of_the_node_leads_to_the_service(
    lab: Lab, backend: Backend
) -> None:
    only, client = lab.pod(serve=8080), lab.pod()
    sh("ip", "addr", "add", "203.0.113.7/32", "dev", "lo")
    await backend.apply(table(only, external_ips=("203.0.113.7",)))
    assert (await tcp(lab, "203.0.113.7", PORT))[0] == only
    assert (await tcp(lab, "203.0.113.7", PORT, source=client))[0] == only


@pytest.mark.seed("S10")
async def test_a_dead_endpoint_costs_relays_no_request_and_rules_none_once_it_is_out(
    lab: Lab, backend: Backend
) -> None:
    alive, dead = lab.pod(serve=8080), lab.pod()
    await backend.apply(table(alive, dead))
    if isinstance(backend, NftablesBackend):
        await backend.apply(table(alive))  # packets are not tried again: readiness takes it out
    assert set(await names(lab, 20)) == {alive}


async def test_a_change_of_endpoints_is_followed(lab: Lab, backend: Backend) -> None:
    first, second = lab.pod(serve=8080), lab.pod(serve=8080)
    await backend.apply(table(first))
    assert set(await names(lab, 10)) == {first}
    await backend.apply(table(first, second))
    assert set(await names(lab, 40)) == {first, second}
    await backend.apply(table(second))
    assert set(await names(lab, 10)) == {second}


@pytest.mark.seed("S12")
async def test_without_endpoints_a_client_is_refused_at_once(lab: Lab, backend: Backend) -> None:
    client = lab.pod()
    await backend.apply(table())
    with pytest.raises(ConnectionRefusedError):
        await tcp(lab, VIP, PORT)
    with pytest.raises(ConnectionRefusedError):
        await tcp(lab, VIP, PORT, source=client)


@pytest.mark.seed("S09")
async def test_with_affinity_a_client_stays_with_one_endpoint_whatever_comes_and_goes(
    lab: Lab, backend: Backend
) -> None:
    ends, client = [lab.pod(serve=8080) for _ in range(3)], lab.pod()
    await backend.apply(table(*ends, affinity_s=60))
    (mine,) = await names(lab, 20, source=client)
    other = next(end for end in ends if end != mine)
    await backend.apply(table(*(end for end in ends if end != other), affinity_s=60))
    assert set(await names(lab, 10, source=client)) == {mine}
    await backend.apply(table(*ends, lab.pod(serve=8080), affinity_s=60))
    assert set(await names(lab, 10, source=client)) == {mine}


@pytest.mark.seed("S09")
async def test_when_its_endpoint_goes_a_client_moves_once(lab: Lab, backend: Backend) -> None:
    ends, client = [lab.pod(serve=8080) for _ in range(3)], lab.pod()
    await backend.apply(table(*ends, affinity_s=60))
    (first,) = await names(lab, 3, source=client)
    left = [end for end in ends if end != first]
    await backend.apply(table(*left, affinity_s=60))
    (second,) = await names(lab, 20, source=client)
    assert second in left
    await backend.apply(table(*ends, affinity_s=60))
    assert set(await names(lab, 10, source=client)) == {second}, "it does not go back"


async def test_affinity_holds_on_the_node_itself_and_on_node_ports(
    lab: Lab, backend: Backend
) -> None:
    ends, client = [lab.pod(serve=8080) for _ in range(3)], lab.pod()
    await backend.apply(table(*ends, affinity_s=60))
    assert len(await names(lab, 10)) == 1
    seen = {(await tcp(lab, "10.42.0.1", NODE_PORT, source=client))[0] for _ in range(10)}
    assert len(seen) == 1
    assert len({(await tcp(lab, "127.0.0.1", NODE_PORT))[0] for _ in range(10)}) == 1


async def test_affinity_for_udp(lab: Lab, backend: Backend) -> None:
    ends, client = [lab.pod(serve=8080) for _ in range(3)], lab.pod()
    await backend.apply(table(*ends, protocol="udp", affinity_s=60))
    assert len({await udp(lab, VIP, PORT, source=client) for _ in range(10)}) == 1


async def test_affinity_ends_when_a_client_was_idle_for_so_long(lab: Lab, backend: Backend) -> None:
    ends = [lab.pod(serve=8080) for _ in range(3)]
    await backend.apply(table(*ends, affinity_s=1))
    seen = set()
    while len(seen) < 2:  # where a choice is random it may fall on the same a few times
        seen.add((await tcp(lab, VIP, PORT))[0])
        await SystemClock().sleep(1.1)  # real time is what is tested


async def test_each_connection_starts_nftables_time_anew(lab: Lab, backend: Backend) -> None:
    if not isinstance(backend, NftablesBackend):
        pytest.skip("relays keep time in the balancer, which has tests of its own")
    await backend.apply(table(lab.pod(serve=8080), affinity_s=300))
    await tcp(lab, VIP, PORT)
    while (left := _left_s()) > 297:
        await SystemClock().sleep(0.1)
    await tcp(lab, VIP, PORT)
    assert _left_s() > left


def _left_s() -> int:
    found = json.loads(sh("nft", "-j", "list", "map", "ip", "appliance_test_services", "affinity"))
    ((key, _),) = found["nftables"][-1]["map"]["elem"]
    return int(key["elem"]["expires"])


async def test_nftables_affinity_outlives_the_agent(lab: Lab, backend: Backend) -> None:
    if not isinstance(backend, NftablesBackend):
        pytest.skip("relays end with their process; there is nothing to take over")
    ends, client = [lab.pod(serve=8080) for _ in range(3)], lab.pod()
    await backend.apply(table(*ends, affinity_s=60))
    (mine,) = await names(lab, 3, source=client)
    await NftablesBackend("test").apply(table(*ends, affinity_s=60))
    assert set(await names(lab, 15, source=client)) == {mine}


@pytest.mark.seed("S13")
async def test_a_second_nftables_back_end_takes_over_after_a_restart(
    lab: Lab, backend: Backend
) -> None:
    if not isinstance(backend, NftablesBackend):
        pytest.skip("relays end with their process; there is nothing to take over")
    first, second = lab.pod(serve=8080), lab.pod(serve=8080)
    await backend.apply(table(first))
    await NftablesBackend("test").apply(table(second))
    assert set(await names(lab, 10)) == {second}


async def test_nftables_heals_drift_at_the_next_change(lab: Lab, backend: Backend) -> None:
    if not isinstance(backend, NftablesBackend):
        pytest.skip("there are no rules that could drift")
    first, second = lab.pod(serve=8080), lab.pod(serve=8080)
    await backend.apply(table(first))
    sh("nft", "flush", "ruleset")
    await backend.apply(table(second))
    assert set(await names(lab, 10)) == {second}


@pytest.mark.seed("S13")
@pytest.mark.parametrize(
    "how",
    [
        "flush ruleset",
        "flush chain ip appliance_test_services prerouting",
        "flush map ip appliance_test_services endpoints",
        "delete table ip appliance_test_services",
    ],
)
async def test_nftables_hears_of_it_when_its_rules_are_taken_away(
    lab: Lab, backend: Backend, how: str
) -> None:
    if not isinstance(backend, NftablesBackend):
        pytest.skip("there are no rules that could be taken away")
    only = lab.pod(serve=8080)
    waiting = asyncio.get_running_loop().create_task(backend.drifted())
    await backend.apply(table())
    await backend.apply(table(only))
    sh("nft", "add", "table", "ip", "somebody_else")
    sh("nft", "delete", "table", "ip", "somebody_else")
    await tcp(lab, VIP, PORT)
    assert not waiting.done(), "our own changes and those of others' tables are no drift"
    sh("nft", *how.split())
    await asyncio.wait_for(waiting, 5)
    await backend.apply(table(only))
    assert (await tcp(lab, VIP, PORT))[0] == only


async def test_nftables_leaves_no_mark_on_what_it_sends_on(lab: Lab, backend: Backend) -> None:
    """A tunnel would take the mark over, and its own packets would be masqueraded by it."""
    if not isinstance(backend, NftablesBackend):
        pytest.skip("relays mark nothing")
    only, client = lab.pod(serve=8080), lab.pod()
    await backend.apply(table(only))
    sh("nft", "table ip probe { chain post { type filter hook postrouting priority 300; "
       "meta mark != 0 counter; }; }")  # fmt: skip
    assert (await tcp(lab, "10.42.0.1", NODE_PORT, source=client)) == (only, "10.42.0.1")
    assert "counter packets 0 " in sh("nft", "list", "table", "ip", "probe")


async def test_a_relay_process_outlives_its_agent_and_is_found_again(
    lab: Lab, backend: Backend, tmp_path: Path
) -> None:
    if not isinstance(backend, UserspaceBackend):
        pytest.skip("rules are the kernel's; they outlive everybody")
    first, second = lab.pod(serve=8080), lab.pod(serve=8080)
    await backend.apply(table(first))
    pid = relay_pid()
    again = relays(tmp_path)  # as an agent after kill -9: the old one never said a word
    assert set(await names(lab, 4)) == {first}
    await again.apply(table(first))
    assert relay_pid() == pid, "nothing flaps"
    await again.apply(table(second))
    assert set(await names(lab, 4)) == {second}


async def test_a_relay_process_that_died_is_noticed_and_replaced(
    lab: Lab, backend: Backend
) -> None:
    if not isinstance(backend, UserspaceBackend):
        pytest.skip("there is no process that could die")
    only = lab.pod(serve=8080)
    waiting = asyncio.get_running_loop().create_task(backend.drifted())
    await backend.apply(table(only))
    os.kill(relay_pid(), signal.SIGKILL)
    await asyncio.wait_for(waiting, 5)
    await backend.apply(table(only))
    assert set(await names(lab, 4)) == {only}


def relay_pid() -> int:
    """The process at the other end of our line."""
    with socket.socket(socket.AF_UNIX) as line:
        line.connect(meeting_point("test"))
        return int(
            struct.unpack("3i", line.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))[0]
        )


# what comes from outside

LB, EXTERNAL = "203.0.113.7", "203.0.113.8"


def near_and_far(lab: Lab) -> tuple[str, str, dict[str, object]]:
    """Two endpoints, of which one is on another node; the client outside knows the way to LB."""
    near, far = lab.pod(serve=8080), lab.pod(serve=8080)
    lab.outside()
    sh("ip", "addr", "add", f"{LB}/32", "dev", "lo")
    ends = {
        "endpoints": (Endpoint(near, 8080, local=True), Endpoint(far, 8080)),
        "local_endpoints": (Endpoint(near, 8080, local=True),),
        "balancer_ips": (LB,),
        "external_ips": (EXTERNAL,),
    }
    return near, far, ends


async def asked(lab: Lab, address: str, port: int, source: str, times: int = 12) -> set[str]:
    return {(await tcp(lab, address, port, source=source))[0] for _ in range(times)}


async def unanswered(lab: Lab, address: str, port: int, source: str) -> bool:
    """Dropped or cut, but never a success."""

    def ask(address: str, port: int) -> str:
        return ask_tcp(address, port, timeout_s=0.7)[0]

    try:
        return not await asyncio.to_thread(_inside, lab.namespace_of(source), ask, address, port)
    except OSError:
        return True


async def test_from_outside_every_way_in_leads_to_all_endpoints(lab: Lab, backend: Backend) -> None:
    near, far, ends = near_and_far(lab)
    await backend.apply(table(**ends))
    for address, port in ((LB, PORT), (EXTERNAL, PORT), (OUTER_NODE, NODE_PORT)):
        assert await asked(lab, address, port, OUTER, 24) == {near, far}
        if isinstance(backend, NftablesBackend):
            _, seen = await tcp(lab, address, port, source=OUTER)
            assert seen != OUTER, "answers of another node's endpoint must come back this way"


async def test_external_policy_local_keeps_outside_traffic_here_and_shows_the_client(
    lab: Lab, backend: Backend
) -> None:
    near, far, ends = near_and_far(lab)
    pod = lab.pod()
    await backend.apply(table(**ends, local_only_external=True))
    for address, port in ((LB, PORT), (EXTERNAL, PORT), (OUTER_NODE, NODE_PORT)):
        assert await asked(lab, address, port, OUTER) == {near}
        if isinstance(backend, NftablesBackend):
            assert (await tcp(lab, address, port, source=OUTER))[1] == OUTER
    assert await asked(lab, VIP, PORT, pod, 24) == {near, far}, "the cluster's own traffic is free"
    assert await asked(lab, LB, PORT, pod, 24) == {near, far}
    assert await asked(lab, "10.42.0.1", NODE_PORT, "", 24) == {near, far}


async def test_external_policy_local_without_an_endpoint_here_serves_nobody_outside(
    lab: Lab, backend: Backend
) -> None:
    _, far, ends = near_and_far(lab)
    ends |= {"endpoints": (Endpoint(far, 8080),), "local_endpoints": ()}
    pod = lab.pod()
    await backend.apply(table(**ends, local_only_external=True))
    assert await unanswered(lab, LB, PORT, OUTER)
    assert await unanswered(lab, OUTER_NODE, NODE_PORT, OUTER)
    assert await asked(lab, VIP, PORT, pod) == {far}
    assert await asked(lab, LB, PORT, pod) == {far}


async def test_internal_policy_local_keeps_the_clusters_traffic_here(
    lab: Lab, backend: Backend
) -> None:
    near, far, ends = near_and_far(lab)
    pod = lab.pod()
    await backend.apply(table(**ends, local_only_internal=True))
    assert await asked(lab, VIP, PORT, pod) == {near}
    assert await asked(lab, LB, PORT, OUTER, 24) == {near, far}, "that is about the outside"
    ends |= {"endpoints": (Endpoint(far, 8080),), "local_endpoints": ()}
    await backend.apply(table(**ends, local_only_internal=True))
    assert await unanswered(lab, VIP, PORT, pod)


async def test_a_load_balancer_lets_only_named_networks_in(lab: Lab, backend: Backend) -> None:
    near, far, ends = near_and_far(lab)
    await backend.apply(table(**ends, allowed_sources=("198.51.100.0/24",)))
    assert await unanswered(lab, LB, PORT, OUTER)
    assert await asked(lab, EXTERNAL, PORT, OUTER, 24) == {near, far}, "other ways in are free"
    assert await asked(lab, OUTER_NODE, NODE_PORT, OUTER, 24) == {near, far}
    await backend.apply(table(**ends, allowed_sources=("198.51.100.0/24", "192.0.2.0/28")))
    assert await asked(lab, LB, PORT, OUTER, 24) == {near, far}
    await backend.apply(table(**ends))
    assert await asked(lab, LB, PORT, OUTER, 24) == {near, far}


async def test_nftables_sends_sctp_on(lab: Lab, backend: Backend) -> None:
    """By raw packets, so that the kernel needs no SCTP of its own."""
    if not isinstance(backend, NftablesBackend):
        pytest.skip("sockets of SCTP are not relayed")
    only, client = lab.pod(), lab.pod()
    await backend.apply(table(only, protocol="sctp"))
    sctp = socket.IPPROTO_SCTP
    with inside(lab.namespace_of(only)):
        server = socket.socket(socket.AF_INET, socket.SOCK_RAW, sctp)
    with inside(lab.namespace_of(client)):
        asking = socket.socket(socket.AF_INET, socket.SOCK_RAW, sctp)
    with server, asking:
        server.settimeout(3)
        asking.sendto(sctp_init(40000, PORT), (VIP, 0))
        packet = server.recv(1000)
    source, port = socket.inet_ntoa(packet[12:16]), struct.unpack_from(">HH", packet, 20)
    assert source == client
    assert port == (40000, 8080)


def sctp_init(source: int, target: int) -> bytes:
    """The first packet of an association (RFC 9260 3.3.2), with its checksum."""
    chunk = struct.pack(">BBHIIHHI", 1, 0, 20, 7, 65536, 1, 1, 1)
    head = struct.pack(">HHI", source, target, 0)
    crc = 0xFFFFFFFF
    for byte in head + bytes(4) + chunk:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return head + struct.pack("<I", crc ^ 0xFFFFFFFF) + chunk


async def test_a_udp_client_comes_away_from_an_endpoint_that_is_gone(
    lab: Lab, backend: Backend
) -> None:
    first, second, client = lab.pod(serve=8080), lab.pod(serve=8080), lab.pod()
    await backend.apply(table(first, protocol="udp"))
    with inside(lab.namespace_of(client)):
        talk = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    with talk:
        talk.settimeout(2)
        assert await asyncio.to_thread(say, talk) == first
        await backend.apply(table(second, protocol="udp"))
        assert await asyncio.to_thread(say, talk) == second, "the same port of the client's"


def say(talk: socket.socket) -> str:
    talk.sendto(b"?", (VIP, PORT))
    return talk.recv(100).decode()


async def test_clean_up_leaves_nothing_of_ours_and_others_alone(lab: Lab, backend: Backend) -> None:
    sh("nft", "add", "table", "ip", "somebody_else")
    routes = local_routes()
    await backend.apply(table(lab.pod()))
    await backend.clean_up()
    found = json.loads(sh("nft", "-j", "list", "tables"))["nftables"]
    assert [t["table"]["name"] for t in found if "table" in t] == ["somebody_else"]
    assert local_routes() == routes
    with pytest.raises(OSError, match=r"refused|unreachable|timed out"):
        await tcp(lab, "10.42.0.1", NODE_PORT)


def local_routes() -> str:
    """A bridge without ports is down, which its routes show."""
    return sh("ip", "route", "show", "table", "local").replace("linkdown ", "")
