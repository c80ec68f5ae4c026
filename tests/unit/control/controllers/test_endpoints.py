"""Endpoints and EndpointSlices say who stands behind a service, and in which state."""

from typing import Any

import msgspec
import pytest

from appliance.api.kinds.core.endpoints import ENDPOINTS, Endpoints
from appliance.api.kinds.core.node import NODE
from appliance.api.kinds.core.pod.kind import POD, Pod
from appliance.api.kinds.core.service import SERVICE, Service
from appliance.api.kinds.discovery.endpointslice import ENDPOINT_SLICE, Endpoint, EndpointSlice
from appliance.control.controllers.endpoints import EndpointsController
from appliance.control.controllers.endpointslices import EndpointSliceController
from tests.unit.control.cluster import Cluster


@pytest.fixture
async def net(plane: Cluster) -> Cluster:
    await plane.start(
        EndpointsController(plane.client, plane.informers),
        EndpointSliceController(plane.client, plane.informers),
    )
    return plane


@pytest.mark.seed("S01", "S04", "H08")
async def test_ready_pods_get_traffic_others_are_named_as_not_ready(net: Cluster) -> None:
    await net.make(SERVICE, service())
    ready, unready = [await net.make(POD, pod(name)) for name in ("a", "b")]
    await net.set_ready(ready)
    await net.set_ready(unready, ready=False)

    (subset,) = (await endpoints(net)).subsets
    assert [(a.ip, a.targetRef and a.targetRef.name) for a in subset.addresses] == [
        ("10.42.0.1", "a")
    ]
    assert [a.ip for a in subset.notReadyAddresses] == ["10.42.0.2"]
    assert [(p.name, p.port, p.protocol) for p in subset.ports] == [("http", 8080, "TCP")]

    (slice_,) = await net.all(ENDPOINT_SLICE)
    assert slice_.metadata.labels["kubernetes.io/service-name"] == "web"
    assert slice_.metadata.ownerReferences[0].name == "web"
    assert slice_.addressType == "IPv4"
    assert [(p.name, p.port, p.protocol) for p in slice_.ports or ()] == [("http", 8080, "TCP")]
    assert states(slice_) == {
        "10.42.0.1": (True, True, False),
        "10.42.0.2": (False, False, False),
    }


async def test_a_pod_on_its_way_out_serves_but_is_not_ready(net: Cluster) -> None:
    await net.make(SERVICE, service())
    made = await net.make(POD, pod("a"))
    await net.bind(made)
    await net.set_ready(made)
    await net.delete(POD, "a")
    (slice_,) = await net.all(ENDPOINT_SLICE)
    assert states(slice_) == {"10.42.0.1": (False, True, True)}
    assert (await endpoints(net)).subsets == []


@pytest.mark.seed("S04", "B09")
async def test_a_pod_that_goes_or_changes_its_labels_is_taken_out(net: Cluster) -> None:
    await net.make(SERVICE, service())
    for name in ("a", "b", "c"):
        await net.set_ready(await net.make(POD, pod(name)))
    await net.delete(POD, "a", grace_period_s=0)
    await net.edit(POD, "b", {"metadata": {"labels": {"app": "debug"}}})
    (slice_,) = await net.all(ENDPOINT_SLICE)
    assert list(states(slice_)) == ["10.42.0.3"]


async def test_a_service_without_pods_has_an_empty_slice(net: Cluster) -> None:
    await net.make(SERVICE, service())
    (slice_,) = await net.all(ENDPOINT_SLICE)
    assert slice_.endpoints in ([], None)
    assert (await endpoints(net)).subsets == []


async def test_named_ports_that_differ_make_two_slices(net: Cluster) -> None:
    await net.make(SERVICE, service(target="http"))
    for name, port in (("a", 80), ("b", 81), ("c", 80), ("none", 0)):
        ports = [{"name": "http", "containerPort": port}] if port else []
        await net.set_ready(await net.make(POD, pod(name, ports=ports)))
    found = {
        tuple(p.port for p in s.ports or ()): sorted(states(s))
        for s in await net.all(ENDPOINT_SLICE)
    }
    assert found == {(80,): ["10.42.0.1", "10.42.0.3"], (81,): ["10.42.0.2"]}
    subsets = (await endpoints(net)).subsets
    assert [(s.ports[0].port, len(s.addresses)) for s in subsets] == [(80, 2), (81, 1)]


