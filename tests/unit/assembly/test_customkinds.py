"""What a custom object owns goes with it, whichever of the two kinds was there first."""

import asyncio
import random
from typing import Any

import msgspec

from appliance.api import codec
from appliance.api.kinds.apiextensions.definition import CUSTOM_RESOURCE_DEFINITION
from appliance.api.kinds.core.configmap import CONFIG_MAP, ConfigMap
from appliance.api.kinds.core.namespace import NAMESPACE, Namespace
from appliance.api.meta import ObjectMeta
from appliance.assembly.customkinds import CustomKinds
from appliance.client.base import Client
from appliance.client.controller import Runner
from appliance.client.informer import Informers
from appliance.control.controllers.garbage import GarbageCollector
from appliance.control.custom.catalog import Catalog
from appliance.control.custom.definitions import Definitions
from appliance.control.local import LocalClient
from appliance.control.registry.base import User
from appliance.control.registry.registry import StoreRegistry
from appliance.kit.clock import FakeClock
from appliance.kit.tasks import Tasks
from appliance.store.memory import MemoryStore

DEFINITION = {
    "metadata": {"name": "widgets.example.com"},
    "spec": {
        "group": "example.com",
        "scope": "Namespaced",
        "names": {"plural": "widgets", "kind": "Widget"},
        "versions": [
            {
                "name": "v1",
                "served": True,
                "storage": True,
                "schema": {"openAPIV3Schema": {"type": "object"}},
            }
        ],
    },
}


async def until(want: Any) -> None:
    for _ in range(5000):
        if await want():
            return
        await asyncio.sleep(0)
    raise AssertionError("it never came")


async def names(client: Client) -> list[str]:
    return [obj.metadata.name for obj in (await client.list(CONFIG_MAP)).items]


async def test_what_a_custom_object_owns_goes_with_it() -> None:
    clock = FakeClock()
    store = MemoryStore(clock)
    async with (
        StoreRegistry(store, clock=clock, rng=random.Random(1)) as registry,  # noqa: S311
        Tasks("tests", clock) as tasks,
    ):
        client = LocalClient(registry, User(name="admin", groups=("system:masters",)), clock)
        catalog = Catalog()
        _ = tasks.spawn("definitions", Definitions(registry, catalog, clock).run())
        informers = Informers(client, clock)
        collector = GarbageCollector(client, informers, [CONFIG_MAP])
        runner = Runner(collector, clock=clock)
        informers.start(tasks)
        _ = tasks.spawn("collector", runner.run())
        _ = tasks.spawn("kinds", CustomKinds(client, catalog, clock, collector).run(runner))
        await client.create(NAMESPACE, Namespace(metadata=ObjectMeta(name="default")))
        made = msgspec.convert(DEFINITION, CUSTOM_RESOURCE_DEFINITION.type)
        await client.create(CUSTOM_RESOURCE_DEFINITION, made)

        async def served() -> bool:
            return catalog.find("example.com", "v1", "widgets") is not None

        await until(served)
        kind = catalog.find("example.com", "v1", "widgets")
        assert kind
        widget, _ = codec.decode(kind.type, {"metadata": {"name": "w"}})
        owner = await client.create(kind, widget, namespace="default")
        refs = [
            {
                "apiVersion": "example.com/v1",
                "kind": "Widget",
                "name": "w",
                "uid": owner.metadata.uid,
            }
        ]
        for name, owners in (("owned", refs), ("free", [])):
            meta = {"name": name, "namespace": "default", "ownerReferences": owners}
            await client.create(CONFIG_MAP, msgspec.convert({"metadata": meta}, ConfigMap))
        for _ in range(200):
            await asyncio.sleep(0)
        assert await names(client) == ["free", "owned"]
        await client.delete(kind, "w", namespace="default")

        async def collected() -> bool:
            return await names(client) == ["free"]

        await until(collected)
        await client.delete(CUSTOM_RESOURCE_DEFINITION, "widgets.example.com")

        async def gone() -> bool:
            return not await served()

        await until(gone)
        await tasks.close()
        await client.close()
    await store.close()
