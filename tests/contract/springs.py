"""Every kind of manifest source, each with the world that it looks at, for `test_source`."""

import asyncio
import json
import os
import random
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from typing_extensions import override

from appliance.api.errors import ServiceUnavailable
from appliance.api.kinds.core.namespace import NAMESPACE, Namespace
from appliance.api.kinds.core.pod.kind import POD
from appliance.api.kinds.core.references import ObjectReference
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
from appliance.node.sources.complaints import Complaints
from appliance.node.sources.etcd import EtcdSource, keys_of
from appliance.node.sources.file import FileSource
from appliance.node.sources.http import HttpSource
from appliance.node.sources.kept import Kept
from appliance.node.sources.push import PushSource
from appliance.store.memory import MemoryStore
from appliance.store.ops import delete, put
from appliance.store.serve.server import EtcdServer
from tests.unit.node.stage import Notes, pod, wish
from tests.unit.store.serve.conftest import ME

PERIOD_S = 0.01
RUBBISH = b"kind: Pod\napiVersion: v1\nspec: {containers: 5"
Act = Callable[[str], Awaitable[None]]


class Bulletin(Notes):
    """Events about the node."""

    def __init__(self) -> None:
        super().__init__()
        self.came = asyncio.Event()

    @override
    def record(self, about: ObjectReference, kind: str, reason: str, message: str) -> None:
        super().record(about, kind, reason, message)
        self.came.set()


@dataclass(kw_only=True)
class Spring:
    """A source under test, and the world that it looks at."""

    source: Source
    put: Callable[[str, str], Awaitable[None]]
    """(name, image): a pod that should be here."""
    remove: Act
    broken: Source | None = None
    """One of the kind that can't be read; nobody can fail to be posted to."""
    spoil: Act | None = None
    """Make rubbish of the place where a pod is; the API refuses rubbish itself."""
    notes: Bulletin = field(default_factory=Bulletin)


def manifest(name: str, image: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name},
        "spec": {"containers": [{"name": "c", "image": image}]},
    }


class Manifests:
    """A source's world as one text: all pods, or rubbish; `write` brings it there."""

    def __init__(self, write: Callable[[bytes], Awaitable[None]]) -> None:
        self._write = write
        self._pods: dict[str, str] = {}

    async def put(self, name: str, image: str) -> None:
        self._pods[name] = image
        await self._bring()

    async def remove(self, name: str) -> None:
        del self._pods[name]
        await self._bring()

    async def spoil(self, _name: str) -> None:
        await self._write(RUBBISH)

    async def _bring(self) -> None:
        items = [manifest(name, image) for name, image in self._pods.items()]
        body = {"kind": "PodList", "apiVersion": "v1", "items": items}
        await self._write(json.dumps(body).encode())


def kept(source: str, notes: Bulletin) -> tuple[Kept, Complaints]:
    complaints = Complaints(notes, "n1")
    return Kept(source, node_name="n1", complaints=complaints, last=()), complaints


async def file_spring(_stack: AsyncExitStack, folder: Path) -> Spring:
    manifests, pipe, notes = folder / "manifests", folder / "pipe", Bulletin()
    manifests.mkdir()
    os.mkfifo(pipe)

    def source(path: Path) -> FileSource:
        holds, complaints = kept("file", notes)
        # Only the kernel's word can wake it: the period is longer than any test.
        return FileSource(
            path, period_s=3600, clock=SystemClock(), kept=holds, complaints=complaints
        )

    def write(name: str, text: str) -> None:
        (manifests / f"{name}.yaml").write_text(text)

    async def put_one(name: str, image: str) -> None:
        write(name, yaml.safe_dump(manifest(name, image)))

    async def remove(name: str) -> None:
        (manifests / f"{name}.yaml").unlink()

    async def spoil(name: str) -> None:
        write(name, RUBBISH.decode())

    return Spring(
        source=source(manifests),
        put=put_one,
        remove=remove,
        broken=source(pipe),
        spoil=spoil,
        notes=notes,
    )


class Pages:
    """A small web server: one page, and how it answers."""

    def __init__(self) -> None:
        self.body = b""
        self.status = "200 OK"
        self.asked = 0

    async def start(self, stack: AsyncExitStack) -> str:
        server = await asyncio.start_server(self._answer, "127.0.0.1", 0)
        stack.push_async_callback(server.wait_closed)
        stack.callback(server.close)
        return f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/pods.yaml"

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        self.asked += 1
        tag = f'"{hash(self.body)}"'
        status, body = self.status, self.body
        if status.startswith("200") and f"if-none-match: {tag}" in head.lower():
            status, body = "304 Not Modified", b""
        lines = f"HTTP/1.1 {status}\r\nETag: {tag}\r\nConnection: close\r\n"
        writer.write(f"{lines}Content-Length: {len(body)}\r\n\r\n".encode() + body)
        await writer.drain()
        writer.close()


async def http_spring(stack: AsyncExitStack, _folder: Path) -> Spring:
    pages, notes = Pages(), Bulletin()
    url = await pages.start(stack)

    def source(of: str) -> HttpSource:
        holds, complaints = kept("http", notes)
        return HttpSource(
            of, period_s=PERIOD_S, clock=SystemClock(), kept=holds, complaints=complaints
        )

    async def write(body: bytes) -> None:
        pages.body = body

    world = Manifests(write)
    return Spring(
        source=source(url),
        put=world.put,
        remove=world.remove,
        broken=source("http://127.0.0.1:9/"),
        spoil=world.spoil,
        notes=notes,
    )


async def etcd_spring(stack: AsyncExitStack, _folder: Path) -> Spring:
    store, notes = MemoryStore(FakeClock()), Bulletin()
    stack.push_async_callback(store.close)
    server = EtcdServer(store, ME, FakeClock())
    stack.push_async_callback(server.stop)
    port = await server.listen("127.0.0.1", 0)
    keys = keys_of(["host.example.com", "n1"])

    def source(endpoint: str) -> EtcdSource:
        holds, complaints = kept("etcd", notes)
        return EtcdSource([endpoint], keys, clock=SystemClock(), kept=holds, complaints=complaints)

    async def write(body: bytes) -> None:
        if body == b'{"kind": "PodList", "apiVersion": "v1", "items": []}':
            await delete(store, keys[1].encode())
        else:
            await put(store, keys[1].encode(), body)

    world = Manifests(write)
    return Spring(
        source=source(f"http://127.0.0.1:{port}"),
        put=world.put,
        remove=world.remove,
        broken=source("http://127.0.0.1:9"),
        spoil=world.spoil,
        notes=notes,
    )


async def push_spring(_stack: AsyncExitStack, _folder: Path) -> Spring:
    source = PushSource(node_name="n1", last=())

    async def write(body: bytes) -> None:
        source.take(body)

    world = Manifests(write)
    return Spring(source=source, put=world.put, remove=world.remove)


class Away:
    """An API that nobody can reach."""

    async def list(self, *_args: object, **_named: object) -> object:
        raise ServiceUnavailable("away")


async def api_spring(stack: AsyncExitStack, _folder: Path) -> Spring:
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

    async def put_one(name: str, image: str) -> None:
        made = pod(wish(image=image), name=name, uid="")
        await client.create(POD, made, namespace="default")

    async def remove(name: str) -> None:
        options = DeleteOptions(grace_period_s=0)
        await client.delete(POD, name, namespace="default", options=options)

    return Spring(source=source(client), put=put_one, remove=remove, broken=source(Away()))


SPRINGS = {
    "api": api_spring,
    "file": file_spring,
    "http": http_spring,
    "etcd": etcd_spring,
    "push": push_spring,
}
