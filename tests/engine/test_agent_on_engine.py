"""The agent with a real engine and a real pod network; the API is in memory.

What only a real engine can show: shared namespaces, names, environment, files, volumes, logs,
deaths behind the agent's back, adoption. One agent serves all tests of an engine; every test has
pods of its own.
"""

import asyncio
import os
import random
import secrets
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest
import pytest_asyncio

from appliance.api.errors import NotFound
from appliance.api.kinds.core.configmap import CONFIG_MAP, ConfigMap
from appliance.api.kinds.core.namespace import NAMESPACE, Namespace
from appliance.api.kinds.core.pod.container import (
    Container as Wish,
)
from appliance.api.kinds.core.pod.container import (
    EnvVar,
    EnvVarSource,
    VolumeMount,
)
from appliance.api.kinds.core.pod.handlers import ExecAction, Probe
from appliance.api.kinds.core.pod.kind import POD, Pod
from appliance.api.kinds.core.pod.spec import PodSpec
from appliance.api.kinds.core.pod.status import ContainerStatus, PodStatus
from appliance.api.kinds.core.pod.volumes import (
    ConfigMapVolumeSource,
    EmptyDirVolumeSource,
    HostPathVolumeSource,
    Volume,
)
from appliance.api.kinds.core.references import ObjectFieldSelector
from appliance.api.kinds.core.serviceaccount import SERVICE_ACCOUNT, ServiceAccount
from appliance.api.meta import ObjectMeta
from appliance.client.events import EventRecorder
from appliance.control.local import LocalClient
from appliance.control.registry.base import User
from appliance.control.registry.registry import StoreRegistry
from appliance.kit.clock import SystemClock
from appliance.kit.tasks import Tasks
from appliance.node.agent import Agent
from appliance.node.images.pause import PAUSE_IMAGE
from appliance.node.network.bridge import BridgeNetwork
from appliance.node.options import NodeOptions
from appliance.node.pods.logs import LogRequest, choose, read
from appliance.node.runtimes import marks
from appliance.node.runtimes.base import Container, LogOptions, Runtime, State
from appliance.store.memory import MemoryStore
from tests.contract.engines import SLEEPER, open_engine

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.root, pytest.mark.slow]
ADMIN = User(name="system:admin", groups=("system:masters",))


