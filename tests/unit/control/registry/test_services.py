"""What services are given: addresses and node ports."""

import random

import pytest

from appliance.api import errors
from appliance.api.kinds.core.namespace import NAMESPACE, Namespace
from appliance.api.kinds.core.service import SERVICE, Service, ServicePort, ServiceSpec
from appliance.api.meta import DeleteOptions, ObjectMeta
from appliance.client.base import clone
from appliance.control.registry.allocate import Band, address_band, port_band
from appliance.control.registry.base import Call
from appliance.control.registry.registry import StoreRegistry
from appliance.kit.clock import FakeClock
from appliance.store.memory import MemoryStore


@pytest.mark.seed("S02", "S03")
async def test_a_service_gets_an_address_that_nobody_else_has(
    registry: StoreRegistry, call: Call
) -> None:
    first, second = [await create(registry, call, name) for name in ("a", "b")]
    assert first.spec.clusterIP.startswith("10.43.")
    assert first.spec.clusterIPs == [first.spec.clusterIP]
    assert (first.spec.ipFamilies, first.spec.ipFamilyPolicy) == (["IPv4"], "SingleStack")
    assert second.spec.clusterIP != first.spec.clusterIP
    with pytest.raises(errors.Invalid, match="provided IP is already allocated"):
        await create(registry, call, "c", clusterIP=first.spec.clusterIP)
    await registry.delete(
        SERVICE, namespace="default", name="a", options=DeleteOptions(), call=call
    )
    again = await create(registry, call, "c", clusterIP=first.spec.clusterIP)
    assert again.spec.clusterIP == first.spec.clusterIP


async def test_an_update_keeps_the_address_and_a_type_may_come_and_go(
    registry: StoreRegistry, call: Call
) -> None:
    made = await create(registry, call, "a")
    wanted = clone(made)
    wanted.spec.clusterIP, wanted.spec.clusterIPs, wanted.spec.type = "", [], "NodePort"
    after = await update(registry, call, wanted)
    assert after.spec.clusterIP == made.spec.clusterIP
    assert 30000 <= after.spec.ports[0].nodePort <= 32767
    wanted = clone(after)
    wanted.spec.type = "ClusterIP"
    assert (await update(registry, call, wanted)).spec.ports[0].nodePort == 0


@pytest.mark.seed("S03")
async def test_an_address_may_be_chosen_in_range_and_never_changes(
    registry: StoreRegistry, call: Call
) -> None:
    chosen = await create(registry, call, "a", clusterIP="10.43.7.7")
    assert chosen.spec.clusterIP == "10.43.7.7"
    with pytest.raises(errors.Invalid, match="does not match the current range"):
        await create(registry, call, "b", clusterIP="192.0.2.1")
    wanted = clone(chosen)
    wanted.spec.clusterIP, wanted.spec.clusterIPs = "10.43.7.8", ["10.43.7.8"]
    with pytest.raises(errors.Invalid, match=r"immutable|may not change once set"):
        await update(registry, call, wanted)


@pytest.mark.seed("S02", "S14")
async def test_a_restarted_server_gives_no_address_twice(call: Call) -> None:
    clock = FakeClock()
    store = MemoryStore(clock)
    given: set[str] = set()
    for life in range(3):
        # Same chance each time: only what is stored keeps it from the same choices.
        async with StoreRegistry(store, clock=clock, rng=random.Random(1)) as registry:  # noqa: S311
            if life == 0:
                space = Namespace(metadata=ObjectMeta(name="default"))
                await registry.create(NAMESPACE, space, namespace="", call=call)
            for number in range(20):
                made = await create(registry, call, f"s{life}-{number}")
                assert made.spec.clusterIP not in given
                given.add(made.spec.clusterIP)
    await store.close()


@pytest.mark.parametrize(
    ("port", "message"),
    [
        (80, r"not in the valid range. The range of valid ports is 30000-32767"),
        (30080, "provided port is already allocated"),
    ],
)
async def test_a_node_port_must_be_free_and_in_range(
    registry: StoreRegistry, call: Call, port: int, message: str
) -> None:
    await create(registry, call, "a", type="NodePort", node_port=30080)
    with pytest.raises(errors.Invalid, match=message):
        await create(registry, call, "b", type="NodePort", node_port=port)


@pytest.mark.seed("S24")
async def test_headless_and_external_services_have_no_address(
    registry: StoreRegistry, call: Call
) -> None:
    headless = await create(registry, call, "a", clusterIP="None")
    assert headless.spec.clusterIPs == ["None"]
    assert headless.spec.ipFamilies == ["IPv4"]
    external = await create(registry, call, "b", type="ExternalName", externalName="example.com")
    assert (external.spec.clusterIP, external.spec.clusterIPs) == ("", [])


async def test_tcp_and_udp_of_one_port_share_a_node_port(
    registry: StoreRegistry, call: Call
) -> None:
    ports = [
        ServicePort(name="tcp", port=53, protocol="TCP"),
        ServicePort(name="udp", port=53, protocol="UDP"),
    ]
    spec = ServiceSpec(type="NodePort", ports=ports)
    obj = Service(metadata=ObjectMeta(name="dns"), spec=spec)
    made = await registry.create(SERVICE, obj, namespace="default", call=call)
    tcp, udp = made.obj.spec.ports
    assert tcp.nodePort == udp.nodePort != 0


def test_bands_leave_room_for_addresses_chosen_by_hand() -> None:
    band = address_band("10.43.0.0/16")
    assert band.split - band.first == 255
    assert port_band(30000, 32767).split == 30086
    assert address_band("10.0.0.0/30") == Band(167772161, 167772162, 167772163)


def test_a_full_high_band_takes_from_the_low_one() -> None:
    band = Band(1, 4, 3)
    assert band.pick({3, 4}, random.Random(1)) == 1  # noqa: S311
    assert band.pick({1, 2, 3, 4}, random.Random(1)) is None  # noqa: S311


async def create(
    registry: StoreRegistry, call: Call, name: str, node_port: int = 0, **spec: str
) -> Service:
    ports = [ServicePort(port=80, nodePort=node_port)]
    wanted = ServiceSpec(ports=ports, selector={"app": "a"})
    for key, value in spec.items():
        setattr(wanted, key, value)
    obj = Service(metadata=ObjectMeta(name=name), spec=wanted)
    return (await registry.create(SERVICE, obj, namespace="default", call=call)).obj


async def update(registry: StoreRegistry, call: Call, obj: Service) -> Service:
    name = obj.metadata.name
    after, _ = await registry.update(SERVICE, obj, namespace="default", name=name, call=call)
    return after.obj


async def test_a_balancer_with_policy_local_has_a_port_for_health_checks(
    registry: StoreRegistry, call: Call
) -> None:
    local = {"type": "LoadBalancer", "externalTrafficPolicy": "Local"}
    made = await create(registry, call, "a", **local)
    port = made.spec.healthCheckNodePort
    assert 30000 <= port <= 32767
    assert port not in {p.nodePort for p in made.spec.ports}
    with pytest.raises(errors.Invalid, match="already allocated"):
        await create(registry, call, "b", **local, healthCheckNodePort=port)
    wanted = clone(made)
    wanted.spec.healthCheckNodePort = 0
    assert (await update(registry, call, wanted)).spec.healthCheckNodePort == port
    wanted = clone(made)
    wanted.spec.externalTrafficPolicy = "Cluster"
    assert (await update(registry, call, wanted)).spec.healthCheckNodePort == 0
    assert (await create(registry, call, "c", type="LoadBalancer")).spec.healthCheckNodePort == 0
