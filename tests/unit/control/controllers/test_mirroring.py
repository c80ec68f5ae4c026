"""What people write into Endpoints is what proxies read in EndpointSlices."""

from typing import Any

import msgspec
import pytest

from appliance.api.kinds.core.endpoints import ENDPOINTS, Endpoints
from appliance.api.kinds.core.event import EVENT
from appliance.api.kinds.core.service import SERVICE, Service
from appliance.api.kinds.discovery.endpointslice import ENDPOINT_SLICE
from appliance.api.kinds.table import KINDS
from appliance.control.controllers.endpoints import EndpointsController
from appliance.control.controllers.endpointslices import EndpointSliceController
from appliance.control.controllers.garbage import GarbageCollector
from appliance.control.controllers.mirroring import EndpointMirroring
from tests.unit.control.cluster import Cluster


@pytest.fixture
async def net(plane: Cluster) -> Cluster:
    await plane.start(
        EndpointsController(plane.client, plane.informers),
        EndpointSliceController(plane.client, plane.informers),
        EndpointMirroring(plane.client, plane.informers),
        GarbageCollector(plane.client, plane.informers, [k for k in KINDS if k is not EVENT]),
    )
    return plane


@pytest.mark.seed("S05")
async def test_hand_made_endpoints_are_mirrored_changed_and_taken_away(net: Cluster) -> None:
    await net.make(SERVICE, service())
    await net.make(ENDPOINTS, endpoints("10.1.2.3"))
    (slice_,) = await net.all(ENDPOINT_SLICE)
    assert slice_.metadata.labels == {
        "kubernetes.io/service-name": "db",
        "endpointslice.kubernetes.io/managed-by": "endpointslicemirroring-controller.k8s.io",
    }
    assert [e.addresses for e in slice_.endpoints or ()] == [["10.1.2.3"]]
    assert [(p.name, p.port) for p in slice_.ports or ()] == [("sql", 5432)]

    await net.edit(ENDPOINTS, "db", msgspec.to_builtins(endpoints("10.1.2.4")))
    (slice_,) = await net.all(ENDPOINT_SLICE)
    assert [e.addresses for e in slice_.endpoints or ()] == [["10.1.2.4"]]

    await net.delete(ENDPOINTS, "db")
    assert await net.names(ENDPOINT_SLICE) == []


async def test_endpoints_that_say_so_are_not_mirrored(net: Cluster) -> None:
    await net.make(SERVICE, service())
    mine = endpoints("10.1.2.3")
    mine.metadata.labels = {"endpointslice.kubernetes.io/skip-mirror": "true"}
    await net.make(ENDPOINTS, mine)
    assert await net.names(ENDPOINT_SLICE) == []


async def test_endpoints_of_services_with_a_selector_have_slices_of_their_own(
    net: Cluster,
) -> None:
    await net.make(SERVICE, service(selector={"app": "db"}))
    (slice_,) = await net.all(ENDPOINT_SLICE)
    assert slice_.metadata.labels["endpointslice.kubernetes.io/managed-by"] == (
        "endpointslice-controller.k8s.io"
    )


async def test_a_service_that_gets_a_selector_loses_the_mirror(net: Cluster) -> None:
    await net.make(SERVICE, service())
    await net.make(ENDPOINTS, endpoints("10.1.2.3"))
    await net.edit(SERVICE, "db", {"spec": {"selector": {"app": "db"}}})
    (slice_,) = await net.all(ENDPOINT_SLICE)
    assert slice_.endpoints in ([], None)


def service(**spec: Any) -> Service:
    body = {"ports": [{"name": "sql", "port": 5432}], **spec}
    return msgspec.convert(
        {"metadata": {"name": "db", "namespace": "default"}, "spec": body}, Service
    )


def endpoints(ip: str) -> Endpoints:
    subset = {"addresses": [{"ip": ip}], "ports": [{"name": "sql", "port": 5432}]}
    return msgspec.convert(
        {"metadata": {"name": "db", "namespace": "default"}, "subsets": [subset]}, Endpoints
    )
