"""What every source of pods promises (`appliance/node/sources/base.py`)."""

import asyncio
import os
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from appliance.api.errors import ServiceUnavailable
from appliance.api.kinds.core.namespace import NAMESPACE, Namespace
from appliance.api.kinds.core.pod.kind import POD, Pod
from appliance.api.kinds.core.serviceaccount import SERVICE_ACCOUNT, ServiceAccount
from appliance.api.meta import ObjectMeta
from appliance.client.base import DeleteOptions
from appliance.client.informer import Informers
from appliance.control.local import LocalClient
from appliance.control.registry.base import User
from appliance.control.registry.registry import StoreRegistry
from appliance.kit.clock import FakeClock, SystemClock
from appliance.kit.tasks import Tasks
from appliance.node.sources.api import ApiSource
from appliance.node.sources.base import Source
from appliance.node.sources.file import FileSource
from appliance.store.memory import MemoryStore
from tests.unit.node.stage import pod, wish

Put = Callable[[str, str], Awaitable[None]]
Remove = Callable[[str], Awaitable[None]]


@dataclass(frozen=True)
class Spring:
    """A source under test, and the world that it looks at."""

    source: Source
    put: Put
    """(name, image): a pod that should be here."""
    remove: Remove
    broken: Source
    """One of the kind that can't be read."""


class Reader:
    """Reads snapshots one after the other."""

    def __init__(self, source: Source) -> None:
        self._snapshots = source.snapshots()

    async def until(self, *names: str) -> Sequence[Pod]:
        """The first snapshot of just these pods."""
        async with asyncio.timeout(5):
            async for pods in self._snapshots:
                if sorted(p.metadata.name.removesuffix("-n1") for p in pods) == sorted(names):
                    return pods
        raise AssertionError("the source ended")


@pytest.fixture(params=["api", "file"])
async def spring(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Spring]:
    async with AsyncExitStack() as stack:
        if request.param == "file":
            yield _file(tmp_path)
        else:
            yield await _api(stack)


def _file(folder: Path) -> Spring:
    manifests, pipe = folder / "manifests", folder / "pipe"
    manifests.mkdir()
    os.mkfifo(pipe)

    def source(path: Path) -> FileSource:
        return FileSource(path, node_name="n1", period_s=0.01, clock=SystemClock())

    async def put(name: str, image: str) -> None:
        body = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": name},
            "spec": {"containers": [{"name": "c", "image": image}]},
        }
        _write(manifests / f"{name}.yaml", yaml.safe_dump(body))

    async def remove(name: str) -> None:
        (manifests / f"{name}.yaml").unlink()

    return Spring(source(manifests), put, remove, source(pipe))


def _write(path: Path, text: str) -> None:
    path.write_text(text)


async def _api(stack: AsyncExitStack) -> Spring:
    clock = FakeClock()
    store = MemoryStore(clock)
    stack.push_async_callback(store.close)
    rng = random.Random(1)  # noqa: S311 - names only
    registry = await stack.enter_async_context(StoreRegistry(store, clock=clock, rng=rng))
    client = LocalClient(registry, User(name="admin", groups=("system:masters",)), clock)
    stack.push_async_callback(client.close)
    await client.create(NAMESPACE, Namespace(metadata=ObjectMeta(name="default")))
    account = ServiceAccount(metadata=ObjectMeta(name="default"))
    await client.create(SERVICE_ACCOUNT, account, namespace="default")
    tasks = await stack.enter_async_context(Tasks("sources"))

    def source(reach: object) -> ApiSource:
        informers = Informers(reach, SystemClock())  # type: ignore[arg-type]
        made = ApiSource(informers, "n1")
        informers.start(tasks)
        return made

    async def put(name: str, image: str) -> None:
        made = pod(wish(image=image), name=name, uid="")
        await client.create(POD, made, namespace="default")

    async def remove(name: str) -> None:
        options = DeleteOptions(grace_period_s=0)
        await client.delete(POD, name, namespace="default", options=options)

    return Spring(source(client), put, remove, source(Away()))


class Away:
    """An API that nobody can reach."""

    async def list(self, *_args: object, **_named: object) -> object:
        raise ServiceUnavailable("away")


async def test_each_snapshot_is_whole(spring: Spring) -> None:
    reader = Reader(spring.source)
    await spring.put("a", "web:1")
    await reader.until("a")
    await spring.put("b", "web:1")
    await reader.until("a", "b")
    await spring.remove("a")
    await reader.until("b")


async def test_no_pods_are_a_snapshot_too(spring: Spring) -> None:
    assert await Reader(spring.source).until() == []


async def test_a_source_that_can_not_be_read_says_nothing(spring: Spring) -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            await anext(spring.broken.snapshots())


async def test_pods_come_with_name_namespace_and_uid(spring: Spring) -> None:
    await spring.put("a", "web:1")
    (one,) = await Reader(spring.source).until("a")
    meta = one.metadata
    assert (meta.namespace, one.spec.nodeName) == ("default", "n1")
    assert meta.uid


async def test_another_pod_of_the_same_name_has_another_uid(spring: Spring) -> None:
    reader = Reader(spring.source)
    await spring.put("a", "web:1")
    (before,) = await reader.until("a")
    await spring.remove("a")
    await reader.until()
    await spring.put("a", "web:2")
    (after,) = await reader.until("a")
    assert after.metadata.uid != before.metadata.uid
