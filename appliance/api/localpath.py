"""Words of the built-in provisioner: folders of nodes as volumes.

The controller (`control/controllers/localpath`) makes the PersistentVolume, the node
(`node/volumes/localpath`) makes and removes the folder; here is what they agree upon. A volume of
ours carries the label NODE, by which its node watches it, and a finalizer, which only goes when
the folder has gone or shall stay (docs/storage.md).
"""

import re

from appliance.api.kinds.core.persistentvolume import PersistentVolume
from appliance.api.kinds.core.persistentvolumeclaim import PersistentVolumeClaim
from appliance.api.volumebinding import PROVISIONED_BY, RELEASED

CLASS = "local-path"
"""As k3s names it: charts ask for it."""
PROVISIONER = "appliance.local/local-path"
FINALIZER = "appliance.local/local-path"
NODE = "appliance.local/volume-node"
"""Label of a volume: the node that has its folder."""
DELETED = "appliance.local/deleted-claim"
"""Annotation of a volume: uid of its claim, written when that is deleted and nothing uses it."""
STORAGE = "appliance.local/storage-path"
"""Annotation of a node: where its folders lie."""

_FOLDER = re.compile(r"pvc-[0-9a-f-]{36}_[a-z0-9-]{1,63}_[a-z0-9.-]{1,253}\Z")
_NAME_MAX = 255
"""Bytes of one name in usual file systems."""


def volume_name(claim: PersistentVolumeClaim) -> str:
    """Name of the volume that is made for a claim: there is never a second one."""
    return f"pvc-{claim.metadata.uid}"


def folder_name(claim: PersistentVolumeClaim) -> str:
    """`pvc-<uid>_<namespace>_<name>`: an administrator sees whose it is; the uid makes it sole."""
    meta = claim.metadata
    return f"{volume_name(claim)}_{meta.namespace}_{meta.name}"[:_NAME_MAX]


def path_of(volume: PersistentVolume) -> str:
    """The folder of a volume of ours, "" if it is not ours."""
    if volume.metadata.annotations.get(PROVISIONED_BY) != PROVISIONER or volume.spec.local is None:
        return ""
    return volume.spec.local.path


def is_folder(name: str) -> bool:
    """Whether a folder is called as one of ours; nothing else is ever removed."""
    return _FOLDER.match(name) is not None


def was_given_up(volume: PersistentVolume) -> bool:
    """Whether somebody deleted its claim, as opposed to: the claim is not there any more."""
    ref = volume.spec.claimRef
    return ref is not None and bool(ref.uid) and volume.metadata.annotations.get(DELETED) == ref.uid


def may_be_emptied(volume: PersistentVolume) -> bool:
    """Whether the cluster has said that this volume's data shall go.

    All of it must be there to be read: the volume is being deleted, it was released by its claim,
    that was deleted, and its policy says Delete. What is not there to be read says nothing.
    """
    return (
        volume.metadata.deletionTimestamp is not None
        and FINALIZER in volume.metadata.finalizers
        and volume.status.phase == RELEASED
        and was_given_up(volume)
        and volume.spec.persistentVolumeReclaimPolicy == "Delete"
    )
