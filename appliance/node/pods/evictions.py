"""Pods that use more of a volume than it may hold are put out.

Looked at every `EVERY_S`, as kubelets do: a folder's size is only known by walking it. Only pods
with an emptyDir on disk that has a `sizeLimit` are looked at (memory has its size from the
kernel); static pods stay, as nobody would make them anew.
"""

import asyncio
import os
from pathlib import Path

import structlog

from appliance.api.kinds.core.pod.kind import Pod
from appliance.api.quantity import value
from appliance.kit.clock import Clock
from appliance.node.pods.workers import Workers
from appliance.node.sources.base import is_static
from appliance.node.volumes.mounter import Volumes

log = structlog.get_logger(__name__)

EVERY_S = 10.0
_BLOCK = 512  # st_blocks counts these, whatever the file system's own are


class Evictions:
    """Watches limits that no kernel keeps."""

    def __init__(self, workers: Workers, volumes: Volumes, clock: Clock) -> None:
        self._workers = workers
        self._volumes = volumes
        self._clock = clock

    async def run(self) -> None:
        """Look again and again."""
        while True:
            await self._clock.sleep(EVERY_S)
            await self.look()

    async def look(self) -> None:
        """Put out every pod that has taken too much."""
        for worker in list(self._workers.by_uid.values()):
            if is_static(worker.pod):
                continue
            for name, limit in limits(worker.pod).items():
                path = self._volumes.paths(worker.pod)[name]
                used = await asyncio.to_thread(used_bytes, Path(path))
                if used > value(limit):
                    meta = worker.pod.metadata
                    log.info("pod evicted", pod=f"{meta.namespace}/{meta.name}", volume=name)
                    worker.evict(f'Usage of EmptyDir volume "{name}" exceeds the limit "{limit}". ')
                    break


def limits(pod: Pod) -> dict[str, str]:
    """The size limits of volumes on disk, by name."""
    return {
        volume.name: str(volume.emptyDir.sizeLimit)
        for volume in pod.spec.volumes
        if volume.emptyDir is not None
        and volume.emptyDir.sizeLimit is not None
        and volume.emptyDir.medium != "Memory"
        and value(volume.emptyDir.sizeLimit) > 0
    }


def used_bytes(root: Path) -> int:
    """Disk that everything beneath a folder takes; what goes meanwhile counts nothing."""
    total = 0
    for folder, _, names in os.walk(root):
        for name in names:
            try:
                total += os.lstat(os.path.join(folder, name)).st_blocks * _BLOCK
            except FileNotFoundError:
                continue
    return total
