"""The whole agent on an engine, a network, a store and a clock in memory."""

import asyncio
import os
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest

from appliance.api.errors import NotFound, ServiceUnavailable
from appliance.api.kinds.coordination.lease import LEASE
from appliance.api.kinds.core.configmap import CONFIG_MAP, ConfigMap
from appliance.api.kinds.core.namespace import NAMESPACE, Namespace
from appliance.api.kinds.core.node import NODE
from appliance.api.kinds.core.persistentvolume import PERSISTENT_VOLUME, PersistentVolume
from appliance.api.kinds.core.persistentvolumeclaim import (
    PERSISTENT_VOLUME_CLAIM,
    PersistentVolumeClaim,
)
from appliance.api.kinds.core.pod.container import VolumeMount
from appliance.api.kinds.core.pod.kind import POD, Pod
from appliance.api.kinds.core.pod.volumes import (
    ConfigMapVolumeSource,
    EmptyDirVolumeSource,
    PersistentVolumeClaimVolumeSource,
    Volume,
)
from appliance.api.kinds.core.serviceaccount import SERVICE_ACCOUNT, ServiceAccount
from appliance.api.meta import ObjectMeta
from appliance.api.volumebinding import BIND_COMPLETED
from appliance.client.base import DeleteOptions
from appliance.client.events import EventRecorder
from appliance.control.local import LocalClient
from appliance.control.registry.base import User
from appliance.control.registry.registry import StoreRegistry
from appliance.kit.clock import FakeClock
from appliance.kit.tasks import Tasks
from appliance.node.agent import Agent
from appliance.node.network.fake import FakeNetwork
from appliance.node.options import NodeOptions
from appliance.node.runtimes import marks
from appliance.node.runtimes.base import Container, State
from appliance.node.runtimes.fake import FakeRuntime
from appliance.node.sources.base import HASH, MIRROR
from appliance.store.memory import MemoryStore
from tests.unit.node.stage import PAUSE, WEB, pod, wish

ADMIN = User(name="system:admin", groups=("system:masters",))


class World:
    """A cluster of one node, in memory."""

    def __init__(self, registry: StoreRegistry, clock: FakeClock, data_dir: Path) -> None:
        self.clock = clock
        self.client = LocalClient(registry, ADMIN, clock)
        self.runtime = FakeRuntime(clock, images=(PAUSE, WEB))
        self.network = FakeNetwork()
        self.options = NodeOptions(
            node_name="n1",
            node_ip="192.0.2.1",
            data_dir=data_dir,
            cluster_id="c1",
            pause_image=PAUSE,
            pod_cidr="10.42.0.0/24",
            labels={"disk": "ssd"},
            taints=("role=edge:NoSchedule",),
            serve=None,
            manifest_path=data_dir / "manifests",
        )

    @asynccontextmanager
    async def agent(self) -> AsyncIterator[Agent]:
        recorder = EventRecorder(self.client, component="kubelet", clock=self.clock)
        agent = Agent(
            client=self.client,
            runtime=self.runtime,
            network=self.network,
            options=self.options,
            clock=self.clock,
            recorder=recorder,
        )
        async with Tasks("test", self.clock) as tasks:
            _ = tasks.spawn("agent", agent.run())
            yield agent

    async def until(self, happened: Callable[[], Awaitable[object]], step_s: float = 0.0) -> None:
        """Let things go on until something is so; `step_s` of the fake time pass at each look."""
        for _ in range(2000):
            if await happened():
                return
            await self.clock.advance(step_s)
            await asyncio.sleep(0.001)
        raise AssertionError("it did not happen")

    async def later(self, seconds: float) -> None:
        """Time passes, and what it sets off comes to rest."""
        await self.clock.advance(seconds)
        for _ in range(20):
            await asyncio.sleep(0.001)

    async def bind(self, one: Pod) -> Pod:
        """Make a pod that is bound to the node from the start."""
        one.metadata.uid = ""
        return await self.client.create(POD, one, namespace="default")

    async def phase(self, phase: str, name: str = "p") -> Pod:
        async def reached() -> bool:
            try:
                return (await self.client.get(POD, name, "default")).status.phase == phase
            except NotFound:
                return False

        await self.until(reached)
        return await self.client.get(POD, name, "default")

    async def gone(self, name: str = "p") -> None:
        async def is_gone() -> bool:
            try:
                await self.client.get(POD, name, "default")
            except NotFound:
                return True
            return False

        await self.until(is_gone)

    async def ready(self) -> bool:
        """Whether the API shows our node as ready and alive."""
        try:
            node = await self.client.get(NODE, "n1")
            await self.client.get(LEASE, "n1", "kube-node-lease")
        except NotFound:
            return False
        return any(c.type == "Ready" and c.status == "True" for c in node.status.conditions)

    async def running(self) -> list[Container]:
        return [c for c in await self.containers() if c.state is State.RUNNING]

    async def both_run(self) -> bool:
        """Sandbox and container."""
        return len(await self.running()) == 2

    async def containers(self) -> list[Container]:
        return list(await self.runtime.list(marks.of_cluster("c1")))


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    clock = FakeClock()
    store = MemoryStore(clock)
    async with StoreRegistry(store, clock=clock, rng=random.Random(1)) as registry:  # noqa: S311
        made = World(registry, clock, tmp_path)
        for name in ("default", "kube-node-lease"):
            await made.client.create(NAMESPACE, Namespace(metadata=ObjectMeta(name=name)))
        account = ServiceAccount(
            metadata=ObjectMeta(name="default"), automountServiceAccountToken=False
        )
        await made.client.create(SERVICE_ACCOUNT, account, namespace="default")
        client = made.client
        yield made
        await client.close()
    await store.close()


