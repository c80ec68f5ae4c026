"""How full claims' volumes are: for /stats/summary, and for /metrics in kubelets' names.

Asked by `serve/usage` only when somebody asks it. A folder of the node shows its whole file
system, as kubelets show it. Looked at in a thread, at most LOOK_S for all: a file server that is
away must not hold up the numbers of everything else; what did not answer is left out.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from appliance.api.kinds.core.pod.kind import Pod
from appliance.kit.clock import rfc3339
from appliance.node.stats.meter import Disk, disk_of
from appliance.node.volumes.claims import claim_name
from appliance.node.volumes.mounter import Volumes

LOOK_S = 2.0
_METRICS: tuple[tuple[str, str, Callable[[Disk], int]], ...] = (
    ("available_bytes", "Number of available bytes in the volume", lambda d: d.free_bytes),
    ("capacity_bytes", "Capacity in bytes of the volume", lambda d: d.capacity_bytes),
    ("inodes", "Maximum number of inodes in the volume", lambda d: d.inodes),
    ("inodes_free", "Number of free inodes in the volume", lambda d: d.inodes_free),
    ("inodes_used", "Number of used inodes in the volume", lambda d: d.inodes - d.inodes_free),
    ("used_bytes", "Number of used bytes in the volume", lambda d: d.capacity_bytes - d.free_bytes),
)


@dataclass(frozen=True, slots=True)
class VolumeUse:
    """One claim as one pod has it."""

    pod_uid: str
    namespace: str
    volume: str
    claim: str
    disk: Disk


class VolumeMeter:
    """Looks at the volumes of this node's pods."""

    def __init__(self, volumes: Volumes, pods: Callable[[], Iterable[Pod]]) -> None:
        self._volumes = volumes
        self._pods = pods

    async def look(self) -> list[VolumeUse]:
        """Every claim that is set up here and answers."""
        looks = [
            self._one(pod, name, claim, path)
            for pod in self._pods()
            for name, claim, path in self._claims(pod)
        ]
        return [use for use in await asyncio.gather(*looks) if use is not None]

    def _claims(self, pod: Pod) -> Iterable[tuple[str, str, Path]]:
        for volume in pod.spec.volumes:
            claim, path = claim_name(pod, volume), self._volumes.mounted(pod, volume.name)
            if claim and path is not None:
                yield volume.name, claim, path

    async def _one(self, pod: Pod, name: str, claim: str, path: Path) -> VolumeUse | None:
        try:
            async with asyncio.timeout(LOOK_S):
                disk = await asyncio.to_thread(disk_of, path)
        except (OSError, TimeoutError):
            return None
        return VolumeUse(pod.metadata.uid, pod.metadata.namespace, name, claim, disk)


def volume_metrics(found: Iterable[VolumeUse]) -> str:
    """Prometheus text, `kubelet_volume_stats_*`; a claim of several pods is told once."""
    claims: Mapping[tuple[str, str], Disk] = {(u.namespace, u.claim): u.disk for u in found}
    if not claims:
        return ""
    lines = []
    for suffix, words, number in _METRICS:
        name = f"kubelet_volume_stats_{suffix}"
        lines += [f"# HELP {name} {words}", f"# TYPE {name} gauge"]
        lines += [
            f'{name}{{namespace="{namespace}",persistentvolumeclaim="{claim}"}} {number(disk)}'
            for (namespace, claim), disk in sorted(claims.items(), key=lambda item: item[0])
        ]
    return "\n".join(lines) + "\n"


def add_volumes(summary: dict[str, Any], found: Iterable[VolumeUse], now: float) -> None:
    """Put the `volume` part of each pod into what /stats/summary gives."""
    pods = {pod["podRef"]["uid"]: pod for pod in summary["pods"]}
    for use in found:
        if use.pod_uid not in pods:
            continue
        disk = use.disk
        pods[use.pod_uid].setdefault("volume", []).append(
            {
                "time": rfc3339(now),
                "availableBytes": disk.free_bytes,
                "capacityBytes": disk.capacity_bytes,
                "usedBytes": disk.capacity_bytes - disk.free_bytes,
                "inodesFree": disk.inodes_free,
                "inodes": disk.inodes,
                "inodesUsed": disk.inodes - disk.inodes_free,
                "name": use.volume,
                "pvcRef": {"name": use.claim, "namespace": use.namespace},
            }
        )
