"""A whole control plane in memory for the tests of loops: real registry, real client, fake time.

`settle` returns when nothing moves any more; `play_nodes` does what agents would do.
"""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec

from appliance.api.errors import NotFound
from appliance.api.kind import Kind
from appliance.api.kinds.coordination.lease import LEASE, Lease, LeaseSpec
from appliance.api.kinds.core.event import EVENT, Event
from appliance.api.kinds.core.namespace import NAMESPACE, Namespace
from appliance.api.kinds.core.node import NODE, Node, NodeCondition
from appliance.api.kinds.core.pod.kind import POD, Binding, Pod
from appliance.api.kinds.core.pod.status import PodCondition, PodIP
from appliance.api.kinds.core.references import ObjectReference
from appliance.api.kinds.core.serviceaccount import SERVICE_ACCOUNT, ServiceAccount
from appliance.api.meta import ObjectMeta
from appliance.client.base import Client, DeleteOptions, Where, clone
from appliance.client.controller import Controller, Runner
from appliance.client.events import EventRecorder
from appliance.client.informer import Informers
from appliance.control.local import LocalClient
from appliance.control.registry.base import User
from appliance.control.registry.registry import StoreRegistry
from appliance.control.scheduler.loop import Scheduler
from appliance.kit.clock import FakeClock, rfc3339, rfc3339_micro
from appliance.kit.tasks import Tasks
from appliance.store.base import Range
from appliance.store.memory import MemoryStore

NODE_LEASES = "kube-node-lease"

QUIET_TURNS = 25
"""Turns of the event loop without a new revision after which nothing is on its way."""


