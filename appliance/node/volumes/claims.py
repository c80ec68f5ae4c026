"""Pure: from a pod's volume to the persistent volume behind it, or why there is none to mount.

Called by `pods/inputs`, which reads the objects, and by `persistent`, which mounts. The messages
are those of FailedMount events, worded as upstream's kubelet words them.
"""

from appliance.api import localpath
from appliance.api.kinds.core.persistentvolume import PersistentVolume
from appliance.api.kinds.core.pod.kind import Pod
from appliance.api.kinds.core.pod.volumes import Volume
from appliance.api.objects import is_controlled_by
from appliance.api.volumebinding import is_for
from appliance.node.volumes.base import Claimed, VolumeFault


def claim_name(pod: Pod, volume: Volume) -> str:
    """Name of the claim behind a volume, "" if there is none."""
    if volume.persistentVolumeClaim is not None:
        return volume.persistentVolumeClaim.claimName
    return f"{pod.metadata.name}-{volume.name}" if volume.ephemeral is not None else ""


def volume_behind(pod: Pod, volume: Volume, claims: Claimed) -> PersistentVolume:
    """Find what a claim of the pod was given.

    Raises:
        VolumeFault: the claim is not there, not bound, another's, or of a kind we can't mount.
    """
    name = claim_name(pod, volume)
    where = f"error processing PVC {pod.metadata.namespace}/{name}"
    claim, found = claims.get(name, (None, None))
    if claim is None:
        text = f'failed to fetch PVC from API server: persistentvolumeclaims "{name}" not found'
        raise VolumeFault(f"{where}: {text}")
    if volume.ephemeral is not None and not is_controlled_by(claim, pod):
        text = f"PVC {name} was not created for pod {pod.metadata.name} (pod is not owner)"
        raise VolumeFault(f"{where}: {text}")
    if claim.status.phase != "Bound" or not claim.spec.volumeName:
        raise VolumeFault(f"{where}: PVC is not bound")
    if found is None:
        wanted = claim.spec.volumeName
        text = f'persistentvolumes "{wanted}" not found'
        raise VolumeFault(f"{where}: failed to fetch PV {wanted} from API server: {text}")
    if found.spec.claimRef is None or not is_for(found, claim):
        raise VolumeFault(f"{where}: PV {found.metadata.name} is bound to another claim")
    if found.spec.volumeMode == "Block":
        text = "is a block device (volumeMode Block); this node mounts file systems only"
        raise VolumeFault(f"{where}: PV {found.metadata.name} {text}")
    return found


def check_place(volume: PersistentVolume, node_name: str) -> None:
    """A folder of another node is not here, even where there is one of that name.

    Raises:
        VolumeFault: the pod came to the wrong node, past the scheduler.
    """
    home = volume.metadata.labels.get(localpath.NODE)
    if localpath.path_of(volume) and home is not None and home != node_name:
        name = volume.metadata.name
        raise VolumeFault(f"volume {name} is a folder of node {home}; this is {node_name}")


def is_read_only(volume: Volume, behind: PersistentVolume) -> bool:
    """Whether no container may write it: the pod says so, or the volume does."""
    claim = volume.persistentVolumeClaim
    nfs = behind.spec.nfs
    return bool((claim is not None and claim.readOnly) or (nfs is not None and nfs.readOnly))
