"""WATCH: where it starts, what it shows, how it ends."""

import asyncio
import random
from collections.abc import AsyncIterator

import pytest
from typing_extensions import override

from appliance.api import errors
from appliance.api.kinds.core.configmap import CONFIG_MAP, ConfigMap
from appliance.api.kinds.core.namespace import NAMESPACE, Namespace
from appliance.api.meta import DeleteOptions, ObjectMeta
from appliance.client.base import EventType, PatchType
from appliance.control.options import ControlOptions
from appliance.control.registry.base import Call, Query, Stored, StoredEvent
from appliance.control.registry.registry import StoreRegistry
from appliance.control.registry.watching import KindWatch
from appliance.kit import jsonio
from appliance.kit.clock import FakeClock
from appliance.store.base import Put, Txn, Watcher, WatchRequest
from appliance.store.errors import Compacted, Overrun
from appliance.store.hub import HubWatcher
from appliance.store.memory import MemoryStore

ADDED, MODIFIED, DELETED = EventType.ADDED, EventType.MODIFIED, EventType.DELETED
FEW = ControlOptions(ring_size=3, watcher_backlog=3)


class CutStore(MemoryStore):
    """A store that can be told to cut its watchers, as one does that fell behind."""

    watchers: list[HubWatcher]

    @override
    def watch(self, request: WatchRequest) -> HubWatcher:
        watcher = super().watch(request)
        assert isinstance(watcher, HubWatcher)
        self.watchers = [*getattr(self, "watchers", []), watcher]
        return watcher


class ForgetfulStore(MemoryStore):
    """After its restart a store knows no past of keys that it never wrote to disk."""

    @override
    def watch(self, request: WatchRequest) -> Watcher:
        watcher = super().watch(request)
        if request.start_revision == 1 and b"configmaps" in request.key:
            assert isinstance(watcher, HubWatcher)
            watcher.cut(Compacted(2))
        return watcher


@pytest.fixture
async def store(clock: FakeClock) -> AsyncIterator[CutStore]:
    store = CutStore(clock)
    yield store
    await store.close()


@pytest.fixture
async def small(store: CutStore, clock: FakeClock, call: Call) -> AsyncIterator[StoreRegistry]:
    """A registry that keeps next to nothing."""
    async with StoreRegistry(store, clock=clock, rng=random.Random(1), options=FEW) as registry:  # noqa: S311
        namespace = Namespace(metadata=ObjectMeta(name="default"))
        await registry.create(NAMESPACE, namespace, namespace="", call=call)
        yield registry


async def test_without_a_revision_what_exists_comes_first(
    registry: StoreRegistry, call: Call
) -> None:
    await create(registry, call, "b")
    await create(registry, call, "a")
    watches = [registry.watch(CONFIG_MAP, Query(resource_version=r)) for r in ("", "0")]
    for watch in watches:
        assert shown(await take(watch, 2)) == [(ADDED, "a"), (ADDED, "b")]
    await create(registry, call, "later")
    for watch in watches:
        assert shown(await take(watch, 1)) == [(ADDED, "later")]


async def test_a_revision_in_the_future_is_waited_for(registry: StoreRegistry, call: Call) -> None:
    made = await create(registry, call, "a")
    watch = registry.watch(CONFIG_MAP, Query(resource_version=str(made.revision + 1)))
    reading = asyncio.ensure_future(anext(watch))
    await create(registry, call, "b")
    await create(registry, call, "c")
    assert shown([await reading]) == [(ADDED, "c")]


@pytest.mark.seed("B06")
async def test_entering_and_leaving_a_selection(registry: StoreRegistry, call: Call) -> None:
    made = await create(registry, call, "a")
    since = Query(namespace="default", labels="in=yes", resource_version=str(made.revision))
    watch = registry.watch(CONFIG_MAP, since)
    for value in ("yes", "yes", "no"):
        body = {"metadata": {"labels": {"in": value}}, "data": {"k": value}}
        last = await patch(registry, call, body)
    await delete(registry, call, "a")
    seen = await take(watch, 2)
    assert shown(seen) == [(ADDED, "a"), (DELETED, "a")]
    assert seen[1].item.obj.data == {"k": "yes"}, "the state that was selected last"
    assert seen[1].item.revision == last.revision, "under the revision at which it left"


async def test_the_other_namespace_is_not_seen(registry: StoreRegistry, call: Call) -> None:
    watch = registry.watch(CONFIG_MAP, Query(namespace="other"))
    await create(registry, call, "a")
    await create(registry, call, "b", namespace="other")
    assert shown(await take(watch, 1)) == [(ADDED, "b")]


