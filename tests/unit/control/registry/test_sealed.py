"""Secrets lie sealed in the store; through the registry nobody notices."""

import random

import pytest

from appliance.api.errors import NotFound
from appliance.api.kinds.core.configmap import CONFIG_MAP, ConfigMap
from appliance.api.kinds.core.namespace import NAMESPACE, Namespace
from appliance.api.kinds.core.secret import SECRET, Secret
from appliance.api.meta import DeleteOptions, ObjectMeta
from appliance.client.base import PatchType
from appliance.control.registry.base import Call, Query
from appliance.control.registry.registry import StoreRegistry
from appliance.control.registry.sealed import SealedStore, reseal
from appliance.kit.clock import FakeClock
from appliance.kit.keyring import Ring, new_key
from appliance.store.base import Put, Range, Txn, WatchRequest, prefix_end
from appliance.store.memory import MemoryStore

OLD, NEW = new_key("old"), new_key("new")
KEY = b"/registry/secrets/default/s"


def registry_over(store: MemoryStore, ring: Ring, clock: FakeClock) -> StoreRegistry:
    return StoreRegistry(SealedStore(store, ring), clock=clock, rng=random.Random(1))  # noqa: S311


async def raw(store: MemoryStore, key: bytes = KEY) -> bytes:
    return (await store.range(Range(key=key))).kvs[0].value


async def fill(registry: StoreRegistry, call: Call) -> None:
    namespace = Namespace(metadata=ObjectMeta(name="default"))
    await registry.create(NAMESPACE, namespace, namespace="", call=call)
    secret = Secret(metadata=ObjectMeta(name="s"), data={"k": b"hunter2"})
    await registry.create(SECRET, secret, namespace="default", call=call)


async def test_every_verb_works_and_the_store_sees_nothing(
    store: MemoryStore, clock: FakeClock, call: Call
) -> None:
    async with registry_over(store, Ring([OLD]), clock) as registry:
        watch = registry.watch(SECRET, Query(namespace="default"))
        await fill(registry, call)
        config = ConfigMap(metadata=ObjectMeta(name="s"), data={"k": "plain"})
        await registry.create(CONFIG_MAP, config, namespace="default", call=call)
        assert (await anext(watch)).item.obj.data == {"k": b"hunter2"}
        await registry.patch(
            SECRET,
            namespace="default",
            name="s",
            how=PatchType.MERGE,
            body={"data": {"l": "aHVudGVyMw=="}},
            call=call,
        )
        found = await registry.get(SECRET, "default", "s")
        assert found.obj.data == {"k": b"hunter2", "l": b"hunter3"}
        assert (await anext(watch)).item.obj == found.obj
        page = await registry.list(SECRET, Query())
        assert [i.obj.data for i in page.items] == [found.obj.data]
        value = await raw(store)
        assert value.startswith(b"sealed:aesgcm:v1:old:")
        assert b"aHVudGVy" not in value
        assert b"plain" in await raw(store, b"/registry/configmaps/default/s")
        await registry.delete(
            SECRET, namespace="default", name="s", options=DeleteOptions(), call=call
        )
        with pytest.raises(NotFound):
            await registry.get(SECRET, "default", "s")
        await watch.aclose()


async def test_a_past_state_is_opened_too(store: MemoryStore, clock: FakeClock, call: Call) -> None:
    async with registry_over(store, Ring([OLD]), clock) as registry:
        await fill(registry, call)
        then = (await registry.get(SECRET, "default", "s")).revision
        body = {"data": {"k": "eA=="}}
        how = PatchType.MERGE
        await registry.patch(SECRET, namespace="default", name="s", how=how, body=body, call=call)
        query = Query(resource_version=str(then), resource_version_match="Exact")
        assert [i.obj.data for i in (await registry.list(SECRET, query)).items] == [
            {"k": b"hunter2"}
        ]


async def test_a_new_key_in_front_takes_over_at_the_next_start(
    store: MemoryStore, clock: FakeClock, call: Call
) -> None:
    async with registry_over(store, Ring([OLD]), clock) as registry:
        await fill(registry, call)
    ring = Ring([NEW, OLD])
    assert await reseal(store, ring) == 1
    assert await reseal(store, ring) == 0
    async with registry_over(store, Ring([NEW]), clock) as registry:
        assert (await registry.get(SECRET, "default", "s")).obj.data == {"k": b"hunter2"}


async def test_what_lies_there_open_is_sealed_at_the_next_start(
    store: MemoryStore, clock: FakeClock, call: Call
) -> None:
    async with StoreRegistry(store, clock=clock, rng=random.Random(1)) as plain:  # noqa: S311
        await fill(plain, call)
    assert b"aHVudGVyMg==" in await raw(store)
    assert await reseal(store, Ring([NEW])) == 1
    assert b"aHVudGVyMg==" not in await raw(store)
    async with registry_over(store, Ring([NEW]), clock) as registry:
        assert (await registry.get(SECRET, "default", "s")).obj.data == {"k": b"hunter2"}


async def test_a_lost_key_loses_its_secrets_and_no_others(
    store: MemoryStore, clock: FakeClock, call: Call
) -> None:
    async with registry_over(store, Ring([OLD]), clock) as registry:
        await fill(registry, call)
    assert await reseal(store, Ring([NEW])) == 0
    async with registry_over(store, Ring([NEW]), clock) as registry:
        other = Secret(metadata=ObjectMeta(name="t"), data={"k": b"v"})
        await registry.create(SECRET, other, namespace="default", call=call)
        page = await registry.list(SECRET, Query())
        assert [i.obj.metadata.name for i in page.items] == ["t"]


async def test_a_secret_that_was_moved_does_not_open(
    store: MemoryStore, clock: FakeClock, call: Call
) -> None:
    async with registry_over(store, Ring([OLD]), clock) as registry:
        await fill(registry, call)
        stolen = Put(key=b"/registry/secrets/other/s", value=await raw(store))
        await store.txn(Txn(success=(stolen,)))
        page = await registry.list(SECRET, Query())
        assert [i.obj.metadata.namespace for i in page.items] == ["default"]


async def test_values_before_a_change_are_opened_in_wide_watches_too(store: MemoryStore) -> None:
    sealed = SealedStore(store, Ring([OLD]))
    everything = WatchRequest(key=b"/registry/", end=prefix_end(b"/registry/"), prev_kv=True)
    watch = sealed.watch(everything)
    for value in (b"1", b"2"):
        await sealed.txn(Txn(success=(Put(key=KEY, value=value, prev_kv=True),)))
    seen: list[tuple[bytes, bytes | None]] = []
    while len(seen) < 2:
        seen += [
            (e.kv.value, e.prev_kv.value if e.prev_kv else None)
            for e in (await anext(watch)).events
        ]
    assert seen == [(b"1", None), (b"2", b"1")]
    watch.close()
