"""A cluster at rest: objects of all kinds, and nobody writes or even looks."""

import random

import msgspec
import pytest

from appliance.api.kinds.table import by_kind
from appliance.control.controllers.table import ControllerOptions, build
from appliance.control.scheduler.loop import Scheduler
from tests.lab.everything import everything
from tests.unit.control.cluster import Cluster

OBJECTS = 200
REST_S = 300


@pytest.fixture
async def whole(plane: Cluster) -> Cluster:
    client, informers, clock = plane.client, plane.informers, plane.clock
    options = ControllerOptions(root_ca_pem="pem")
    loops = build(client, informers, clock=clock, recorder=plane.recorder, options=options)
    rng = random.Random(1)  # noqa: S311 - picks among equals
    scheduler = Scheduler(client, informers, clock=clock, recorder=plane.recorder, rng=rng)
    await plane.start(*loops, scheduler)
    await plane.add_ready_node("n1")
    return plane


async def test_with_objects_of_all_kinds_nothing_is_written_and_nothing_looked_at(
    whole: Cluster,
) -> None:
    made = 0
    for number in range(OBJECTS // len(everything(0)) + 1):
        for body in everything(number):
            kind = by_kind(body["apiVersion"], body["kind"])
            assert kind is not None, body["kind"]
            obj = msgspec.convert(body, kind.type)
            await whole.client.create(kind, obj, namespace=obj.metadata.namespace)
            made += 1
    assert made >= OBJECTS
    await whole.settle()
    await whole.play_nodes()
    await keep(whole, 60)  # what is due soon after a change
    written, looked = await whole.revision(), whole.looked()
    beats = await keep(whole, REST_S)
    assert await whole.revision() == written + beats
    after = whole.looked()
    # The heartbeat itself is what the node's life is about.
    moved = {name: after[name] - looked[name] for name in after if after[name] != looked[name]}
    assert moved.keys() <= {"nodelife"}, moved


async def keep(plane: Cluster, seconds: int) -> int:
    """Let time pass with a heartbeat every ten seconds; how many there were."""
    beats = seconds // 10
    for _ in range(beats):
        await plane.clock.advance(10)
        await plane.heartbeat("n1")
        await plane.settle()
    return beats
