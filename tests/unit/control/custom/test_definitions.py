"""A definition makes a kind that works like the built-in ones, and takes it away again."""

import asyncio
import random
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import msgspec
import pytest

from appliance.api import codec
from appliance.api.errors import Conflict, Invalid, NotFound
from appliance.api.kind import Kind
from appliance.api.kinds.apiextensions.definition import CUSTOM_RESOURCE_DEFINITION
from appliance.api.kinds.core.namespace import NAMESPACE, Namespace
from appliance.api.meta import DeleteOptions, ObjectMeta
from appliance.client.base import PatchType
from appliance.control.custom.catalog import Catalog
from appliance.control.custom.definitions import Definitions
from appliance.control.registry.base import Call, Query, User
from appliance.control.registry.registry import StoreRegistry
from appliance.kit.clock import FakeClock
from appliance.kit.tasks import Tasks
from appliance.store.memory import MemoryStore

GROUP = "example.com"
SCHEMA = {
    "type": "object",
    "properties": {
        "spec": {
            "type": "object",
            "properties": {
                "size": {"type": "integer", "minimum": 1},
                "color": {"type": "string", "default": "red"},
                "ports": {
                    "type": "array",
                    "x-kubernetes-list-type": "map",
                    "x-kubernetes-list-map-keys": ["name"],
                    "items": {
                        "type": "object",
                        "required": ["name"],
                        "properties": {"name": {"type": "string"}, "port": {"type": "integer"}},
                    },
                },
            },
        },
        "status": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
    },
}


def definition(plural: str = "widgets", kind: str = "Widget", **version: Any) -> Any:
    v1 = {
        "name": "v1",
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": SCHEMA},
        "subresources": {
            "status": {},
            "scale": {
                "specReplicasPath": ".spec.size",
                "statusReplicasPath": ".status.size",
            },
        },
        "additionalPrinterColumns": [
            {"name": "Size", "type": "integer", "jsonPath": ".spec.size"},
            {"name": "Color", "type": "string", "jsonPath": ".spec.color"},
        ],
    } | version
    v2 = {"name": "v2", "served": True, "storage": False, "schema": v1["schema"]}
    body = {
        "metadata": {"name": f"{plural}.{GROUP}"},
        "spec": {
            "group": GROUP,
            "scope": "Namespaced",
            "names": {"plural": plural, "kind": kind},
            "versions": [v1, v2],
        },
    }
    return msgspec.convert(body, CUSTOM_RESOURCE_DEFINITION.type)


@dataclass
class World:
    registry: StoreRegistry
    catalog: Catalog
    call: Call

    async def until(self, want: Any) -> None:
        for _ in range(2000):
            if want():
                return
            await asyncio.sleep(0)
        raise AssertionError("it never came")

    async def define(self, made: Any) -> Any:
        found = await self.registry.create(
            CUSTOM_RESOURCE_DEFINITION, made, namespace="", call=self.call
        )
        await self.until(lambda: self.catalog.find(GROUP, "v1", made.spec.names.plural))
        for _ in range(100):  # the status is noted when the kind is there
            await asyncio.sleep(0)
        return found.obj

    def kind(self, version: str = "v1") -> Kind[Any]:
        found = self.catalog.find(GROUP, version, "widgets")
        assert found
        return found

    async def make(self, name: str, **spec: Any) -> Any:
        kind = self.kind()
        body = {"metadata": {"name": name}, "spec": spec, "status": {"size": 9}}
        obj, _ = codec.decode(kind.type, body)
        made = await self.registry.create(kind, obj, namespace="default", call=self.call)
        return codec.to_plain(made.obj)


@pytest.fixture
async def world() -> AsyncIterator[World]:
    clock = FakeClock()
    store = MemoryStore(clock)
    call = Call(user=User(name="admin", groups=("system:masters",)), field_manager="tests")
    async with (
        StoreRegistry(store, clock=clock, rng=random.Random(1)) as registry,  # noqa: S311
        Tasks("tests", clock) as tasks,
    ):
        namespace = Namespace(metadata=ObjectMeta(name="default"))
        await registry.create(NAMESPACE, namespace, namespace="", call=call)
        catalog = Catalog()
        definitions = Definitions(registry, catalog, clock)
        _ = tasks.spawn("definitions", definitions.run())
        yield World(registry, catalog, call)
        await tasks.close()
        assert registry.mutated() == ()
    await store.close()


async def test_its_names_are_accepted_and_its_kind_is_there(world: World) -> None:
    await world.define(definition())
    kind = world.kind()
    assert (kind.kind, kind.list_kind, kind.singular) == ("Widget", "WidgetList", "widget")
    found = await world.registry.get(CUSTOM_RESOURCE_DEFINITION, "", f"widgets.{GROUP}")
    conditions = {c.type: c.status for c in found.obj.status.conditions or ()}
    assert conditions == {"NamesAccepted": "True", "Established": "True"}


async def test_objects_are_defaulted_pruned_and_checked(world: World) -> None:
    await world.define(definition())
    made = await world.make("a", size=2, extra=True)
    assert made["spec"] == {"size": 2, "color": "red"}
    assert "status" not in made, "status has a door of its own"
    assert made["metadata"]["generation"] == 1
    with pytest.raises(Invalid, match="should be greater than or equal to 1"):
        await world.make("b", size=0)
    assert world.kind().cells
    row = world.kind().cells((await world.registry.get(world.kind(), "default", "a")).obj, 0.0)  # type: ignore[misc]
    assert row == ["a", 2, "red"]


