"""Events: folded, bounded, and never in the way of the loop that records them."""

import msgspec

from appliance.api.kinds.core.configmap import CONFIG_MAP, ConfigMap
from appliance.api.kinds.core.event import EVENT, Event
from appliance.api.meta import ObjectMeta
from appliance.client.events import BURST, NORMAL, REFILL_S, WARNING, reference
from tests.unit.control.cluster import Cluster, cluster

ABOUT = reference(
    CONFIG_MAP, ConfigMap(metadata=ObjectMeta(name="web", namespace="default", uid="u1"))
)


async def test_what_happened_is_written_with_its_source() -> None:
    async with cluster() as plane:
        await plane.start()
        plane.recorder.record(ABOUT, NORMAL, "Pulled", "Image is here")
        await plane.settle()
        (event,) = await plane.all(EVENT)
        assert msgspec.to_builtins(event.involvedObject) == {
            "kind": "ConfigMap",
            "apiVersion": "v1",
            "namespace": "default",
            "name": "web",
            "uid": "u1",
        }
        assert (event.type, event.reason, event.message) == ("Normal", "Pulled", "Image is here")
        assert event.source.component == "tests"
        assert (event.count, event.firstTimestamp) == (1, event.lastTimestamp)


async def test_the_same_again_only_counts() -> None:
    async with cluster() as plane:
        await plane.start()
        for _ in range(3):
            plane.recorder.record(ABOUT, WARNING, "BackOff", "Again")
            await plane.settle()
            await plane.clock.advance(10)
        (event,) = await plane.all(EVENT)
        assert event.count == 3
        assert event.firstTimestamp == "2023-11-14T22:13:20Z"
        assert event.lastTimestamp == "2023-11-14T22:13:40Z"
        plane.recorder.record(ABOUT, WARNING, "BackOff", "Something else")
        await plane.settle()
        assert len(await plane.all(EVENT)) == 2


async def test_a_component_has_its_own_name_and_its_own_folding() -> None:
    async with cluster() as plane:
        await plane.start()
        for recorder in (plane.recorder, plane.recorder.named("other"), plane.recorder):
            recorder.record(ABOUT, NORMAL, "Same", "words")
        await plane.settle()
        found = {e.source.component: e.count for e in await plane.all(EVENT)}
        assert found == {"tests": 2, "other": 1}


async def test_a_folded_event_that_was_cleaned_away_begins_anew() -> None:
    async with cluster() as plane:
        await plane.start()
        plane.recorder.record(ABOUT, WARNING, "BackOff", "Again")
        await plane.settle()
        await plane.delete(EVENT, (await plane.names(EVENT))[0])
        plane.recorder.record(ABOUT, WARNING, "BackOff", "Again")
        await plane.settle()
        assert [e.count for e in await plane.all(EVENT)] == [1]


async def test_one_object_may_not_flood() -> None:
    async with cluster() as plane:
        await plane.start()
        for number in range(BURST + 20):
            plane.recorder.record(ABOUT, NORMAL, "Noise", f"number {number}")
        await plane.settle()
        assert len(await plane.all(EVENT)) == BURST
        await plane.clock.advance(REFILL_S)
        plane.recorder.record(ABOUT, NORMAL, "Noise", "later")
        await plane.settle()
        assert len(await plane.all(EVENT)) == BURST + 1


async def test_events_of_a_namespace_that_is_not_there_are_dropped() -> None:
    async with cluster() as plane:
        await plane.start()
        away = reference(
            CONFIG_MAP, ConfigMap(metadata=ObjectMeta(name="web", namespace="nowhere"))
        )
        plane.recorder.record(away, NORMAL, "Lost", "x")
        plane.recorder.record(ABOUT, NORMAL, "Kept", "y")
        await plane.settle()
        assert [e.reason for e in await events(plane)] == ["Kept"]
        assert plane.recorder.dropped == 1


async def events(plane: Cluster) -> list[Event]:
    return await plane.all(EVENT)
