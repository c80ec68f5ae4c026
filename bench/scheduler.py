"""The scheduler on many nodes: `make bench-scheduler`, `python -m bench.scheduler --nodes 1000`.

Nodes and pending pods lie in a real registry over SQLite; then the scheduler starts. "bound" is
the whole way (choose, bind, event, watch) until each pod has a node, in one process with store and
registry, as in a master. "choice" is what one choice costs by itself, without any writing: it
shows how the cost grows with the nodes. Pods are of mixed kinds (see KINDS), 100 of a template.
At the end every placement is checked against every rule once more.
"""

import argparse
import asyncio
import logging
import random
import resource
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import msgspec
import structlog

from appliance.api.kinds.core.namespace import NAMESPACE, Namespace
from appliance.api.kinds.core.node import NODE, Node
from appliance.api.kinds.core.pod.kind import POD, Pod
from appliance.api.kinds.core.serviceaccount import SERVICE_ACCOUNT, ServiceAccount
from appliance.api.meta import ObjectMeta
from appliance.client.base import Client, clone
from appliance.client.events import EventRecorder
from appliance.client.informer import Informers
from appliance.control.local import LocalClient
from appliance.control.registry.base import User
from appliance.control.registry.registry import StoreRegistry
from appliance.control.scheduler.algorithm import Chooser, Chosen
from appliance.control.scheduler.loop import Scheduler
from appliance.control.scheduler.podinfo import PodInfo
from appliance.control.scheduler.profile import Profile
from appliance.control.scheduler.snapshot import Snapshot
from appliance.kit import collector
from appliance.kit.clock import SystemClock
from appliance.kit.tasks import Tasks
from appliance.store.options import StoreOptions
from appliance.store.sql.store import SqlStore

HOST, ZONE = "kubernetes.io/hostname", "topology.kubernetes.io/zone"
ZONES = 6
TEMPLATE = 100
"""Pods of one template, as of one Deployment."""
AT_ONCE = 50
Json = dict[str, Any]

KINDS = ("plain",) * 10 + (
    ("selector", "selector", "spread", "spread", "soft-spread")
    + ("apart", "liked-apart", "near", "tolerating", "host-port")
)


def node(number: int) -> Node:
    """A node in one of a few zones; one in ten is tainted, one in three has a fast disk."""
    name = f"node-{number:05}"
    labels = {HOST: name, ZONE: f"zone-{number % ZONES}", "disk": "hdd" if number % 3 else "ssd"}
    taints = (
        [{"key": "dedicated", "value": "x", "effect": "NoSchedule"}] if number % 10 == 9 else []
    )
    body = {"metadata": {"name": name, "labels": labels}, "spec": {"taints": taints}}
    return msgspec.convert(body, Node)


def pod(number: int) -> Pod:
    """A pod of some kind."""
    template = number // TEMPLATE
    app = f"app-{template}"
    mine = {"matchLabels": {"app": app}}
    spec: Json = {"containers": [{"name": "c", "image": f"{app}:1"}]}
    spec["containers"][0]["resources"] = {"requests": {"cpu": "100m", "memory": "128Mi"}}
    here = {"labelSelector": mine, "topologyKey": HOST}
    required = "requiredDuringSchedulingIgnoredDuringExecution"
    preferred = "preferredDuringSchedulingIgnoredDuringExecution"
    even = {"maxSkew": 2, "topologyKey": ZONE, "labelSelector": mine}
    match KINDS[template % len(KINDS)]:
        case "selector":
            spec["nodeSelector"] = {"disk": "ssd"}
        case "spread":
            spec["topologySpreadConstraints"] = [{**even, "whenUnsatisfiable": "DoNotSchedule"}]
        case "soft-spread":
            soft = {**even, "topologyKey": HOST, "whenUnsatisfiable": "ScheduleAnyway"}
            spec["topologySpreadConstraints"] = [soft]
        case "apart" if number % TEMPLATE < TEMPLATE // 2:  # half: there may be 100 nodes only
            spec["affinity"] = {"podAntiAffinity": {required: [here]}}
        case "liked-apart":
            wish = {"weight": 50, "podAffinityTerm": here}
            spec["affinity"] = {"podAntiAffinity": {preferred: [wish]}}
        case "near":
            spec["affinity"] = {"podAffinity": {required: [{**here, "topologyKey": ZONE}]}}
        case "tolerating":
            spec["tolerations"] = [{"key": "dedicated", "operator": "Exists"}]
        case "host-port":
            port = 20000 + template * 2 + number % 2
            spec["containers"][0]["ports"] = [{"containerPort": 80, "hostPort": port}]
        case _:
            pass
    meta = {"name": f"pod-{number:05}", "namespace": "default", "labels": {"app": app}}
    ref = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": app, "uid": app}
    meta["ownerReferences"] = [{**ref, "controller": True}]
    return msgspec.convert({"metadata": meta, "spec": spec}, Pod)


