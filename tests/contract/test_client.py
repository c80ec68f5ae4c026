"""What every `Client` promises, over both: straight onto the registry, and by HTTPS.

The tests are named after the promises in `appliance/client/base.py`.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path

import pytest

from appliance.api.errors import AlreadyExists, Conflict, Expired, Invalid, NotFound
from appliance.api.kinds.core.configmap import CONFIG_MAP, ConfigMap
from appliance.api.kinds.core.namespace import NAMESPACE, Namespace
from appliance.api.meta import ObjectMeta
from appliance.client.base import Client, DeleteOptions, EventType, WatchEvent, Where, clone
from appliance.client.http import HttpClient
from appliance.control.local import LocalClient
from appliance.control.registry.base import User
from appliance.kit.clock import SystemClock
from tests.conform.live import RING, live

ADMIN = User(name="admin", groups=("system:masters",))
HERE = Where(namespace="here")


@pytest.fixture(params=["local", "https"])
async def client(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Client]:
    async with live(tmp_path) as running:
        made: Client
        if request.param == "local":
            made = LocalClient(running.registry, ADMIN, SystemClock())
        else:
            made = HttpClient(running.access)
        await made.create(NAMESPACE, Namespace(metadata=ObjectMeta(name="here")))
        yield made
        await made.close()


def config_map(name: str, **data: str) -> ConfigMap:
    return ConfigMap(metadata=ObjectMeta(name=name, namespace="here"), data=data)


async def test_objects_come_typed_with_their_resource_version(client: Client) -> None:
    made = await client.create(CONFIG_MAP, config_map("a", k="v"))
    read = await client.get(CONFIG_MAP, "a", "here")
    page = await client.list(CONFIG_MAP, HERE)
    assert made == read == page.items[0]
    assert (read.kind, read.apiVersion, read.data) == ("ConfigMap", "v1", {"k": "v"})
    assert int(read.metadata.resourceVersion) <= int(page.resource_version)


async def test_a_list_is_limited_by_selectors_and_read_in_pages(client: Client) -> None:
    for name in ("a", "b", "c"):
        obj = config_map(name)
        obj.metadata.labels = {"odd": "no" if name == "b" else "yes"}
        await client.create(CONFIG_MAP, obj)
    odd = await client.list(CONFIG_MAP, Where(namespace="here", labels="odd=yes"))
    assert [o.metadata.name for o in odd.items] == ["a", "c"]
    named = await client.list(CONFIG_MAP, Where(fields="metadata.name=b"))
    assert [o.metadata.name for o in named.items] == ["b"]
    first = await client.list(CONFIG_MAP, HERE, limit=2)
    rest = await client.list(CONFIG_MAP, HERE, limit=2, continue_token=first.continue_token)
    assert [o.metadata.name for o in (*first.items, *rest.items)] == ["a", "b", "c"]
    assert rest.continue_token == ""
    assert rest.resource_version == first.resource_version


async def test_failures_are_api_errors_whatever_the_transport(client: Client) -> None:
    with pytest.raises(NotFound) as missing:
        await client.get(CONFIG_MAP, "nosuch", "here")
    assert missing.value.message == 'configmaps "nosuch" not found'
    assert missing.value.details is not None
    assert missing.value.details.name == "nosuch"
    await client.create(CONFIG_MAP, config_map("a"))
    with pytest.raises(AlreadyExists):
        await client.create(CONFIG_MAP, config_map("a"))
    with pytest.raises(Invalid) as broken:
        await client.create(CONFIG_MAP, config_map("Not A Name"))
    assert broken.value.details is not None
    assert broken.value.details.causes[0].field == "metadata.name"


async def test_an_update_needs_the_newest_version(client: Client) -> None:
    first = await client.create(CONFIG_MAP, config_map("a", k="1"))
    changed = clone(first)
    changed.data = {"k": "2"}
    second = await client.update(CONFIG_MAP, changed)
    assert second.data == {"k": "2"}
    with pytest.raises(Conflict, match="the object has been modified"):
        await client.update(CONFIG_MAP, changed)


async def test_a_patch_changes_parts(client: Client) -> None:
    await client.create(CONFIG_MAP, config_map("a", k="1", gone="x"))
    body = {"data": {"gone": None, "new": "2"}}
    patched = await client.patch(CONFIG_MAP, "a", body, namespace="here")
    assert patched.data == {"k": "1", "new": "2"}


async def test_a_delete_may_have_conditions(client: Client) -> None:
    made = await client.create(CONFIG_MAP, config_map("a"))
    with pytest.raises(Conflict):
        await client.delete(
            CONFIG_MAP, "a", namespace="here", options=DeleteOptions(uid="somebody-else")
        )
    options = DeleteOptions(uid=made.metadata.uid)
    await client.delete(CONFIG_MAP, "a", namespace="here", options=options)
    with pytest.raises(NotFound):
        await client.delete(CONFIG_MAP, "a", namespace="here")


async def test_a_watch_gives_events_in_order_each_once(client: Client) -> None:
    since = (await client.list(CONFIG_MAP, HERE)).resource_version
    first = await client.create(CONFIG_MAP, config_map("a", k="1"))
    second = clone(first)
    second.data = {"k": "2"}
    second = await client.update(CONFIG_MAP, second)
    await client.delete(CONFIG_MAP, "a", namespace="here")
    await client.create(CONFIG_MAP, config_map("b"))
    events = await collect(client, since, 4)
    assert [(e.type, e.object.metadata.name) for e in events] == [
        (EventType.ADDED, "a"),
        (EventType.MODIFIED, "a"),
        (EventType.DELETED, "a"),
        (EventType.ADDED, "b"),
    ]
    assert events[0].object == first
    assert events[1].object == second
    versions = [int(e.object.metadata.resourceVersion) for e in events]
    assert versions == sorted(set(versions))


async def test_a_watch_hears_of_what_happens_while_it_waits(client: Client) -> None:
    since = (await client.list(CONFIG_MAP, HERE)).resource_version
    async with asyncio.TaskGroup() as group:
        waiting = group.create_task(collect(client, since, 1))
        await client.create(CONFIG_MAP, config_map("late"))
    assert waiting.result()[0].object.metadata.name == "late"


async def test_a_watch_ends_quietly_when_its_time_is_up(client: Client) -> None:
    since = (await client.list(CONFIG_MAP, HERE)).resource_version
    async with asyncio.timeout(5):
        events = [e async for e in client.watch(CONFIG_MAP, HERE, since=since, timeout_s=1)]
    assert all(e.type is EventType.BOOKMARK for e in events)


async def test_a_watch_from_before_what_is_kept_is_expired(client: Client) -> None:
    since = (await client.list(CONFIG_MAP, HERE)).resource_version
    last = await client.create(CONFIG_MAP, config_map("a"))
    for number in range(RING + 1):
        change = clone(last)
        change.data = {"number": str(number)}
        last = await client.update(CONFIG_MAP, change)
    with pytest.raises(Expired, match="too old resource version"):
        await collect(client, since, 1)


async def test_cancelling_a_watch_frees_what_it_holds(client: Client) -> None:
    since = (await client.list(CONFIG_MAP, HERE)).resource_version
    for _ in range(70):  # more than a pool of connections would hold
        waiting = asyncio.ensure_future(collect(client, since, 1))
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
    assert (await client.list(CONFIG_MAP, HERE)).items == []


async def collect(client: Client, since: str, count: int) -> list[WatchEvent[ConfigMap]]:
    events: list[WatchEvent[ConfigMap]] = []
    stream = client.watch(CONFIG_MAP, HERE, since=since)
    async with asyncio.timeout(5), aclosing(stream) as watch:  # type: ignore[type-var]
        async for event in watch:
            if event.type is not EventType.BOOKMARK:
                events.append(event)
            if len(events) == count:
                break
    return events
