"""Two servers over one PostgreSQL, and over one etcd: one cluster, whichever of them you ask."""

import asyncio
import signal
from collections.abc import Iterator
from contextlib import AsyncExitStack, aclosing
from pathlib import Path

import pytest

from appliance.api.codec import decode
from appliance.api.errors import ApiError
from appliance.api.kinds.coordination.lease import LEASE
from appliance.api.kinds.core.configmap import CONFIG_MAP, ConfigMap
from appliance.api.kinds.core.endpoints import ENDPOINTS
from appliance.api.kinds.core.node import NODE
from appliance.api.kinds.core.pod.kind import POD
from appliance.api.kinds.core.replicationcontroller import (
    REPLICATION_CONTROLLER,
    ReplicationController,
)
from appliance.api.kinds.core.service import SERVICE, Service, ServicePort, ServiceSpec
from appliance.api.meta import ObjectMeta
from appliance.client.base import Client, EventType, PatchType, Where
from appliance.kit.clock import SystemClock, rfc3339
from appliance.store.options import StoreOptions
from appliance.store.remote.endpoints import Endpoint, EtcdAddress
from appliance.store.remote.store import EtcdStore
from tests.contract.databases import etcd, free_port, postgres
from tests.masters.servers import Server, servers

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]

TOKEN = "a-word-that-both-know"
HERE = Where(namespace="default")


