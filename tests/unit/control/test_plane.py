"""All loops together over one registry: the guestbook's life without containers."""

import random
from typing import Any

import msgspec
import pytest

from appliance.api.kinds.core.endpoints import ENDPOINTS
from appliance.api.kinds.core.event import EVENT
from appliance.api.kinds.core.namespace import NAMESPACE, Namespace
from appliance.api.kinds.core.pod.kind import POD
from appliance.api.kinds.core.replicationcontroller import (
    REPLICATION_CONTROLLER,
    ReplicationController,
)
from appliance.api.kinds.core.service import SERVICE, Service
from appliance.api.kinds.discovery.endpointslice import ENDPOINT_SLICE
from appliance.api.meta import ObjectMeta
from appliance.control.controllers.table import ControllerOptions, build
from appliance.control.scheduler.loop import Scheduler
from tests.unit.control.cluster import Cluster

RC = REPLICATION_CONTROLLER


@pytest.fixture
async def whole(plane: Cluster) -> Cluster:
    client, informers, clock = plane.client, plane.informers, plane.clock
    loops = build(
        client,
        informers,
        clock=clock,
        recorder=plane.recorder,
        options=ControllerOptions(root_ca_pem="pem"),
    )
    rng = random.Random(1)  # noqa: S311 - picks among equals
    scheduler = Scheduler(client, informers, clock=clock, recorder=plane.recorder, rng=rng)
    await plane.start(*loops, scheduler)
    await plane.add_ready_node("n1")
    await plane.add_ready_node("n2")
    return plane


@pytest.mark.seed("D02")
async def test_replicas_are_placed_run_and_reached_and_scaled(whole: Cluster) -> None:
    await whole.make(SERVICE, service())
    await whole.make(RC, rc(4))
    await whole.play_nodes()
    by_node = [p.spec.nodeName for p in await whole.pods()]
    assert sorted(by_node) == ["n1", "n1", "n2", "n2"]
    assert await addresses(whole) == 4
    for wanted in (20, 2):
        await whole.edit(RC, "web", {"spec": {"replicas": wanted}})
        await whole.play_nodes()
        assert await addresses(whole) == wanted
    assert len(await whole.pods()) == 2
    status = (await whole.client.get(RC, "web", "default")).status
    assert (status.replicas, status.readyReplicas, status.availableReplicas) == (2, 2, 2)


async def test_everything_goes_with_its_owner(whole: Cluster) -> None:
    await whole.make(SERVICE, service())
    await whole.make(RC, rc(3))
    await whole.play_nodes()
    await whole.delete(RC, "web", propagation="Background")
    await whole.delete(SERVICE, "web")
    await whole.play_nodes()
    assert await whole.names(POD) == []
    assert await whole.names(ENDPOINT_SLICE) == []
    assert await whole.names(ENDPOINTS) == []


@pytest.mark.seed("K07")
async def test_a_deleted_owner_orphans_its_pods_by_default_and_a_new_one_adopts(
    whole: Cluster,
) -> None:
    await whole.make(RC, rc(2))
    await whole.play_nodes()
    before = await whole.names()
    await whole.delete(RC, "web")
    await whole.advance(1)
    assert await whole.names() == before
    assert await whole.names(RC) == []
    await whole.make(RC, rc(2))
    await whole.play_nodes()
    assert await whole.names() == before


async def test_a_namespace_goes_with_all_that_lives_in_it(whole: Cluster) -> None:
    await whole.make(NAMESPACE, Namespace(metadata=ObjectMeta(name="team")))
    for made, kind in ((rc(3), RC), (service(), SERVICE)):
        made.metadata.namespace = "team"
        await whole.make(kind, made)
    await whole.play_nodes()
    await whole.client.delete(NAMESPACE, "team")
    await whole.settle()
    assert "team" in await whole.names(NAMESPACE, ""), "pods have their grace"
    await whole.play_nodes()
    await whole.advance(1)
    assert "team" not in await whole.names(NAMESPACE, "")
    for kind in (POD, RC, SERVICE, ENDPOINTS, ENDPOINT_SLICE):
        assert await whole.names(kind, "team") == []
    failed = [e for e in await whole.all(EVENT, "") if e.reason == "FailedCreate"]
    assert failed == [], "nobody tries to make pods in a namespace that goes"


async def test_at_rest_nothing_is_written_but_heartbeats(whole: Cluster) -> None:
    await whole.make(SERVICE, service())
    await whole.make(RC, rc(3))
    await whole.play_nodes()
    await whole.settle()
    before = await whole.revision()
    for _ in range(30):
        await whole.clock.advance(10)
        await whole.heartbeat("n1", "n2")
    await whole.settle()
    assert await whole.revision() == before + 60


async def addresses(plane: Cluster) -> int:
    (slice_,) = await plane.all(ENDPOINT_SLICE)
    return sum(bool(e.conditions.ready) for e in slice_.endpoints or ())


def rc(replicas: int) -> ReplicationController:
    body: dict[str, Any] = {
        "metadata": {"name": "web", "namespace": "default"},
        "spec": {
            "replicas": replicas,
            "selector": {"app": "web"},
            "template": {
                "metadata": {"labels": {"app": "web"}},
                "spec": {"containers": [{"name": "c", "image": "web"}]},
            },
        },
    }
    return msgspec.convert(body, ReplicationController)


def service() -> Service:
    body = {
        "metadata": {"name": "web", "namespace": "default"},
        "spec": {"selector": {"app": "web"}, "ports": [{"port": 80}]},
    }
    return msgspec.convert(body, Service)