class Site:
    """A node with a real engine."""

    def __init__(self, runtime: Runtime, registry: StoreRegistry, data_dir: Path) -> None:
        self.runtime = runtime
        self.clock = SystemClock()
        self.client = LocalClient(registry, ADMIN, self.clock)
        self.cluster_id = secrets.token_hex(3)
        third = secrets.randbelow(200) + 20
        self.cidr = f"10.213.{third}.0/24"
        self.options = NodeOptions(
            node_name="n1",
            node_ip="192.0.2.1",
            data_dir=data_dir,
            cluster_id=self.cluster_id,
            pause_image=PAUSE_IMAGE,
            pod_cidr=self.cidr,
            serve=None,
        )
        self.network = self._network()
        self.now: Agent | None = None

    def _network(self) -> BridgeNetwork:
        return BridgeNetwork(
            self.cluster_id, cluster_cidr=self.cidr, data_dir=self.options.data_dir
        )

    @asynccontextmanager
    async def agent(self) -> AsyncIterator[Agent]:
        agent = Agent(
            client=self.client,
            runtime=self.runtime,
            network=self._network(),
            options=self.options,
            clock=self.clock,
            recorder=EventRecorder(self.client, component="kubelet", clock=self.clock),
        )
        async with Tasks("site") as tasks:
            _ = tasks.spawn("agent", agent.run())
            yield agent

    async def run(self, *wishes: Wish, volumes: Sequence[Volume] = (), policy: str = "") -> str:
        """Make a pod bound to the node; give its name."""
        name = f"p{secrets.token_hex(4)}"
        made = Pod(
            metadata=ObjectMeta(name=name, namespace="default"),
            spec=PodSpec(
                containers=list(wishes),
                nodeName="n1",
                volumes=list(volumes),
                restartPolicy=policy,
                terminationGracePeriodSeconds=2,
            ),
        )
        await self.client.create(POD, made, namespace="default")
        return name

    async def status(self, name: str) -> PodStatus:
        return (await self.client.get(POD, name, "default")).status

    async def until(self, name: str, holds: Callable[[PodStatus], object]) -> PodStatus:
        for _ in range(600):
            status = await self.status(name)
            if holds(status):
                return status
            await asyncio.sleep(0.05)
        raise AssertionError(f"it did not happen; last: {status}")

    async def ready(self, name: str) -> PodStatus:
        return await self.until(name, lambda s: s.containerStatuses and _all_ready(s))

    async def containers(self, name: str) -> list[Container]:
        wanted = marks.of_cluster(self.cluster_id) | {marks.POD_NAME: name}
        return list(await self.runtime.list(wanted))

    async def remove_all(self) -> None:
        """Everything of this cluster; an engine call that was under way may still make one."""
        for _ in range(3):
            left = await self.runtime.list(marks.of_cluster(self.cluster_id))
            for one in sorted(left, key=lambda c: c.marks[marks.ROLE] == marks.ROLE_SANDBOX):
                await self.runtime.remove(one.id)
            await asyncio.sleep(0.3)

    async def find(self, name: str, container: str) -> Container:
        return next(
            c
            for c in await self.containers(name)
            if c.marks[marks.CONTAINER_NAME] == container and c.state is State.RUNNING
        )

    async def sh(self, name: str, script: str, container: str = "web") -> str:
        found = await self.find(name, container)
        result = await self.runtime.exec(found.id, ["/bin/sh", "-c", script], 10)
        assert result.exit_code == 0, result.output
        return result.output.decode().strip()


def _all_ready(status: PodStatus) -> bool:
    return all(s.ready for s in status.containerStatuses)


def one(status: PodStatus, name: str = "web") -> ContainerStatus:
    return next((s for s in status.containerStatuses if s.name == name), ContainerStatus(name=name))


@pytest_asyncio.fixture(
    scope="module",
    loop_scope="module",
    params=[
        pytest.param("docker", marks=pytest.mark.docker),
        pytest.param("podman", marks=pytest.mark.podman),
    ],
)
async def site(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Site]:
    if os.geteuid() != 0:
        pytest.skip("pod networks need root")
    clock = SystemClock()
    store = MemoryStore(clock)
    async with AsyncExitStack() as stack:
        engine = await stack.enter_async_context(open_engine(request.param))
        rng = random.Random(1)  # noqa: S311 - names only
        registry = await stack.enter_async_context(StoreRegistry(store, clock=clock, rng=rng))
        made = Site(engine.runtime, registry, tmp_path_factory.mktemp("agent"))
        for name in ("default", "kube-node-lease"):
            await made.client.create(NAMESPACE, Namespace(metadata=ObjectMeta(name=name)))
        account = ServiceAccount(
            metadata=ObjectMeta(name="default"), automountServiceAccountToken=False
        )
        await made.client.create(SERVICE_ACCOUNT, account, namespace="default")
        try:
            async with made.agent() as agent:
                made.now = agent
                yield made
        finally:
            await made.remove_all()
            await made.network.clean_up()
            await made.client.close()
    await store.close()


def sleeper(name: str = "web", script: str = "", **fields: object) -> Wish:
    command = ["/bin/sh", "-c", f"{script or 'echo up'}; trap 'exit 0' TERM; sleep 600 & wait"]
    return Wish(name=name, image=SLEEPER, command=command, **fields)  # type: ignore[arg-type]


