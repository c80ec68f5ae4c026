"""Two pods never share a node for one disk of a cloud or a disk server, unless both only read it.

Such a disk can be attached to a host once. Pods name it directly, as they did in 2014; claims are
`volumes.py`.
Source: kubernetes `pkg/scheduler/framework/plugins/volumerestrictions`.
"""

from collections.abc import Iterator

from appliance.api.kinds.core.pod.kind import Pod
from appliance.control.scheduler.base import Change, Check, Filter, NodeChanged, PodLeft, Refusal
from appliance.control.scheduler.podinfo import PodInfo
from appliance.control.scheduler.snapshot import NodeView, Snapshot

NO_DISK = Refusal(("node(s) had no available disk",))


def disk_free(info: PodInfo, _snapshot: Snapshot) -> Check | None:
    """No pod on the node has one of the disks, or all only read it."""
    wanted = dict(disks(info.pod))
    if not wanted:
        return None

    def check(view: NodeView) -> Refusal | None:
        for other in view.pods.values():
            for disk, reads in disks(other.pod):
                if disk in wanted and not (reads and wanted[disk]):
                    return NO_DISK
        return None

    return check


def disks(pod: Pod) -> Iterator[tuple[str, bool]]:
    """Each disk that a pod names, and whether it only reads it."""
    for volume in pod.spec.volumes:
        if volume.gcePersistentDisk is not None:
            yield f"gce/{volume.gcePersistentDisk.pdName}", volume.gcePersistentDisk.readOnly
        elif volume.awsElasticBlockStore is not None:
            yield f"ebs/{volume.awsElasticBlockStore.volumeID}", False
        elif volume.iscsi is not None:
            yield f"iscsi/{volume.iscsi.iqn}", volume.iscsi.readOnly
        elif volume.rbd is not None:
            yield f"rbd/{volume.rbd.pool}/{volume.rbd.image}", volume.rbd.readOnly


def _helped_by(info: PodInfo, _snapshot: Snapshot, change: Change) -> bool:
    if isinstance(change, NodeChanged):
        return True
    mine = dict(disks(info.pod))
    return isinstance(change, PodLeft) and any(disk in mine for disk, _ in disks(change.pod))


VOLUME_RESTRICTIONS = Filter(
    "VolumeRestrictions", disk_free, _helped_by, heeds=(NodeChanged, PodLeft)
)
