"""Network policies in a real kernel: packets between pods of one node, and changes of the rules."""

import json
import random
import socket
from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any

import pytest

from appliance.kit.nftables import nft_usable
from appliance.node.network.policies.compile import compile_policies
from appliance.node.network.policies.firewall import Firewall
from appliance.node.network.policies.kernel import KernelGuard, table_name
from appliance.node.network.policies.members import Member
from tests.lab.netns import Lab, ask_tcp, inside, sh
from tests.unit.node.network.policies.scenes import NAMESPACES, pod, policy, some_world

pytestmark = pytest.mark.root
TABLE = table_name("test")
PORT = 8080


@pytest.fixture
def lab() -> Iterator[Lab]:
    if why := nft_usable():
        pytest.skip(f"nftables can't be used here: {why}")
    lab = Lab()
    try:
        yield lab
    finally:
        lab.close()


@pytest.fixture
async def guard(lab: Lab) -> AsyncIterator[KernelGuard]:
    with inside(lab.node):
        yield KernelGuard("test")


def goes(lab: Lab, source: str, target: str, port: int = PORT) -> bool:
    with inside(lab.namespace_of(source) if source else lab.node):
        try:
            return ask_tcp(target, port, timeout_s=0.4)[0] == target
        except TimeoutError:
            return False


def at(address: str, **labels: str) -> Member:
    return pod(int(address.rpartition(".")[2]), labels=labels)


def rules(spec: Mapping[str, Any], *members: Member) -> Firewall:
    return compile_policies([policy(dict(spec))], members, NAMESPACES)


async def test_only_named_pods_come_in_and_the_node_always(lab: Lab, guard: KernelGuard) -> None:
    web, friend, stranger = lab.pod(serve=PORT), lab.pod(), lab.pod()
    world = at(web, app="web"), at(friend, app="friend"), at(stranger)
    peer = {"podSelector": {"matchLabels": {"app": "friend"}}}
    spec = {"podSelector": {"matchLabels": {"app": "web"}}, "ingress": [{"from": [peer]}]}
    assert goes(lab, stranger, web)
    await guard.apply(rules(spec, *world))
    assert goes(lab, friend, web)
    assert not goes(lab, stranger, web)
    assert goes(lab, "", web), "probes come from the node"
    # A label changes: one element of a set.
    await guard.apply(rules(spec, at(web, app="web"), at(friend), at(stranger, app="friend")))
    assert not goes(lab, friend, web)
    assert goes(lab, stranger, web)


async def test_what_goes_out_is_held_by_address_and_port(lab: Lab, guard: KernelGuard) -> None:
    web, client = lab.pod(serve=PORT), lab.pod()
    world = at(web), at(client, app="client")
    selector = {"podSelector": {"matchLabels": {"app": "client"}}, "policyTypes": ["Egress"]}
    block = {"to": [{"ipBlock": {"cidr": "10.42.0.0/16"}}]}
    await guard.apply(rules(selector, *world))
    assert not goes(lab, client, web)
    ports = [{"port": PORT, "endPort": PORT + 9}]
    await guard.apply(rules({**selector, "egress": [{**block, "ports": ports}]}, *world))
    assert goes(lab, client, web)
    ports = [{"port": PORT + 1}]
    await guard.apply(rules({**selector, "egress": [{**block, "ports": ports}]}, *world))
    assert not goes(lab, client, web)


async def test_open_connections_go_on_when_a_policy_comes(lab: Lab, guard: KernelGuard) -> None:
    web, client = lab.pod(serve=PORT), lab.pod()
    code = (
        "import socket,sys; s=socket.create_server((sys.argv[1],99)); print('up',flush=True);"
        "c,_=s.accept(); [c.sendall(d) for d in iter(lambda: c.recv(9), b'')]"
    )
    # On a node connections are tracked from the start, for services; here by this.
    chain = "type nat hook postrouting priority 100; ip daddr 192.0.2.1 masquerade;"
    sh("nft", f"table ip services {{ chain post {{ {chain} }}; }}")
    with lab.running(web, code, web):
        with inside(lab.namespace_of(client)):
            talk = socket.create_connection((web, 99), timeout=3)
        with talk:
            await guard.apply(rules({"podSelector": {}}, at(web), at(client)))
            talk.sendall(b"still")
            assert talk.recv(9) == b"still"
    assert not goes(lab, client, web)


async def test_a_named_port_of_a_peer(lab: Lab, guard: KernelGuard) -> None:
    web, client = lab.pod(serve=PORT), lab.pod()
    named = Member("shop", {}, (web,), {("tcp", "http"): PORT}, local=True)
    spec = {"podSelector": {"matchLabels": {"app": "client"}}, "policyTypes": ["Egress"],
            "egress": [{"to": [{"podSelector": {}}], "ports": [{"port": "http"}]}]}  # fmt: skip
    await guard.apply(rules(spec, named, at(client, app="client")))
    assert goes(lab, client, web)
    await guard.apply(rules(spec, at(web), at(client, app="client")))
    assert not goes(lab, client, web)


async def test_without_policies_there_is_no_table_and_others_are_left_alone(
    guard: KernelGuard,
) -> None:
    sh("nft", "add", "table", "ip", "somebody_else")
    await guard.apply(rules({"podSelector": {}}, at("10.42.0.9")))
    assert tables() == {"somebody_else", TABLE}
    await guard.apply(Firewall())
    assert tables() == {"somebody_else"}
    sh("nft", "add", "table", "inet", TABLE)
    await KernelGuard("test").apply(Firewall())
    assert tables() == {"somebody_else"}, "what a dead agent left goes, too"


async def test_a_flush_of_others_is_healed(lab: Lab, guard: KernelGuard) -> None:
    web, client = lab.pod(serve=PORT), lab.pod()
    firewall = rules({"podSelector": {}}, at(web), at(client))
    await guard.apply(firewall)
    sh("nft", "delete", "table", "inet", TABLE)
    assert goes(lab, client, web)
    other = rules({"podSelector": {}}, at(web), at(client), at("10.42.0.77"))
    await guard.apply(other)
    assert not goes(lab, client, web)


@pytest.mark.parametrize("seed", range(4))
async def test_any_change_leaves_what_loading_anew_would(guard: KernelGuard, seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311 - a test
    for _ in range(15):
        world = some_world(chance)
        wanted = compile_policies(world.policies, world.members, world.namespaces)
        await guard.apply(wanted)
        changed = listed()
        await KernelGuard("test").apply(wanted)
        assert changed == listed()


def tables() -> set[str]:
    found = json.loads(sh("nft", "-j", "list", "tables"))["nftables"]
    return {t["table"]["name"] for t in found if "table" in t}


def listed() -> set[str]:
    """Every object of our table as text, without handles and order."""
    if TABLE not in tables():
        return set()
    found = json.loads(sh("nft", "-j", "list", "table", "inet", TABLE))["nftables"]
    return {json.dumps(_plain(part), sort_keys=True) for part in found if "metainfo" not in part}


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _plain(v) for k, v in value.items() if k not in {"handle", "index"}}
    if isinstance(value, list):
        return sorted((_plain(v) for v in value), key=lambda v: json.dumps(v, sort_keys=True))
    return value