async def test_all_watchers_share_one_encoding(registry: StoreRegistry, call: Call) -> None:
    made = await create(registry, call, "a")
    since = Query(namespace="default", resource_version=str(made.revision))
    watches = [registry.watch(CONFIG_MAP, since) for _ in range(2)]
    await delete(registry, call, "a")
    one, other = [await take(watch, 1) for watch in watches]
    assert one[0].item is other[0].item


@pytest.mark.seed("E03")
async def test_a_new_server_lets_watches_go_on_where_they_were(
    registry: StoreRegistry, call: Call, store: CutStore, clock: FakeClock
) -> None:
    made = await create(registry, call, "a")
    await patch(registry, call, {"data": {"k": "1"}})
    await registry.close()
    async with StoreRegistry(store, clock=clock, rng=random.Random(2)) as again:  # noqa: S311
        watch = again.watch(CONFIG_MAP, Query(resource_version=str(made.revision)))
        assert shown(await take(watch, 1)) == [(MODIFIED, "a")]


async def test_history_that_is_gone_is_expired(small: StoreRegistry, call: Call) -> None:
    made = await create(small, call, "a")
    for number in range(5):
        await patch(small, call, {"data": {"k": str(number)}})
    watch = small.watch(CONFIG_MAP, Query(resource_version=str(made.revision)))
    with pytest.raises(errors.Expired, match=f"too old resource version: {made.revision} "):
        await anext(watch)


async def test_a_slow_watcher_is_cut_and_hears_of_it(small: StoreRegistry, call: Call) -> None:
    watch = small.watch(CONFIG_MAP, Query(namespace="default"))
    await create(small, call, "a")
    await take(watch, 1)
    for number in range(5):
        await patch(small, call, {"data": {"k": str(number)}})
    assert len(await take(watch, 3)) == 3, "what was queued is still read"
    with pytest.raises(errors.Expired, match="fell 3 behind"):
        await anext(watch)
    await watch.aclose()
    (figures,) = [c for c in small.counts() if c.plural == "configmaps"]
    assert (figures.objects, figures.watchers, figures.watchers_cut) == (1, 0, 1)


async def test_a_cut_feed_loads_anew_and_tells_everybody(
    registry: StoreRegistry, call: Call, store: CutStore, clock: FakeClock
) -> None:
    await create(registry, call, "a")
    watch = registry.watch(CONFIG_MAP, Query(namespace="default"))
    await take(watch, 1)
    for watcher in store.watchers:
        watcher.cut(Overrun())
    with pytest.raises(errors.Expired):
        await anext(watch)
    await clock.advance(1)
    assert (await registry.get(CONFIG_MAP, "default", "a")).obj.metadata.name == "a"
    made = await create(registry, call, "b")
    assert await registry.get(CONFIG_MAP, "default", "b") is made
    assert [c.reloads for c in registry.counts() if c.plural == "configmaps"] == [1]


async def test_keys_without_a_past_are_served_from_now_on(clock: FakeClock, call: Call) -> None:
    store = ForgetfulStore(clock)
    async with StoreRegistry(store, clock=clock, rng=random.Random(1)) as registry:  # noqa: S311
        for _ in range(2):  # so that there is a past to ask for
            await registry.create(
                NAMESPACE,
                Namespace(metadata=ObjectMeta(generateName="n")),
                namespace="",
                call=call,
            )
        async with asyncio.timeout(2):
            with pytest.raises(errors.NotFound):
                await registry.get(CONFIG_MAP, "default", "a")
    await store.close()


@pytest.mark.parametrize("warm", [False, True], ids=["at the start", "while running"])
async def test_a_broken_key_takes_only_itself_away(
    registry: StoreRegistry, call: Call, store: CutStore, warm: bool
) -> None:
    made = await create(registry, call, "a")
    if not warm:
        await registry.close()
        registry = StoreRegistry(store, clock=FakeClock(), rng=random.Random(1))  # noqa: S311
    watch = registry.watch(CONFIG_MAP, Query(resource_version=str(made.revision)))
    for name, value in (("a", b'{"data":7}'), ("b", b"\xff"), ("\xff", b"{}")):
        key = f"/registry/configmaps/default/{name}".encode("latin-1")
        await store.txn(Txn(success=(Put(key=key, value=value),)))
    await create(registry, call, "c")
    assert shown(await take(watch, 2)) == [(DELETED, "a"), (ADDED, "c")]
    page = await registry.list(CONFIG_MAP, Query(namespace="default"))
    assert "c" in [i.obj.metadata.name for i in page.items]
    with pytest.raises(errors.NotFound):
        await registry.get(CONFIG_MAP, "default", "a")
    await registry.close()