class Cluster:
    """Everything a loop needs, and the loops that were started."""

    def __init__(self, store: MemoryStore, client: Client, clock: FakeClock, tasks: Tasks) -> None:
        self.store = store
        self.client = client
        self.clock = clock
        self.tasks = tasks
        self.informers = Informers(client, clock)
        self.recorder = EventRecorder(client, component="tests", clock=clock)
        self._idle: list[Any] = []
        self._ip = 0

    async def start(self, *loops: Controller | Scheduler) -> None:
        """Run loops, and wait until they have nothing to do."""
        _ = self.tasks.spawn("events", self.recorder.run())
        for loop in loops:
            runner = loop if isinstance(loop, Scheduler) else Runner(loop, clock=self.clock)
            self._idle.append(runner)
            _ = self.tasks.spawn(loop.name, runner.run())
        self.informers.start(self.tasks)
        await self.informers.wait_synced()
        await self.settle()

    def forget_loops(self) -> None:
        """No longer wait for loops that have been stopped."""
        self._idle.clear()

    def looked(self) -> dict[str, int]:
        """How many keys each loop has looked at."""
        return {
            (loop.name if isinstance(loop, Scheduler) else loop.controller.name): loop.done
            for loop in self._idle
        }

    async def revision(self) -> int:
        return (await self.store.range(Range(key=b"nothing"))).revision

    async def settle(self) -> None:
        """Return when every loop is idle and no revision comes any more."""
        quiet, last = 0, -1
        for _ in range(20_000):
            await asyncio.sleep(0)
            now = await self.revision()
            busy = now != last or not all(loop.idle for loop in self._idle)
            quiet, last = (0 if busy else quiet + 1), now
            if quiet > QUIET_TURNS:
                return
        raise AssertionError("the loops do not come to rest")

    async def advance(self, seconds: float) -> None:
        """Let time pass in small steps, so that timers set by timers come due too."""
        step = max(1.0, seconds / 50)
        while seconds > 0:
            await self.clock.advance(min(step, seconds))
            await self.settle()
            seconds -= step

    async def make(self, kind: Kind[Any], obj: Any) -> Any:
        made = await self.client.create(kind, obj, namespace=obj.metadata.namespace)
        await self.settle()
        return made

    async def all(self, kind: Kind[Any], namespace: str = "default", labels: str = "") -> list[Any]:
        page = await self.client.list(kind, Where(namespace=namespace, labels=labels))
        return page.items

    async def pods(self, labels: str = "") -> list[Pod]:
        return await self.all(POD, labels=labels)

    async def names(self, kind: Kind[Any] = POD, namespace: str = "default") -> list[str]:
        return [obj.metadata.name for obj in await self.all(kind, namespace)]

    async def events(self, reason: str) -> list[Event]:
        return [e for e in await self.all(EVENT) if e.reason == reason]

    async def delete(self, kind: Kind[Any], name: str, **options: Any) -> None:
        namespace = "default" if kind.namespaced else ""
        await self.client.delete(kind, name, namespace=namespace, options=DeleteOptions(**options))
        await self.settle()

    async def edit(self, kind: Kind[Any], name: str, body: dict[str, Any], **how: Any) -> Any:
        namespace = "default" if kind.namespaced else ""
        changed = await self.client.patch(kind, name, body, namespace=namespace, **how)
        await self.settle()
        return changed

    async def add_node(self, name: str = "n1", **spec: Any) -> Node:
        room = {"cpu": "4", "memory": "8Gi", "pods": "110"}
        node = Node(metadata=ObjectMeta(name=name))
        for field, value in spec.items():
            setattr(node.spec, field, value)
        await self.client.create(NODE, node)
        # Admission marks a new node as not ready; where no node life runs, nobody takes that away.
        wanted = {"spec": {"taints": msgspec.to_builtins(node.spec.taints) or None}}
        await self.client.patch(NODE, name, wanted)
        status = clone(await self.client.get(NODE, name))
        status.status.allocatable = status.status.capacity = dict(room)
        made = await self.client.update(NODE, status, subresource="status")
        await self.settle()
        return made

    async def add_ready_node(self, name: str) -> None:
        """A node whose agent speaks."""
        await self.add_node(name)
        await self.post_status(name)
        await self.heartbeat(name)
        await self.settle()

    async def post_status(self, name: str, ready: str = "True") -> None:
        """Report a node's condition, as its agent does."""
        moment = rfc3339(self.clock.wall())
        new = clone(await self.client.get(NODE, name))
        new.status.conditions = [
            NodeCondition(
                type="Ready", status=ready, lastHeartbeatTime=moment, lastTransitionTime=moment
            )
        ]
        await self.client.update(NODE, new, subresource="status")

    async def heartbeat(self, *names: str) -> None:
        """Renew the Leases of nodes."""
        for name in names:
            moment = rfc3339_micro(self.clock.wall())
            try:
                new = clone(await self.client.get(LEASE, name, NODE_LEASES))
            except NotFound:
                meta = ObjectMeta(name=name, namespace=NODE_LEASES)
                made = Lease(metadata=meta, spec=LeaseSpec(renewTime=moment))
                await self.client.create(LEASE, made, namespace=NODE_LEASES)
            else:
                new.spec.renewTime = moment
                await self.client.update(LEASE, new)

    async def play_nodes(self) -> None:
        """Be all agents once: start what is bound, end what is to go."""
        for pod in await self.all(POD, ""):
            if pod.metadata.deletionTimestamp is not None:
                await self.client.delete(
                    POD,
                    pod.metadata.name,
                    namespace=pod.metadata.namespace,
                    options=DeleteOptions(grace_period_s=0),
                )
            elif pod.spec.nodeName and pod.status.phase == "Pending":
                await self.set_ready(pod)
        await self.settle()

    async def bind(self, pod: Pod, node: str = "n1") -> None:
        """Do what the scheduler does."""
        target = ObjectReference(kind="Node", name=node)
        meta = ObjectMeta(name=pod.metadata.name, namespace=pod.metadata.namespace)
        body: Any = Binding(metadata=meta, target=target)
        await self.client.create(
            POD, body, namespace=meta.namespace, name=meta.name, subresource="binding"
        )
        await self.settle()

    async def set_ready(self, pod: Pod, *, ready: bool = True) -> Pod:
        """Report a pod as running, ready or not."""
        new = clone(await self.client.get(POD, pod.metadata.name, pod.metadata.namespace))
        new.status.phase = "Running"
        if not new.status.podIP:
            self._ip += 1
            new.status.podIP = f"10.42.0.{self._ip}"
            new.status.podIPs = [PodIP(ip=new.status.podIP)]
        moment = rfc3339(self.clock.wall())
        new.status.startTime = new.status.startTime or moment
        others = [c for c in new.status.conditions if c.type != "Ready"]
        state = "True" if ready else "False"
        mine = PodCondition(type="Ready", status=state, lastTransitionTime=moment)
        new.status.conditions = [*others, mine]
        changed = await self.client.update(POD, new, subresource="status")
        await self.settle()
        return changed


@asynccontextmanager
async def cluster() -> AsyncIterator[Cluster]:
    """A control plane with the namespace `default` and no loop running."""
    clock = FakeClock()
    store = MemoryStore(clock)
    rng = random.Random(1)  # noqa: S311 - names in tests
    async with StoreRegistry(store, clock=clock, rng=rng) as registry:
        user = User(name="system:masters", groups=("system:masters",))
        client = LocalClient(registry, user, clock)
        for name in ("default", NODE_LEASES):
            await client.create(NAMESPACE, Namespace(metadata=ObjectMeta(name=name)))
        account = ServiceAccount(metadata=ObjectMeta(name="default", namespace="default"))
        await client.create(SERVICE_ACCOUNT, account)
        try:
            async with Tasks("loops", clock) as tasks:
                made = Cluster(store, client, clock, tasks)
                yield made
                await unchanged(made, registry)
        finally:
            await client.close()
    await store.close()


async def unchanged(plane: Cluster, registry: StoreRegistry) -> None:
    """Fail if a loop changed an object that it shares with others."""
    for informer in plane.informers.all():
        for obj in informer.cache.list():
            meta = obj.metadata
            stored = await registry.get(informer.kind, meta.namespace, meta.name)
            if stored.obj is obj:
                fresh = msgspec.json.decode(stored.json, type=informer.kind.type)
                assert obj == fresh, f"somebody changed {informer.kind.kind} {meta.name} in place"