async def test_a_pod_runs_and_goes(site: Site) -> None:
    name = await site.run(sleeper())
    status = await site.ready(name)
    assert status.phase == "Running"
    assert status.podIP.startswith(site.cidr.rpartition(".")[0])
    assert one(status).containerID.partition("://")[0] in {"docker", "podman"}
    assert await site.sh(name, "hostname") == name
    await site.client.delete(POD, name, namespace="default")
    for _ in range(200):
        try:
            await site.status(name)
        except NotFound:
            break
        await asyncio.sleep(0.05)
    assert await site.containers(name) == []


async def test_containers_share_the_network_and_not_their_files(site: Site) -> None:
    name = await site.run(sleeper("a"), sleeper("b"))
    await site.ready(name)
    a, b = await site.find(name, "a"), await site.find(name, "b")
    assert _space(a.pid, "net") == _space(b.pid, "net")
    await site.sh(name, "echo x > /tmp/mine", "a")
    assert await site.sh(name, "ls /tmp", "b") == ""


def _space(pid: int, kind: str) -> str:
    return str(Path(f"/proc/{pid}/ns/{kind}").readlink())


async def test_environment_and_files(site: Site) -> None:
    source = EnvVarSource(fieldRef=ObjectFieldSelector(fieldPath="status.podIP"))
    name = await site.run(
        sleeper(env=[EnvVar(name="A", value="1"), EnvVar(name="IP", valueFrom=source)])
    )
    status = await site.ready(name)
    assert await site.sh(name, "echo $A $IP") == f"1 {status.podIP}"
    assert f"{status.podIP}\t{name}" in await site.sh(name, "cat /etc/hosts")
    resolver = await site.sh(name, "cat /etc/resolv.conf")
    assert "nameserver 10.43.0.10" in resolver
    assert "search default.svc.cluster.local svc.cluster.local cluster.local" in resolver


async def test_volumes(site: Site, tmp_path: Path) -> None:
    (tmp_path / "there").write_text("host")
    cm = f"cm{secrets.token_hex(3)}"
    await site.client.create(
        CONFIG_MAP,
        ConfigMap(metadata=ObjectMeta(name=cm), data={"k": "conf"}),
        namespace="default",
    )
    mounts = [
        VolumeMount(name="shared", mountPath="/shared"),
        VolumeMount(name="conf", mountPath="/conf"),
        VolumeMount(name="host", mountPath="/host", readOnly=True),
    ]
    name = await site.run(
        sleeper("a", volumeMounts=mounts),
        sleeper("b", volumeMounts=mounts),
        volumes=[
            Volume(name="shared", emptyDir=EmptyDirVolumeSource()),
            Volume(name="conf", configMap=ConfigMapVolumeSource(name=cm)),
            Volume(name="host", hostPath=HostPathVolumeSource(path=str(tmp_path))),
        ],
    )
    await site.ready(name)
    await site.sh(name, "echo hi > /shared/x", "a")
    assert await site.sh(name, "cat /shared/x", "b") == "hi"
    assert await site.sh(name, "cat /conf/k /host/there", "a") == "confhost"
    assert "Read-only" in await site.sh(name, "echo no > /host/x || true", "a")


async def test_a_killed_container_comes_back_and_its_files_do_not_mix(site: Site) -> None:
    name = await site.run(sleeper(), sleeper("b"))
    await site.ready(name)
    before, sibling = await site.find(name, "web"), await site.find(name, "b")
    await site.runtime.kill(before.id)
    status = await site.until(name, lambda s: one(s).restartCount == 1 and _all_ready(s))
    assert (await site.find(name, "b")).id == sibling.id
    ended = one(status).lastState.terminated
    assert ended is not None
    assert (ended.exitCode, ended.reason) == (137, "Error")


async def test_a_removed_container_comes_back(site: Site) -> None:
    name = await site.run(sleeper())
    await site.ready(name)
    await site.runtime.remove((await site.find(name, "web")).id)
    await site.until(name, lambda s: one(s).restartCount == 1 and _all_ready(s))