async def test_status_and_scale_have_doors_of_their_own(world: World) -> None:
    await world.define(definition())
    await world.make("a", size=2)
    kind = world.kind()
    where: Any = {"namespace": "default", "name": "a", "call": world.call}
    body = {"spec": {"size": 7}, "status": {"size": 2}}
    _ = await world.registry.patch(
        kind, how=PatchType.MERGE, body=body, subresource="status", **where
    )
    now = codec.to_plain((await world.registry.get(kind, "default", "a")).obj)
    assert (now["spec"]["size"], now["status"]) == (2, {"size": 2})
    assert now["metadata"]["generation"] == 1
    scale = (await world.registry.get_scale(kind, "default", "a")).obj
    assert (scale.spec.replicas, scale.status.replicas) == (2, 2)
    _ = await world.registry.patch(
        kind, how=PatchType.MERGE, body={"spec": {"replicas": 5}}, subresource="scale", **where
    )
    now = codec.to_plain((await world.registry.get(kind, "default", "a")).obj)
    assert (now["spec"]["size"], now["metadata"]["generation"]) == (5, 2)


async def test_an_object_can_be_read_and_changed_through_another_version(world: World) -> None:
    await world.define(definition())
    await world.make("a", size=2)
    v2 = world.kind("v2")
    seen = await world.registry.get(v2, "default", "a")
    assert codec.to_plain(seen.obj)["apiVersion"] == f"{GROUP}/v2"
    _ = await world.registry.patch(
        v2,
        namespace="default",
        name="a",
        how=PatchType.MERGE,
        body={"spec": {"color": "blue"}},
        call=world.call,
    )
    now = codec.to_plain((await world.registry.get(world.kind(), "default", "a")).obj)
    assert (now["apiVersion"], now["spec"]["color"]) == (f"{GROUP}/v1", "blue")


async def test_appliers_share_a_list_by_its_keys(world: World) -> None:
    await world.define(definition())
    kind = world.kind()

    async def apply(manager: str, **spec: Any) -> Any:
        body = {
            "apiVersion": f"{GROUP}/v1",
            "kind": "Widget",
            "metadata": {"name": "a"},
            "spec": spec,
        }
        call = Call(user=world.call.user, field_manager=manager)
        made, _ = await world.registry.patch(
            kind, namespace="default", name="a", how=PatchType.APPLY, body=body, call=call
        )
        return codec.to_plain(made.obj)["spec"]

    await apply("one", size=1, ports=[{"name": "x", "port": 1}])
    both = await apply("two", ports=[{"name": "y", "port": 2}])
    assert [p["name"] for p in both["ports"]] == ["x", "y"]
    with pytest.raises(Conflict, match=r"\.spec\.size"):
        await apply("two", size=3)
    left = await apply("one", size=1)
    assert [p["name"] for p in left["ports"]] == ["y"]


async def test_names_that_are_taken_are_refused_until_they_are_free(world: World) -> None:
    await world.define(definition())
    rival = definition("gadgets", "Widget")
    await world.registry.create(CUSTOM_RESOURCE_DEFINITION, rival, namespace="", call=world.call)

    async def state() -> dict[str, str]:
        found = await world.registry.get(CUSTOM_RESOURCE_DEFINITION, "", f"gadgets.{GROUP}")
        return {c.type: c.reason for c in found.obj.status.conditions or ()}

    for _ in range(200):
        await asyncio.sleep(0)
    assert await state() == {"NamesAccepted": "SingularConflict", "Established": "NotAccepted"}
    assert world.catalog.find(GROUP, "v1", "gadgets") is None
    _ = await world.registry.delete(
        CUSTOM_RESOURCE_DEFINITION,
        namespace="",
        name=f"widgets.{GROUP}",
        options=DeleteOptions(),
        call=world.call,
    )
    await world.until(lambda: world.catalog.find(GROUP, "v1", "gadgets"))
    for _ in range(100):
        await asyncio.sleep(0)
    assert (await state())["Established"] == "InitialNamesAccepted"


async def test_its_objects_go_before_it_does(world: World) -> None:
    await world.define(definition())
    await world.make("a", size=1)
    kind = world.kind()
    _, gone = await world.registry.delete(
        CUSTOM_RESOURCE_DEFINITION,
        namespace="",
        name=f"widgets.{GROUP}",
        options=DeleteOptions(),
        call=world.call,
    )
    assert not gone
    await world.until(lambda: world.catalog.find(GROUP, "v1", "widgets") is None)
    with pytest.raises(NotFound):
        await world.registry.get(CUSTOM_RESOURCE_DEFINITION, "", f"widgets.{GROUP}")
    assert (await world.registry.list(kind, Query())).items == []


async def test_a_new_schema_holds_for_what_comes(world: World) -> None:
    await world.define(definition())
    await world.make("a", size=1)
    schema = msgspec.json.decode(msgspec.json.encode(SCHEMA))
    schema["properties"]["spec"]["properties"]["shape"] = {"type": "string", "default": "round"}
    body = [{"op": "replace", "path": "/spec/versions/0/schema/openAPIV3Schema", "value": schema}]
    before = world.kind()
    _ = await world.registry.patch(
        CUSTOM_RESOURCE_DEFINITION,
        namespace="",
        name=f"widgets.{GROUP}",
        how=PatchType.JSON,
        body=body,
        call=world.call,
    )
    await world.until(lambda: world.kind() is not before)
    assert (await world.make("b", size=1))["spec"]["shape"] == "round"
