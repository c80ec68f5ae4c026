"""An informer's cache and its listeners, through everything that can go wrong on the line."""

from collections.abc import AsyncIterator

import pytest

from appliance.api.errors import Expired, ServiceUnavailable, Timeout
from appliance.api.kinds.core.configmap import CONFIG_MAP, ConfigMap
from appliance.client.base import EventType, Page, WatchEvent
from appliance.client.informer import Informer, Informers
from appliance.kit.clock import FakeClock
from appliance.kit.tasks import Tasks
from tests.unit.client.scripted import Scripted, added, config, deleted, modified, settle

Heard = list[tuple[str | None, str | None]]


@pytest.fixture
async def tasks() -> AsyncIterator[Tasks]:
    async with Tasks("test") as group:
        yield group


async def test_a_list_then_a_watch_keep_the_cache_in_step(tasks: Tasks) -> None:
    server, informer, heard = started(tasks)
    server.pages = [Page([config("a", 3)], "7")]
    await informer.wait_synced()
    for event in (added("b", 8), modified("a", 9), deleted("b", 10)):
        server.steps.put_nowait(event)
    await settle()
    assert server.since == ["7"]
    assert [c.metadata.resourceVersion for c in informer.cache.list()] == ["9"]
    assert heard == [(None, "a3"), (None, "b8"), ("a3", "a9"), ("b10", None)]


async def test_a_long_list_comes_in_pages(tasks: Tasks) -> None:
    server, informer, _ = started(tasks)
    server.pages = [Page([config("a", 3)], "7", "more"), Page([config("b", 4)], "7")]
    await informer.wait_synced()
    assert informer.cache.keys() == ("ns/a", "ns/b")


async def test_a_broken_watch_resumes_where_it_ended(tasks: Tasks) -> None:
    clock = FakeClock()
    server, _, heard = started(tasks, clock)
    server.pages = [Page([], "7")]
    bookmark = WatchEvent(EventType.BOOKMARK, config("", 30))
    for step in (added("a", 8), None, bookmark, ServiceUnavailable("gone")):
        server.steps.put_nowait(step)
    for _ in range(4):
        await settle()
        await clock.advance(5)
    assert server.since == ["7", "8", "30"]
    assert heard == [(None, "a8")]


async def test_expired_means_list_again_and_tell_the_difference(tasks: Tasks) -> None:
    clock = FakeClock()
    server, informer, heard = started(tasks, clock)
    server.pages = [
        Page([config("kept", 1), config("gone", 2), config("changed", 3)], "7"),
        Page([config("kept", 1), config("changed", 8), config("new", 9)], "20"),
    ]
    await informer.wait_synced()
    heard.clear()
    server.steps.put_nowait(Expired("too old"))
    await settle()
    await clock.advance(5)
    await settle()
    assert server.since == ["7", "20"]
    assert heard == [("gone2", None), ("changed3", "changed8"), (None, "new9")]


async def test_a_server_that_never_had_this_past_is_listed_anew(tasks: Tasks) -> None:
    clock = FakeClock()
    server, informer, heard = started(tasks, clock)
    server.pages = [Page([config("a", 3)], "700"), Page([config("b", 4)], "5")]
    await informer.wait_synced()
    server.steps.put_nowait(Timeout("Too large resource version: 700, current: 5"))
    await settle()
    await clock.advance(5)
    await settle()
    assert server.since == ["700", "5"]
    assert heard == [(None, "a3"), ("a3", None), (None, "b4")]
    assert informer.revision == 5


async def test_another_object_under_the_same_name_is_a_going_and_a_coming(tasks: Tasks) -> None:
    clock = FakeClock()
    server, informer, heard = started(tasks, clock)
    server.pages = [
        Page([config("a", 1, uid="first")], "7"),
        Page([config("a", 9, uid="second")], "9"),
    ]
    await informer.wait_synced()
    server.steps.put_nowait(Expired("too old"))
    await settle()
    await clock.advance(5)
    await settle()
    assert heard == [(None, "a1"), ("a1", None), (None, "a9")]


async def test_a_server_that_does_not_answer_is_asked_again_with_pauses(tasks: Tasks) -> None:
    clock = FakeClock()
    server, informer, _ = started(tasks, clock)
    server.pages = [ServiceUnavailable("starting"), OSError("refused"), Page([], "1")]
    await settle()
    assert len(server.pages) == 2
    assert not informer.synced
    for _ in range(3):
        await clock.advance(1)
        await settle()
    assert informer.synced


async def test_a_late_listener_hears_of_what_is_there(tasks: Tasks) -> None:
    server, informer, _ = started(tasks)
    server.pages = [Page([config("a", 3)], "7")]
    await informer.wait_synced()
    heard: Heard = []
    informer.on_change(lambda old, new: heard.append((tag(old), tag(new))))
    assert heard == [(None, "a3")]


async def test_loops_share_one_informer_per_kind_and_selection() -> None:
    informers = Informers(Scripted().client(), FakeClock())
    assert informers.of(CONFIG_MAP) is informers.of(CONFIG_MAP)
    assert len(informers.all()) == 1


def started(
    tasks: Tasks, clock: FakeClock | None = None
) -> tuple[Scripted, Informer[ConfigMap], Heard]:
    server = Scripted()
    informer = Informer(server.client(), CONFIG_MAP, clock=clock or FakeClock())
    heard: Heard = []
    informer.on_change(lambda old, new: heard.append((tag(old), tag(new))))
    tasks.spawn("informer", informer.run())
    return server, informer, heard


def tag(obj: ConfigMap | None) -> str | None:
    return obj and obj.metadata.name + obj.metadata.resourceVersion