# The second costs half a minute and shows the same: not in every run of CI.
@pytest.fixture(params=["postgres", pytest.param("etcd", marks=pytest.mark.e2e)])
def endpoint(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    if request.param == "postgres":
        with postgres() as server:
            server.make_schema("cluster")
            yield server.url("cluster")
    else:
        with etcd(tmp_path / "etcd") as member:
            yield member.url


async def test_one_cluster_until_its_leader_is_killed(endpoint: str, tmp_path: Path) -> None:
    etcd_ports = [free_port(), free_port()]
    a, b = (
        Server(
            *(tmp_path / name, endpoint, "--token", TOKEN, "--advertise-address", address),
            *("--etcd-listen-client-urls", f"http://127.0.0.1:{port}"),
        )
        for (name, address), port in zip(
            (("a", "192.0.2.1"), ("b", "192.0.2.2")), etcd_ports, strict=True
        )
    )
    async with servers(a, b):
        stranger = Server(tmp_path / "c", endpoint, "--token", "another")
        assert "the token does not open" in await stranger.refused()
        await both_see_each_other(a, b)
        await both_are_advertised(b.client, ["192.0.2.1", "192.0.2.2"])
        await no_address_is_given_twice(a.client, b.client)
        await etcd_clients_see_the_same(etcd_ports)
        await add_node(a.client)
        await a.client.create(REPLICATION_CONTROLLER, controller(3), namespace="default")
        await bound(b.client, 3)

        leader, other = (a, b) if await leads(b.client, "kube-scheduler") == "a" else (b, a)
        await leader.end(signal.SIGKILL)
        made = [await make(other.client, f"after-{n}") for n in range(5)]
        await other.client.patch(
            *(REPLICATION_CONTROLLER, "web", {"spec": {"replicas": 5}}),
            namespace="default",
            how=PatchType.MERGE,
        )
        await bound(other.client, 5)
        assert await leads(other.client, "kube-scheduler") == other.data.name
        await both_are_advertised(other.client, ["192.0.2.2" if leader is a else "192.0.2.1"])

        await leader.start()
        for name in (*(f"from-{n}" for n in range(20)), *made):
            await leader.client.get(CONFIG_MAP, name, "default")
        await both_are_advertised(leader.client, ["192.0.2.1", "192.0.2.2"])

        # Who stops in order is followed at once, not when its Lease has run out.
        await other.end(signal.SIGTERM)
        async with asyncio.timeout(10):
            await led_by(leader)


async def make(client: Client, name: str) -> str:
    await client.create(CONFIG_MAP, ConfigMap(metadata=ObjectMeta(name=name)), namespace="default")
    return name


async def both_see_each_other(a: Server, b: Server) -> None:
    """A read on one shows what the other has acknowledged, and a watch does, too."""
    since = (await b.client.list(CONFIG_MAP, HERE)).resource_version
    for n in range(20):
        writer, reader = (a.client, b.client) if n % 2 else (b.client, a.client)
        name = await make(writer, f"from-{n}")
        assert (await reader.get(CONFIG_MAP, name, "default")).metadata.name == name
        assert name in {c.metadata.name for c in (await reader.list(CONFIG_MAP, HERE)).items}
    seen: list[str] = []
    async with asyncio.timeout(20), aclosing(b.client.watch(CONFIG_MAP, HERE, since=since)) as feed:
        async for event in feed:
            assert event.type is EventType.ADDED
            seen.append(event.object.metadata.name)
            if len(seen) == 20:
                break
    assert [name for name in seen if name.startswith("from-")] == [f"from-{n}" for n in range(20)]


async def both_are_advertised(client: Client, addresses: list[str]) -> None:
    found: list[str] = []
    async with asyncio.timeout(40):
        while found != addresses:
            endpoints = await client.get(ENDPOINTS, "kubernetes", "default")
            found = sorted(a.ip for s in endpoints.subsets for a in s.addresses)
            await asyncio.sleep(0.2)


async def no_address_is_given_twice(a: Client, b: Client) -> None:
    async def serve(client: Client, n: int) -> tuple[str, int]:
        spec = ServiceSpec(type="NodePort", ports=[ServicePort(port=80)])
        new = Service(metadata=ObjectMeta(name=f"s{n}"), spec=spec)
        made = await client.create(SERVICE, new, namespace="default")
        return made.spec.clusterIP, made.spec.ports[0].nodePort or 0

    given = await asyncio.gather(*(serve((a, b)[n % 2], n) for n in range(24)))
    assert len({address for address, _ in given}) == len({port for _, port in given}) == 24


async def etcd_clients_see_the_same(ports: list[int]) -> None:
    """Each server has an etcd listener; both show the one history."""
    heads = []
    async with AsyncExitStack() as stack:
        for port in ports:
            address = EtcdAddress((Endpoint("127.0.0.1", port),))
            store = await EtcdStore.open(address, StoreOptions(keep_history_s=0), SystemClock())
            stack.push_async_callback(store.close)
            heads.append(await store.head())
    assert heads[0] > 1
    assert heads[1] >= heads[0]


async def add_node(client: Client) -> None:
    now = rfc3339(SystemClock().wall())
    ready = {"type": "Ready", "status": "True", "reason": "Test", "lastHeartbeatTime": now}
    resources = {"cpu": "4", "memory": "4Gi", "pods": "50"}
    status = {"conditions": [ready], "capacity": resources, "allocatable": resources}
    node, _ = decode(NODE.type, {"metadata": {"name": "n1"}, "status": status})
    await client.create(NODE, node)


def controller(replicas: int) -> ReplicationController:
    labels = {"app": "web"}
    pod = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "c", "image": "i"}]}}
    spec = {"replicas": replicas, "selector": labels, "template": pod}
    return decode(ReplicationController, {"metadata": {"name": "web"}, "spec": spec})[0]


async def leads(client: Client, name: str) -> str:
    holder = (await client.get(LEASE, name, "kube-system")).spec.holderIdentity or ""
    return holder.partition("_")[0]


async def led_by(server: Server) -> None:
    while True:
        if await leads(server.client, "kube-scheduler") == server.data.name:
            return
        await asyncio.sleep(0.1)


async def bound(client: Client, count: int) -> None:
    """Controllers have made so many pods, and the scheduler has placed them."""
    placed = 0
    async with asyncio.timeout(60):
        while placed != count:
            try:
                pods = (await client.list(POD, HERE)).items
                placed = sum(bool(pod.spec.nodeName) for pod in pods)
            except ApiError:
                placed = 0
            await asyncio.sleep(0.2)