async def test_a_bound_pod_runs_and_a_deleted_one_goes(world: World) -> None:
    async with world.agent():
        await world.bind(pod())
        running = await world.phase("Running")
        assert running.status.podIP == "10.42.0.2"
        assert running.status.hostIP == "192.0.2.1"
        assert running.status.qosClass == "BestEffort"
        assert [c.name for c in running.status.containerStatuses] == ["web"]
        await world.client.delete(POD, "p", namespace="default")
        await world.gone()
        assert await world.containers() == []


async def test_the_node_registers_itself(world: World) -> None:
    async with world.agent():
        await world.until(world.ready)
        node = await world.client.get(NODE, "n1")
        ready = next(c for c in node.status.conditions if c.type == "Ready")
        assert (ready.status, ready.reason) == ("True", "KubeletReady")
        assert node.metadata.labels["kubernetes.io/hostname"] == "n1"
        assert node.metadata.labels["disk"] == "ssd"
        assert node.spec.podCIDR == "10.42.0.0/24"
        taints = {(t.key, t.value, t.effect) for t in node.spec.taints}
        assert ("role", "edge", "NoSchedule") in taints
        assert node.status.addresses[0].address == "192.0.2.1"
        assert node.status.nodeInfo.containerRuntimeVersion == "fake://1.0"
        assert node.status.allocatable["pods"] == "110"


async def test_an_idle_node_writes_only_its_heartbeat(world: World) -> None:
    async with world.agent():
        await world.bind(pod())
        await world.phase("Running")
        await world.until(world.ready)
        await world.later(2)
        before = await world.client.get(NODE, "n1")
        p_before = await world.client.get(POD, "p", "default")
        lease_before = await world.client.get(LEASE, "n1", "kube-node-lease")
        for _ in range(6):
            await world.later(10)
        after = await world.client.get(NODE, "n1")
        p_after = await world.client.get(POD, "p", "default")
        lease_after = await world.client.get(LEASE, "n1", "kube-node-lease")
        assert after.metadata.resourceVersion == before.metadata.resourceVersion
        assert p_after.metadata.resourceVersion == p_before.metadata.resourceVersion
        assert lease_after.spec.renewTime != lease_before.spec.renewTime


