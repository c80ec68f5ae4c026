"""LoadBalancer: the ready nodes' addresses, each port to one service."""

from typing import Any

import msgspec
import pytest

from appliance.api.kinds.core.node import NODE, NodeAddress
from appliance.api.kinds.core.service import SERVICE, Service
from appliance.client.base import clone
from appliance.control.controllers.loadbalancers import LoadBalancers
from tests.unit.control.cluster import Cluster


@pytest.fixture
async def lot(plane: Cluster) -> Cluster:
    for number in (1, 2):
        name = f"n{number}"
        await plane.add_ready_node(name)
        node = clone(await plane.client.get(NODE, name))
        node.status.addresses = [NodeAddress(type="InternalIP", address=f"192.0.2.{number}")]
        await plane.client.update(NODE, node, subresource="status")
    await plane.start(
        LoadBalancers(
            plane.client, plane.informers, recorder=plane.recorder, reserved=frozenset({22})
        )
    )
    return plane


@pytest.mark.seed("S23")
async def test_a_service_gets_the_addresses_of_the_ready_nodes(lot: Cluster) -> None:
    await lot.make(SERVICE, service("web"))
    assert await ways(lot, "web") == ["192.0.2.1", "192.0.2.2"]
    await lot.post_status("n1", "False")
    await lot.settle()
    assert await ways(lot, "web") == ["192.0.2.2"]
    await lot.edit(SERVICE, "web", {"spec": {"type": "ClusterIP"}})
    assert await ways(lot, "web") == []


@pytest.mark.seed("S23")
async def test_a_port_belongs_to_the_oldest_until_he_goes(lot: Cluster) -> None:
    await lot.make(SERVICE, service("first"))
    await lot.clock.advance(5)
    await lot.make(SERVICE, service("second"))
    await lot.make(SERVICE, service("other", port=81))
    assert (await ways(lot, "second"), len(await ways(lot, "other"))) == ([], 2)
    (event,) = await lot.events("SyncLoadBalancerFailed")
    assert event.message == "port 80/TCP of the nodes belongs to the service default/first"
    await lot.delete(SERVICE, "first")
    assert len(await ways(lot, "second")) == 2


async def test_ports_of_the_host_and_services_of_others_are_left_alone(lot: Cluster) -> None:
    await lot.make(SERVICE, service("ssh", port=22))
    await lot.make(SERVICE, service("cloud", loadBalancerClass="example.org/lb"))
    assert (await ways(lot, "ssh"), await ways(lot, "cloud")) == ([], [])
    (event,) = await lot.events("SyncLoadBalancerFailed")
    assert "port 22 is the host's own" in event.message


async def test_at_rest_nothing_is_written(lot: Cluster) -> None:
    await lot.make(SERVICE, service("web"))
    before = await lot.revision()
    await lot.clock.advance(10)
    await lot.heartbeat("n1", "n2")
    await lot.make(SERVICE, service("plain", type="ClusterIP"))
    assert await lot.revision() == before + 3, "two Leases and a service, nothing of ours"


async def ways(plane: Cluster, name: str) -> list[str]:
    found = await plane.client.get(SERVICE, name, "default")
    return [way.ip for way in found.status.loadBalancer.ingress]


def service(name: str, *, port: int = 80, **spec: Any) -> Service:
    body = {"type": "LoadBalancer", "ports": [{"port": port}], "selector": {"app": name}, **spec}
    return msgspec.convert(
        {"metadata": {"name": name, "namespace": "default"}, "spec": body}, Service
    )
