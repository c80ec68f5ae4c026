"""A node in memory for tests: fake engine, fake network, fake clock, and an API that listens."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from appliance.api.kinds.core.configmap import ConfigMap
from appliance.api.kinds.core.persistentvolume import PersistentVolume
from appliance.api.kinds.core.persistentvolumeclaim import PersistentVolumeClaim
from appliance.api.kinds.core.pod.container import Container as Wish
from appliance.api.kinds.core.pod.kind import Pod
from appliance.api.kinds.core.pod.spec import PodSpec
from appliance.api.kinds.core.pod.status import ContainerStatus, PodStatus
from appliance.api.kinds.core.references import ObjectReference
from appliance.api.kinds.core.secret import Secret
from appliance.api.kinds.core.service import Service
from appliance.api.meta import ObjectMeta
from appliance.kit.clock import FakeClock, rfc3339
from appliance.kit.tasks import Tasks
from appliance.node.events import PodEvents
from appliance.node.network.fake import FakeNetwork
from appliance.node.options import NodeOptions
from appliance.node.pods.checks import Checker
from appliance.node.pods.downward import PodFacts
from appliance.node.pods.execute import Parts
from appliance.node.pods.images import Images
from appliance.node.pods.workers import Workers
from appliance.node.runtimes import marks
from appliance.node.runtimes.base import Container, State
from appliance.node.runtimes.fake import FakeRuntime
from appliance.node.volumes.mounter import Volumes

PAUSE = "pause:1"
WEB = "web:1"


class Notes:
    """A recorder that keeps (reason, message)."""

    def __init__(self) -> None:
        self.all: list[tuple[str, str]] = []

    def record(self, _about: ObjectReference, _kind: str, reason: str, message: str) -> None:
        self.all.append((reason, message))

    @property
    def reasons(self) -> list[str]:
        return [reason for reason, _ in self.all]


class Heard:
    """Stands where Reports stands: keeps the newest status of each pod."""

    def __init__(self) -> None:
        self.status: dict[str, PodStatus] = {}
        self.deleted: list[str] = []

    def report(self, pod: Pod, status: PodStatus) -> None:
        self.status[pod.metadata.uid] = status

    def confirm_deletion(self, pod: Pod) -> None:
        self.deleted.append(pod.metadata.uid)


class Shelf:
    """`Inputs` out of dicts."""

    def __init__(self) -> None:
        self.config_maps: dict[str, ConfigMap] = {}
        self.secrets: dict[str, Secret] = {}
        self.all_services: list[Service] = []
        self.claims: dict[str, PersistentVolumeClaim] = {}
        self.volumes: dict[str, PersistentVolume] = {}

    async def config_map(self, _namespace: str, name: str) -> ConfigMap | None:
        return self.config_maps.get(name)

    async def secret(self, _namespace: str, name: str) -> Secret | None:
        return self.secrets.get(name)

    def services(self, namespace: str) -> Iterable[Service]:
        return [s for s in self.all_services if s.metadata.namespace == namespace]

    def services_known(self) -> bool:
        return True

    async def claim(self, _namespace: str, name: str) -> PersistentVolumeClaim | None:
        return self.claims.get(name)

    async def persistent_volume(self, name: str) -> PersistentVolume | None:
        return self.volumes.get(name)

    async def tokens(self, _pod: Pod) -> dict[str, str]:
        return {}


class Stage:
    """One node, ready to play."""

    def __init__(self, data_dir: Path, clock: FakeClock | None = None) -> None:
        self.clock = clock or FakeClock()
        self.runtime = FakeRuntime(self.clock, images=(PAUSE, WEB))
        self.network = FakeNetwork()
        self.notes = Notes()
        self.heard = Heard()
        self.shelf = Shelf()
        self.data_dir = data_dir

    @asynccontextmanager
    async def workers(self) -> AsyncIterator[Workers]:
        """An agent's workers; leaving is an agent's death: containers stay."""
        parts: Any = Parts(
            runtime=self.runtime,
            network=self.network,
            images=Images(self.runtime),
            volumes=Volumes(self.data_dir),
            inputs=self.shelf,
            events=PodEvents(self.notes),
            reports=self.heard,  # type: ignore[arg-type]
            checker=Checker(self.runtime, self.clock),
            clock=self.clock,
            options=NodeOptions(
                node_name="n1",
                node_ip="192.0.2.1",
                data_dir=self.data_dir,
                cluster_id="c1",
                pause_image=PAUSE,
            ),
            engine="fake",
            facts=PodFacts(host_ip="192.0.2.1"),
        )
        async with Tasks("agent", self.clock) as tasks:
            workers = Workers(parts, tasks)
            _ = tasks.spawn("engine", workers.follow_engine())
            yield workers

    async def settle(self, seconds: float = 0.0) -> None:
        """Let everything come to rest, and time pass."""
        for _ in range(200):
            await asyncio.sleep(0)
        await self.clock.advance(seconds)
        for _ in range(200):
            await asyncio.sleep(0)

    async def all(self) -> list[Container]:
        return list(await self.runtime.list(marks.of_cluster("c1")))

    async def running(self, name: str) -> Container:
        """The one running container of that name."""
        found = [
            c
            for c in await self.all()
            if c.marks[marks.CONTAINER_NAME] == name and c.state is State.RUNNING
        ]
        assert len(found) == 1, [(c.name, c.state) for c in await self.all()]
        return found[0]

    def status(self, uid: str = "u1") -> PodStatus:
        return self.heard.status[uid]

    def container(self, name: str = "web", uid: str = "u1") -> ContainerStatus:
        status = self.status(uid)
        every = (*status.containerStatuses, *status.initContainerStatuses)
        return next(s for s in every if s.name == name)


def pod(*wishes: Wish, name: str = "p", uid: str = "u1", **spec: Any) -> Pod:
    return Pod(
        metadata=ObjectMeta(name=name, namespace="default", uid=uid),
        spec=PodSpec(containers=list(wishes) or [wish()], nodeName="n1", **spec),
    )


def wish(name: str = "web", image: str = WEB, **fields: Any) -> Wish:
    return Wish(name=name, image=image, **fields)


def going(one: Pod, now: float, grace_s: int = 30) -> Pod:
    """The pod as the API shows it after a delete."""
    gone = Pod(
        metadata=ObjectMeta(**{f: getattr(one.metadata, f) for f in ("name", "namespace", "uid")}),
        spec=one.spec,
    )
    gone.metadata.deletionTimestamp = rfc3339(now + grace_s)
    gone.metadata.deletionGracePeriodSeconds = grace_s
    return gone


def true_conditions(status: PodStatus) -> set[str]:
    return {c.type for c in status.conditions if c.status == "True"}