async def test_what_others_did_to_the_node_is_put_right(world: World) -> None:
    async with world.agent():
        await world.until(world.ready)
        body = {"status": {"conditions": [{"type": "Ready", "status": "Unknown"}]}}
        await world.client.patch(NODE, "n1", body, subresource="status")
        assert not await world.ready()
        await world.until(world.ready, step_s=0.1)


async def test_volumes_reach_the_container(world: World) -> None:
    async with world.agent():
        await world.client.create(
            CONFIG_MAP,
            ConfigMap(metadata=ObjectMeta(name="cm"), data={"a.txt": "hello"}),
            namespace="default",
        )
        one = pod(
            wish(
                volumeMounts=[
                    VolumeMount(name="conf", mountPath="/conf"),
                    VolumeMount(name="scratch", mountPath="/scratch"),
                ]
            ),
            volumes=[
                Volume(name="conf", configMap=ConfigMapVolumeSource(name="cm")),
                Volume(name="scratch", emptyDir=EmptyDirVolumeSource()),
            ],
        )
        await world.bind(one)
        await world.phase("Running")
        web = next(c for c in await world.containers() if c.image == WEB)
        sources = {m.target: m.source for m in world.runtime.specs[web.id].mounts}
        assert _text(sources["/conf"], "a.txt") == "hello"
        assert _is_folder(sources["/scratch"])
        assert "nameserver 10.43.0.10" in _text(sources["/etc/resolv.conf"])
        assert "10.42.0.2\tp" in _text(sources["/etc/hosts"])


async def test_pods_come_back_while_the_api_is_away(world: World) -> None:
    async with world.agent():
        await world.bind(pod())
        await world.phase("Running")
    for container in await world.containers():  # the host was switched off and on
        world.runtime.finish(container.id, 137)
    world.client = Away()  # type: ignore[assignment]
    async with world.agent():
        await world.until(world.both_run)
        names = {c.marks[marks.CONTAINER_NAME] for c in await world.running()}
        assert names == {"POD", "web"}


