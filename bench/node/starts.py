"""Pods through the API against the same containers made by hand, in turns."""

import asyncio
import secrets
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from appliance.api.kinds.core.pod.container import Container as Wish
from appliance.api.kinds.core.pod.kind import POD, Pod
from appliance.api.kinds.core.pod.spec import PodSpec
from appliance.api.meta import ObjectMeta
from appliance.api.objects import is_true
from appliance.client.base import Client, DeleteOptions, EventType, Where, clone
from appliance.kit.clock import SystemClock
from appliance.node.images.pause import PAUSE_IMAGE
from appliance.node.runtimes import marks
from appliance.node.runtimes.base import Runtime
from appliance.node.runtimes.detect import open_runtime
from bench.node.bare import Start, make_pods, open_bare
from bench.node.processes import used
from tests.lab.cluster import Cluster

Json = dict[str, Any]
BARE_ID = f"bench-{secrets.token_hex(3)}"
LONE = 5
"""How many pods, one after the other, a round has of each kind."""
AT_ONCE = 4
"""Threads with which this engine makes containers quickest, as in `runtimes/threads.py`."""


def pod_of(node: str) -> Pod:
    """One container that waits; bound already, as the scheduler's part is not the node's."""
    name = f"b-{secrets.token_hex(5)}"
    wish = Wish(name="pause", image=PAUSE_IMAGE, imagePullPolicy="Never")
    return Pod(
        metadata=ObjectMeta(name=name, namespace="default"),
        spec=PodSpec(
            containers=[wish],
            nodeName=node,
            automountServiceAccountToken=False,
            enableServiceLinks=False,
            terminationGracePeriodSeconds=0,
        ),
    )


async def through_api(client: Client, pods: list[Pod]) -> list[float]:
    """Create all at once; when a watch showed each one Ready, counted from the first POST."""
    since = (await client.list(POD, Where(namespace="default"))).resource_version
    waited, took = {pod.metadata.name for pod in pods}, []
    begun = time.perf_counter()
    watch = client.watch(POD, Where(namespace="default"), since=since)

    async def look() -> None:
        async for event in watch:
            name = event.object.metadata.name
            if name in waited and is_true(event.object.status.conditions, "Ready"):
                waited.discard(name)
                took.append(time.perf_counter() - begun)
            if not waited:
                return

    async with asyncio.TaskGroup() as group:
        group.create_task(look())
        for pod in pods:
            group.create_task(client.create(POD, pod, namespace="default"))
    return took


async def clear(client: Client, runtime: Runtime, cluster_id: str) -> None:
    """Remove all pods and all that was made by hand; nothing of it is timed."""
    page = await client.list(POD, Where(namespace="default"))
    since, left = page.resource_version, {pod.metadata.uid for pod in page.items}
    now = DeleteOptions(grace_period_s=0)
    for pod in page.items:
        await client.delete(POD, pod.metadata.name, namespace="default", options=now)
    if left:
        async for event in client.watch(POD, Where(namespace="default"), since=since):
            if event.type is EventType.DELETED:
                left.discard(event.object.metadata.uid)
            if not left:
                break
    for found in await runtime.list(marks.of_cluster(BARE_ID)):
        await runtime.remove(found.id)
    while await runtime.list(marks.of_cluster(cluster_id)):  # noqa: ASYNC110 - others make no event
        await asyncio.sleep(0.2)


LONE_BARE, LONE_POD = "bare, one at a time", "pod, one at a time"


class Turns:
    """All that a round needs."""

    def __init__(self, cluster: Cluster, client: Client, runtime: Runtime, start: Start) -> None:
        self.cluster = cluster
        self.client = client
        self.runtime = runtime
        self.start = start

    def spent(self) -> dict[str, float]:
        """Processor seconds of both our processes so far."""
        server = self.cluster.process
        return {
            "agent": used(self.cluster.agent_pid())[0],
            "server": used(server.pid)[0] if server is not None else 0.0,
        }

    async def ours(self, count: int) -> list[float]:
        """So many pods at once."""
        took = await through_api(self.client, [pod_of(self.cluster.node) for _ in range(count)])
        await clear(self.client, self.runtime, self.cluster.cluster_id)
        return took

    async def bare(self, count: int, threads: int, folder: Path) -> list[float]:
        """So many pairs of containers."""
        pods = [clone(pod_of(self.cluster.node)) for _ in range(count)]
        for pod in pods:
            pod.metadata.uid = secrets.token_hex(8)
        took = await asyncio.to_thread(
            make_pods, self.start, pods, threads=threads, cluster_id=BARE_ID, folder=folder
        )
        await clear(self.client, self.runtime, self.cluster.cluster_id)
        return took


async def starts(cluster: Cluster, client: Client, rounds: int, pods: int) -> Json:
    """Rounds of both, one at a time and many at once."""
    runtime = await open_runtime(cluster.runtime, "", SystemClock())
    turns = Turns(cluster, client, runtime, open_bare(cluster.runtime))
    every: dict[str, list[float]] = {}
    try:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            await turns.ours(1)  # the first of each warms what is loaded lazily
            await turns.bare(1, 1, folder)
            for _ in range(rounds):
                for _ in range(LONE):
                    keep(every, LONE_BARE, await turns.bare(1, 1, folder))
                    keep(every, LONE_POD, await turns.ours(1))
                for threads in (pods, AT_ONCE):
                    took = await turns.bare(pods, threads, folder)
                    keep(every, f"bare, {pods} at once, {threads} threads", took)
                before = turns.spent()
                keep(every, f"pods, {pods} at once", await turns.ours(pods))
                for who, seconds in turns.spent().items():
                    used = (seconds - before[who]) / pods
                    every.setdefault(f"{who} CPU per pod, with its end", []).append(used)
    finally:
        await runtime.close()
    found: Json = {f"{cluster.runtime}: {key}": seconds for key, seconds in every.items()}
    return found | ratios(cluster.runtime, every, pods)


def ratios(engine: str, every: dict[str, list[float]], pods: int) -> dict[str, float]:
    """Medians over medians; and of many the last over the last."""
    p50 = {key: statistics.median(seconds) for key, seconds in every.items()}
    ours = f"pods, {pods} at once"
    each, few = (f"bare, {pods} at once, {threads} threads" for threads in (pods, AT_ONCE))
    return {
        f"{engine}: ratio p50, one at a time": p50[LONE_POD] / p50[LONE_BARE],
        f"{engine}: ratio p50, {pods} at once, a thread each": p50[ours] / p50[each],
        f"{engine}: ratio p50, {pods} at once, {AT_ONCE} threads": p50[ours] / p50[few],
        f"{engine}: ratio of the last of {pods}, {AT_ONCE} threads": p50[f"{ours}, last"]
        / p50[f"{few}, last"],
    }


def keep(every: dict[str, list[float]], name: str, took: list[float]) -> None:
    """All of them, and of many the last one."""
    every.setdefault(name, []).extend(took)
    if len(took) > 1:
        every.setdefault(f"{name}, last", []).append(max(took))
