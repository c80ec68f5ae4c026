"""What every proxy back end promises, by real traffic between network namespaces."""

import json
from collections import Counter
from collections.abc import AsyncIterator, Iterator

import pytest

from appliance.kit.nftables import nft_usable
from appliance.proxy.backends.base import Backend
from appliance.proxy.backends.nftables import NftablesBackend
from appliance.proxy.table import Endpoint, ServicePort, ServiceTable
from tests.lab.netns import Lab, ask_tcp, ask_udp, inside, sh

pytestmark = pytest.mark.root
VIP, PORT, NODE_PORT = "10.43.0.9", 80, 30080


@pytest.fixture
def lab() -> Iterator[Lab]:
    lab = Lab()
    try:
        yield lab
    finally:
        lab.close()


@pytest.fixture
async def backend(lab: Lab) -> AsyncIterator[Backend]:
    if why := nft_usable():
        pytest.skip(f"nftables can't be used here: {why}")
    with inside(lab.node):
        made = NftablesBackend("test")
        yield made


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
    return ServiceTable((ServicePort(**{**values, **more}),))  # type: ignore[arg-type]


async def test_connections_from_node_and_pods_reach_every_endpoint(
    lab: Lab, backend: Backend
) -> None:
    first, second, client = lab.pod(serve=8080), lab.pod(serve=8080), lab.pod()
    await backend.apply(table(first, second))
    seen = Counter(ask_tcp(VIP, PORT)[0] for _ in range(40))
    assert set(seen) == {first, second}
    with inside(lab.namespace_of(client)):
        answers = [ask_tcp(VIP, PORT) for _ in range(40)]
    assert {name for name, _ in answers} == {first, second}
    assert {source for _, source in answers} == {client}, "pods are seen by their own address"


async def test_a_node_port_answers_on_the_nodes_addresses_and_on_localhost(
    lab: Lab, backend: Backend
) -> None:
    only, client = lab.pod(serve=8080), lab.pod()
    await backend.apply(table(only))
    assert ask_tcp("127.0.0.1", NODE_PORT)[0] == only
    assert ask_tcp("10.42.0.1", NODE_PORT)[0] == only
    with inside(lab.namespace_of(client)):
        assert ask_tcp("10.42.0.1", NODE_PORT)[0] == only


async def test_a_pod_reaches_itself_by_its_service(lab: Lab, backend: Backend) -> None:
    only = lab.pod(serve=8080)
    await backend.apply(table(only))
    with inside(lab.namespace_of(only)):
        assert ask_tcp(VIP, PORT)[0] == only


async def test_udp_is_sent_on_too(lab: Lab, backend: Backend) -> None:
    only, client = lab.pod(serve=8080), lab.pod()
    await backend.apply(table(only, protocol="udp"))
    with inside(lab.namespace_of(client)):
        assert ask_udp(VIP, PORT) == only


async def test_a_change_of_endpoints_is_followed(lab: Lab, backend: Backend) -> None:
    first, second = lab.pod(serve=8080), lab.pod(serve=8080)
    await backend.apply(table(first))
    assert {ask_tcp(VIP, PORT)[0] for _ in range(10)} == {first}
    await backend.apply(table(first, second))
    assert {ask_tcp(VIP, PORT)[0] for _ in range(40)} == {first, second}
    await backend.apply(table(second))
    assert {ask_tcp(VIP, PORT)[0] for _ in range(10)} == {second}


async def test_without_endpoints_a_client_is_refused_at_once(lab: Lab, backend: Backend) -> None:
    client = lab.pod()
    await backend.apply(table())
    with pytest.raises(ConnectionRefusedError):
        ask_tcp(VIP, PORT)
    with inside(lab.namespace_of(client)), pytest.raises(ConnectionRefusedError):
        ask_tcp(VIP, PORT)


async def test_with_affinity_a_client_stays_with_one_endpoint(lab: Lab, backend: Backend) -> None:
    first, second = lab.pod(serve=8080), lab.pod(serve=8080)
    await backend.apply(table(first, second, affinity_s=60))
    assert len({ask_tcp(VIP, PORT)[0] for _ in range(20)}) == 1


async def test_a_second_back_end_takes_over_after_a_restart(lab: Lab, backend: Backend) -> None:
    first, second = lab.pod(serve=8080), lab.pod(serve=8080)
    await backend.apply(table(first))
    await NftablesBackend("test").apply(table(second))
    assert {ask_tcp(VIP, PORT)[0] for _ in range(10)} == {second}


async def test_drift_is_healed_by_the_next_change(lab: Lab, backend: Backend) -> None:
    first, second = lab.pod(serve=8080), lab.pod(serve=8080)
    await backend.apply(table(first))
    sh("nft", "flush", "ruleset")
    await backend.apply(table(second))
    assert ask_tcp(VIP, PORT)[0] == second


async def test_clean_up_leaves_nothing_of_ours_and_others_alone(lab: Lab, backend: Backend) -> None:
    sh("nft", "add", "table", "ip", "somebody_else")
    await backend.apply(table(lab.pod()))
    await backend.clean_up()
    found = json.loads(sh("nft", "-j", "list", "tables"))["nftables"]
    assert [t["table"]["name"] for t in found if "table" in t] == ["somebody_else"]