async def test_data_is_there_while_the_api_is_away(world: World, tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    await bound_claim(world, tmp_path / "disk")
    source = PersistentVolumeClaimVolumeSource(claimName="data")
    one = pod(
        wish("web", volumeMounts=[VolumeMount(name="d", mountPath="/data")]),
        volumes=[Volume(name="d", persistentVolumeClaim=source)],
    )
    async with world.agent():
        await world.bind(one)
        await world.phase("Running")
    for container in await world.containers():
        world.runtime.finish(container.id, 137)
    world.client = Away()  # type: ignore[assignment]
    async with world.agent():
        await world.until(world.both_run)
        web = next(c for c in await world.running() if c.image == WEB)
        sources = {m.target: m.source for m in world.runtime.specs[web.id].mounts}
        assert sources["/data"] == str(tmp_path / "disk")


async def bound_claim(world: World, path: Path) -> None:
    """A claim and a volume as the binder leaves them."""
    wanted = {"accessModes": ["ReadWriteOnce"], "storageClassName": ""}
    claim = {
        "metadata": {"name": "data", "annotations": {BIND_COMPLETED: "yes"}},
        "spec": wanted | {"volumeName": "disk", "resources": {"requests": {"storage": "1Gi"}}},
    }
    made = await world.client.create(
        PERSISTENT_VOLUME_CLAIM, msgspec.convert(claim, PersistentVolumeClaim), namespace="default"
    )
    volume = {
        "metadata": {"name": "disk"},
        "spec": wanted
        | {
            "capacity": {"storage": "1Gi"},
            "hostPath": {"path": str(path)},
            "claimRef": {"namespace": "default", "name": "data", "uid": made.metadata.uid},
        },
    }
    await world.client.create(PERSISTENT_VOLUME, msgspec.convert(volume, PersistentVolume))
    status = {"status": {"phase": "Bound"}}
    await world.client.patch(
        PERSISTENT_VOLUME_CLAIM, "data", status, namespace="default", subresource="status"
    )


class Away:
    """An API that nobody can reach."""

    def __getattr__(self, name: str) -> Callable[..., object]:
        async def fail(*_args: object, **_named: object) -> object:
            raise ServiceUnavailable("connection refused")

        return fail


async def test_a_restarted_agent_leaves_everything_as_it_is(world: World) -> None:
    async with world.agent():
        await world.bind(pod())
        before = (await world.phase("Running")).metadata.resourceVersion
    ids = {c.id for c in await world.containers()}
    await world.clock.advance(100)  # a time that is written anew would show
    async with world.agent():
        await world.until(world.both_run)
        await world.later(5)
        assert {c.id for c in await world.containers()} == ids
        assert (await world.client.get(POD, "p", "default")).metadata.resourceVersion == before


async def test_a_manifest_makes_a_static_pod(world: World) -> None:
    manifest(world, "web.yaml", "image: web:1")
    async with world.agent():
        await world.until(world.both_run)
        assert {c.marks[marks.POD_NAME] for c in await world.running()} == {"static-n1"}
        shown = await world.phase("Running", "static-n1")
        assert shown.metadata.annotations[MIRROR] == shown.metadata.annotations[HASH]
        options = DeleteOptions(grace_period_s=0)
        await world.client.delete(POD, "static-n1", namespace="default", options=options)
        again = await world.phase("Running", "static-n1")  # a mirror is only a picture
        assert again.metadata.uid != shown.metadata.uid
        assert len(await world.containers()) == 2
        manifest(world, "web.yaml", None)

        async def nothing_left() -> bool:
            return not await world.containers()

        await world.until(nothing_left, step_s=5)
        await world.gone("static-n1")


@pytest.mark.seed("M01")
async def test_a_changed_manifest_makes_another_pod_after_the_old_one_has_gone(
    world: World,
) -> None:
    manifest(world, "web.yaml", "image: web:1")
    async with world.agent():
        await world.until(world.both_run)
        before = await world.phase("Running", "static-n1")
        manifest(world, "web.yaml", "image: web:1", name_of="web2")

        async def replaced() -> bool:
            names = {c.marks[marks.CONTAINER_NAME] for c in await world.running()}
            uids = {c.marks[marks.POD_UID] for c in await world.containers()}
            assert len(uids) <= 1, "the two were here at once"
            return "web2" in names

        await world.until(replaced, step_s=5)
        after = await world.phase("Running", "static-n1")
        assert after.metadata.uid != before.metadata.uid


@pytest.mark.seed("M05", "M06")
async def test_a_source_that_is_silent_keeps_its_own_pods_and_no_others(world: World) -> None:
    manifest(world, "web.yaml", "image: web:1")
    async with world.agent():
        await world.bind(pod())
        await world.phase("Running")
        await world.phase("Running", "static-n1")
    ids = {c.id for c in await world.running()}
    # The folder can't be read any more: it is a pipe.
    folder = world.options.manifest_path
    assert folder is not None
    (folder / "web.yaml").unlink()
    folder.rmdir()
    os.mkfifo(folder)
    async with world.agent():
        await world.later(1)
        assert {c.id for c in await world.running()} == ids
        await world.client.delete(POD, "p", namespace="default")
        await world.gone()
        kept = await world.running()
        assert {c.marks[marks.POD_NAME] for c in kept} == {"static-n1"}
        assert {c.id for c in kept} < ids
    async with world.agent():  # and what went stays away
        await world.later(1)
        assert {c.id for c in await world.running()} == {c.id for c in kept}


def manifest(world: World, name: str, container: str | None, *, name_of: str = "web") -> None:
    folder = world.options.manifest_path
    assert folder is not None
    folder.mkdir(exist_ok=True)
    if container is None:
        (folder / name).unlink()
        return
    (folder / name).write_text(
        "apiVersion: v1\nkind: Pod\nmetadata:\n  name: static\n"
        f"spec:\n  containers:\n  - name: {name_of}\n    {container}\n"
    )


def _text(*parts: str) -> str:
    return Path(*parts).read_text()


def _is_folder(path: str) -> bool:
    return Path(path).is_dir()