async def test_bookmarks_come_about_once_a_minute(
    registry: StoreRegistry, call: Call, clock: FakeClock
) -> None:
    await create(registry, call, "a")
    watch = registry.watch(CONFIG_MAP, Query(namespace="default", bookmarks=True))
    plain = registry.watch(CONFIG_MAP, Query(namespace="default"))
    for each in (watch, plain):
        await take(each, 1)
    elsewhere = await registry.create(
        NAMESPACE, Namespace(metadata=ObjectMeta(name="new")), namespace="", call=call
    )
    await clock.advance(61)
    (mark,) = await take(watch, 1)
    assert mark.type is EventType.BOOKMARK
    assert mark.item.revision == elsewhere.revision
    assert jsonio.loads(mark.item.json) == {
        "kind": "ConfigMap",
        "apiVersion": "v1",
        "metadata": {"resourceVersion": str(mark.item.revision)},
    }
    await create(registry, call, "b")
    assert shown(await take(plain, 1)) == [(ADDED, "b")]


async def test_a_reader_that_had_all_is_told_where_it_stands(
    registry: StoreRegistry, call: Call
) -> None:
    await create(registry, call, "a")
    watch = registry.watch(CONFIG_MAP, Query(namespace="default", bookmarks=True))
    assert watch.farewell() is None, "it has read nothing"
    await take(watch, 1)
    made = await create(registry, call, "b", namespace="other")
    assert watch.farewell() is None, "who has not come back may not have sent what it took"
    reading = asyncio.ensure_future(anext(watch))
    await asyncio.sleep(0)
    reading.cancel()
    last = watch.farewell()
    assert last is not None
    assert (last.type, last.item.revision) == (EventType.BOOKMARK, made.revision)
    await create(registry, call, "c")
    assert watch.farewell() is None, "there is more"
    await take(watch, 1)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(anext(watch), 0.01)
    assert watch.farewell() is None, "there is nothing to tell that it does not know"


async def test_a_watch_list_says_where_the_list_ends(registry: StoreRegistry, call: Call) -> None:
    await create(registry, call, "a")
    query = Query(bookmarks=True, initial_events=True, resource_version_match="NotOlderThan")
    watch = registry.watch(CONFIG_MAP, query)
    seen = await take(watch, 2)
    assert [e.type for e in seen] == [ADDED, EventType.BOOKMARK]
    meta = jsonio.loads(seen[1].item.json)["metadata"]
    assert meta["annotations"] == {"k8s.io/initial-events-end": "true"}
    assert int(meta["resourceVersion"]) >= seen[0].item.revision


@pytest.mark.parametrize(
    "query",
    [
        Query(initial_events=True),
        Query(resource_version_match="NotOlderThan", resource_version="0"),
        Query(resource_version="abc"),
        Query(labels="a in"),
    ],
)
async def test_faults_of_the_query_are_raised_at_once(
    registry: StoreRegistry, query: Query
) -> None:
    with pytest.raises(errors.ApiError):
        registry.watch(CONFIG_MAP, query)


async def test_a_closed_watch_ends_quietly(registry: StoreRegistry) -> None:
    watch = registry.watch(CONFIG_MAP, Query(namespace="default"))
    reading = asyncio.ensure_future(anext(watch, None))
    await asyncio.sleep(0)
    await watch.aclose()
    assert await reading is None


async def take(watch: KindWatch[ConfigMap], count: int) -> list[StoredEvent[ConfigMap]]:
    async with asyncio.timeout(2):
        return [await anext(watch) for _ in range(count)]


def shown(events: list[StoredEvent[ConfigMap]]) -> list[tuple[EventType, str]]:
    return [(e.type, e.item.obj.metadata.name) for e in events]


async def create(
    registry: StoreRegistry, call: Call, name: str, namespace: str = "default"
) -> Stored[ConfigMap]:
    obj = ConfigMap(metadata=ObjectMeta(name=name))
    return await registry.create(CONFIG_MAP, obj, namespace=namespace, call=call)


async def patch(registry: StoreRegistry, call: Call, body: object) -> Stored[ConfigMap]:
    after, _ = await registry.patch(
        CONFIG_MAP, namespace="default", name="a", how=PatchType.MERGE, body=body, call=call
    )
    return after


async def delete(registry: StoreRegistry, call: Call, name: str) -> None:
    await registry.delete(
        CONFIG_MAP, namespace="default", name=name, options=DeleteOptions(), call=call
    )