async def test_not_ready_addresses_are_published_where_wanted(net: Cluster) -> None:
    await net.make(SERVICE, service(publishNotReadyAddresses=True))
    await net.set_ready(await net.make(POD, pod("a")), ready=False)
    (slice_,) = await net.all(ENDPOINT_SLICE)
    assert states(slice_) == {"10.42.0.1": (True, False, False)}
    (subset,) = (await endpoints(net)).subsets
    assert [a.ip for a in subset.addresses] == ["10.42.0.1"]


async def test_a_headless_service_names_its_pods(net: Cluster) -> None:
    await net.make(SERVICE, service(clusterIP="None", ports=[]))
    made = pod("a", hostname="first", subdomain="web")
    await net.set_ready(await net.make(POD, made))
    (slice_,) = await net.all(ENDPOINT_SLICE)
    assert [e.hostname for e in slice_.endpoints or ()] == ["first"]
    assert "service.kubernetes.io/headless" in slice_.metadata.labels
    (subset,) = (await endpoints(net)).subsets
    assert [a.hostname for a in subset.addresses] == ["first"]


async def test_what_people_change_is_put_right_and_hand_made_objects_stay(net: Cluster) -> None:
    await net.make(SERVICE, service())
    await net.set_ready(await net.make(POD, pod("a")))
    await net.edit(ENDPOINTS, "web", {"subsets": None})
    assert len((await endpoints(net)).subsets) == 1
    (slice_,) = await net.all(ENDPOINT_SLICE)
    await net.delete(ENDPOINT_SLICE, slice_.metadata.name)
    assert len(await net.all(ENDPOINT_SLICE)) == 1

    by_hand = msgspec.convert({"metadata": {"name": "db", "namespace": "default"}}, Endpoints)
    await net.make(ENDPOINTS, by_hand)
    await net.make(SERVICE, service(name="db", selector={}))
    await net.delete(SERVICE, "db")
    assert "db" in await net.names(ENDPOINTS)


async def test_the_endpoints_go_with_the_service(net: Cluster) -> None:
    await net.make(SERVICE, service())
    await net.delete(SERVICE, "web")
    assert await net.names(ENDPOINTS) == []


async def test_a_heartbeat_of_a_pod_writes_nothing(net: Cluster) -> None:
    await net.make(SERVICE, service())
    made = await net.make(POD, pod("a"))
    await net.set_ready(made)
    before = await net.revision()
    await net.edit(POD, "a", {"metadata": {"annotations": {"note": "x"}}})
    assert await net.revision() == before + 1


async def endpoints(net: Cluster) -> Endpoints:
    return await net.client.get(ENDPOINTS, "web", "default")


def states(slice_: EndpointSlice) -> dict[str, tuple[bool | None, ...]]:
    def state(endpoint: Endpoint) -> tuple[bool | None, ...]:
        found = endpoint.conditions
        return (found.ready, found.serving, found.terminating)

    return {e.addresses[0]: state(e) for e in slice_.endpoints or ()}


def service(name: str = "web", *, target: int | str = 8080, **spec: Any) -> Service:
    ports = [{"name": "http", "port": 80, "targetPort": target}]
    body = {"selector": {"app": "web"}, "ports": ports, **spec}
    return msgspec.convert(
        {"metadata": {"name": name, "namespace": "default"}, "spec": body}, Service
    )


def pod(name: str, *, ports: list[dict[str, Any]] | None = None, **spec: Any) -> Pod:
    container = {"name": "c", "image": "web", "ports": ports or []}
    return msgspec.convert(
        {
            "metadata": {"name": name, "namespace": "default", "labels": {"app": "web"}},
            "spec": {"containers": [container], **spec},
        },
        Pod,
    )


@pytest.mark.parametrize(
    ("wanted", "zones", "nodes"),
    [("PreferSameZone", ["east"], []), ("PreferClose", ["east"], []),
     ("PreferSameNode", ["east"], ["n1"])],
)  # fmt: skip
async def test_a_wish_for_near_traffic_becomes_hints_for_those_who_are_ready(
    net: Cluster, wanted: str, zones: list[str], nodes: list[str]
) -> None:
    await net.add_node("n1")
    await net.edit(NODE, "n1", {"metadata": {"labels": {"topology.kubernetes.io/zone": "east"}}})
    made = service()
    made.spec.trafficDistribution = wanted
    await net.make(SERVICE, made)
    for name, ready in (("a", True), ("b", False)):
        one = await net.make(POD, pod(name))
        await net.bind(one)
        await net.set_ready(one, ready=ready)
    (slice_,) = await net.all(ENDPOINT_SLICE)
    ready_one, other = slice_.endpoints or []
    assert ready_one.hints is not None
    assert [z.name for z in ready_one.hints.forZones] == zones
    assert [n.name for n in ready_one.hints.forNodes] == nodes
    assert other.hints is None