async def fill(client: Client, nodes: int, pods: int) -> None:
    """Store all of it."""
    for name in ("default", "kube-node-lease"):
        await client.create(NAMESPACE, Namespace(metadata=ObjectMeta(name=name)))
    account = ServiceAccount(metadata=ObjectMeta(name="default", namespace="default"))
    await client.create(SERVICE_ACCOUNT, account)

    async def one_node(number: int) -> None:
        made = clone(await client.create(NODE, node(number)))
        made.spec.taints = [t for t in made.spec.taints if t.key == "dedicated"]
        made = clone(await client.update(NODE, made))
        made.status.allocatable = {"cpu": "32", "memory": "128Gi", "pods": "250"}
        await client.update(NODE, made, subresource="status")

    for first in range(0, nodes, AT_ONCE):
        await asyncio.gather(*map(one_node, range(first, min(first + AT_ONCE, nodes))))
    for first in range(0, pods, AT_ONCE):
        some = [pod(number) for number in range(first, min(first + AT_ONCE, pods))]
        await asyncio.gather(*(client.create(POD, one, namespace="default") for one in some))


async def whole_way(directory: Path, nodes: int, pods: int) -> None:
    """All pods through the scheduler's loop."""
    clock = SystemClock()
    store = await SqlStore.open(directory / "state.db", StoreOptions(), clock)
    async with StoreRegistry(store, clock=clock, rng=random.Random(1)) as registry:
        client = LocalClient(registry, User(name="scheduler", groups=("system:masters",)), clock)
        await fill(client, nodes, pods)
        informers = Informers(client, clock)
        recorder = EventRecorder(client, component="default-scheduler", clock=clock)
        loop = Scheduler(client, informers, clock=clock, recorder=recorder, rng=random.Random(1))
        bound = asyncio.Event()
        count = Counter[str]()

        def heard(old: Pod | None, new: Pod | None) -> None:
            if new is not None and new.spec.nodeName and not (old and old.spec.nodeName):
                count["bound"] += 1
                if count["bound"] == pods:
                    bound.set()

        informers.of(POD).on_change(heard)
        async with Tasks("bench", clock) as tasks:
            informers.start(tasks)
            await informers.wait_synced()
            cpu, started = time.process_time(), time.perf_counter()
            _ = tasks.spawn("events", recorder.run())
            _ = tasks.spawn("scheduler", loop.run())
            await asyncio.wait_for(bound.wait(), 600)
            took = time.perf_counter() - started
            cpu = time.process_time() - cpu
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
        print(
            f"bound   {nodes:5} nodes {pods:6} pods {pods / took:7.0f} pods/s "
            f"{cpu / pods * 1e3:6.2f} ms CPU a pod, {recorder.dropped} events dropped, "
            f"peak RSS {memory} MiB",
            flush=True,
        )
        check(informers)
        await client.close()
    await store.close()


def choices(nodes: int, pods: int) -> None:
    """Choices alone, on a snapshot."""
    snapshot = Snapshot()
    for number in range(nodes):
        one = node(number)
        one.status.allocatable = {"cpu": "32", "memory": "128Gi", "pods": "250"}
        snapshot.set_node(one)
    infos = []
    for number in range(pods):
        wanting = pod(number)
        wanting.metadata.uid = str(number)
        infos.append(PodInfo(wanting))
    chooser = Chooser(Profile(), random.Random(1))
    started = time.process_time()
    for info in infos:
        choice = chooser.choose(info, snapshot)
        assert isinstance(choice, Chosen), choice
        snapshot.place(info, choice.node)
    took = time.process_time() - started
    print(f"choice  {nodes:5} nodes {pods:6} pods {took / pods * 1e6:7.0f} us a pod", flush=True)


def check(informers: Informers) -> None:
    """Every pod fits where it is: put all there but one, ask the rules about that one."""
    snapshot = Snapshot()
    for one in informers.of(NODE).cache.list():
        snapshot.set_node(one)
    placed = [PodInfo(p) for p in informers.of(POD).cache.list()]
    for info in placed:
        snapshot.place(info, info.node)
    chooser = Chooser(Profile(), random.Random(1))
    for info in placed:
        if any(c.is_hard for c in info.spreads):
            continue  # what was even when it came may be uneven when others have come
        snapshot.remove(info.uid)
        refusal = chooser.why_not(info, snapshot, snapshot.nodes[info.node])
        assert refusal is None, (info.key, info.node, refusal)
        snapshot.place(info, info.node)


def main() -> None:
    """Measure for some numbers of nodes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--nodes", type=int, nargs="*", default=[100, 1000, 3000])
    parser.add_argument("--pods", type=int, default=10_000)
    parser.add_argument("--dir", type=Path, default=Path("/var/tmp"))
    parser.add_argument("--choices-only", action="store_true")
    options = parser.parse_args()
    level = structlog.make_filtering_bound_logger(logging.WARNING)
    structlog.configure(wrapper_class=level)
    collector.relax()
    for nodes in options.nodes:
        choices(nodes, options.pods)
        if options.choices_only:
            continue
        with tempfile.TemporaryDirectory(dir=options.dir) as directory:
            asyncio.run(whole_way(Path(directory), nodes, options.pods))


if __name__ == "__main__":
    main()
