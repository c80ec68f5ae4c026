"""What each pod takes of the thing that is short; asked only while something is.

Memory and processes come from the cgroups; disk from the engine's writable layers and from the
pod's own folders, which are walked.
"""

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path

from appliance.api import podamounts, quantity
from appliance.api.kinds.core.pod.kind import Pod
from appliance.node.pods.evictions import used_bytes
from appliance.node.pods.workers import Workers
from appliance.node.pressure.judge import RESOURCES
from appliance.node.pressure.levels import MEMORY, PIDS
from appliance.node.pressure.ranking import Use
from appliance.node.runtimes import marks
from appliance.node.runtimes.base import Runtime
from appliance.node.stats.meter import Meter
from appliance.node.volumes.mounter import Volumes

ByPod = dict[str, dict[str, int]]
FOLDERS = ""
"""Stands for the pod's volumes among the names of its containers."""


class Uses:
    """Asks the kernel and the engine."""

    def __init__(
        self,
        workers: Workers,
        runtime: Runtime,
        *,
        meter: Meter,
        volumes: Volumes,
        cluster_id: str,
    ) -> None:
        self._workers = workers
        self._runtime = runtime
        self._meter = meter
        self._volumes = volumes
        self._marks = marks.of_cluster(cluster_id)

    async def of(self, signal: str) -> list[Use]:
        """Every pod of this node that has not ended."""
        found = await (self._kernel(signal) if signal in {MEMORY, PIDS} else self._disk())
        resource = RESOURCES[signal]
        return [
            Use(worker.pod, found.get(uid, {}), _asked(worker.pod, resource))
            for uid, worker in self._workers.by_uid.items()
            if worker.lives
        ]

    async def _kernel(self, signal: str) -> ByPod:
        metered = await self._meter.containers()
        if signal == MEMORY:
            return _by_pod((m.container.marks, m.usage.working_set_bytes or 0) for m in metered)
        return _by_pod((m.container.marks, m.usage.processes or 0) for m in metered)

    async def _disk(self) -> ByPod:
        layers = await self._runtime.disk_usage(self._marks)
        seen = await self._runtime.list(self._marks)
        found = _by_pod((c.marks, layers.get(c.id, 0)) for c in seen)
        for uid, worker in list(self._workers.by_uid.items()):
            paths = self._volumes.paths(worker.pod)
            own = [
                Path(paths[v.name])
                for v in worker.pod.spec.volumes
                if v.emptyDir is not None and v.emptyDir.medium != "Memory" and v.name in paths
            ]
            sizes = [await asyncio.to_thread(used_bytes, path) for path in own]
            found.setdefault(uid, {})[FOLDERS] = sum(sizes)
        return found


def _by_pod(each: Iterable[tuple[Mapping[str, str], int]]) -> ByPod:
    found: ByPod = defaultdict(dict)
    for labels, used in each:
        pod = found[labels.get(marks.POD_UID, "")]
        name = labels.get(marks.CONTAINER_NAME, "")
        pod[name] = pod.get(name, 0) + used
    return found


def _asked(pod: Pod, resource: str) -> int:
    amount = podamounts.requests(pod.spec).get(resource)
    return 0 if amount is None else quantity.value(str(amount))