async def test_a_dead_sandbox_gives_a_new_address_to_all(site: Site) -> None:
    name = await site.run(sleeper("a"), sleeper("b"))
    before = await site.ready(name)
    await site.runtime.kill((await site.find(name, "POD")).id)
    # Killed, not removed: Podman 4.3 removes what joined it, too, and gets stuck for ever when
    # the agent takes those down at the same moment.
    after = await site.until(name, lambda s: s.podIP and s.podIP != before.podIP and _all_ready(s))
    assert one(after, "a").restartCount >= 1
    assert one(after, "b").restartCount >= 1
    assert await site.sh(name, "cat /etc/hosts", "a") != ""


@pytest.mark.parametrize(
    ("policy", "code", "phase"),
    [("Never", 0, "Succeeded"), ("Never", 3, "Failed"), ("OnFailure", 0, "Succeeded")],
)
async def test_pods_that_end(site: Site, policy: str, code: int, phase: str) -> None:
    script = f"echo last words > /dev/termination-log; exit {code}"
    name = await site.run(
        Wish(name="web", image=SLEEPER, command=["/bin/sh", "-c", script]), policy=policy
    )
    status = await site.until(name, lambda s: s.phase in {"Succeeded", "Failed"})
    assert status.phase == phase
    ended = one(status).state.terminated
    assert ended is not None
    assert (ended.exitCode, ended.message) == (code, "last words\n")


async def test_a_crash_loop_is_held_back(site: Site) -> None:
    name = await site.run(Wish(name="web", image=SLEEPER, command=["/bin/sh", "-c", "exit 1"]))
    status = await site.until(
        name,
        lambda s: (w := one(s).state.waiting) is not None and w.reason == "CrashLoopBackOff",
    )
    assert one(status).restartCount == 1
    assert status.phase == "Running"


async def test_a_command_that_is_not_there(site: Site) -> None:
    name = await site.run(Wish(name="web", image=SLEEPER, command=["/no/such"]))
    status = await site.until(
        name,
        lambda s: (w := one(s).state.waiting) is not None and w.reason == "RunContainerError",
    )
    assert status.phase == "Pending"
    waiting = one(status).state.waiting
    assert waiting is not None
    assert "/no/such" in waiting.message


async def test_an_image_that_nobody_has(site: Site) -> None:
    name = await site.run(Wish(name="web", image="registry.invalid/none:1"))
    status = await site.until(
        name,
        lambda s: (
            (w := one(s).state.waiting) is not None
            and w.reason in {"ErrImagePull", "ImagePullBackOff"}
        ),
    )
    assert status.phase == "Pending"


async def test_probes_by_command(site: Site) -> None:
    ready = Probe(exec=ExecAction(command=["/bin/sh", "-c", "cat /tmp/ready"]), periodSeconds=1)
    name = await site.run(sleeper(readinessProbe=ready))
    await site.until(name, lambda s: one(s).started)
    assert not one(await site.status(name)).ready
    await site.sh(name, "echo > /tmp/ready")
    await site.ready(name)


async def test_logs(site: Site) -> None:
    name = await site.run(sleeper(script="echo one; echo two"))
    await site.ready(name)
    assert site.now is not None
    worker = site.now.workers.find("default", name)
    assert worker is not None
    wanted = LogRequest(container="web", options=LogOptions(tail_lines=1))
    text = b"".join([c async for c in read(site.runtime, choose(worker, wanted), wanted)])
    assert text == b"two\n"


async def test_a_second_agent_adopts_what_the_first_one_left(site: Site) -> None:
    name = await site.run(sleeper())
    await site.ready(name)
    ids = {c.id for c in await site.containers(name)}
    async with site.agent() as second:
        await asyncio.sleep(1)  # long enough to do harm
        for _ in range(200):
            if all(w.memory.address for w in second.workers.by_uid.values()):
                break
            await asyncio.sleep(0.05)
        assert {c.id for c in await site.containers(name)} == ids
        worker = second.workers.find("default", name)
        assert worker is not None
        assert worker.memory.last.podIP == (await site.status(name)).podIP
