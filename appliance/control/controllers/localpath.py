"""The built-in provisioner: a folder of the node that was selected becomes a volume.

`Provisioner` (key: the claim) makes the PersistentVolume of a claim whose class is ours, once the
scheduler has said where; the node makes the folder when a pod comes. `Releaser` (key: the volume)
lets volumes that are being deleted go when their node has nothing to do about them: the data
shall stay, or the node is no more. All others go when their node has removed the folder
(`node/volumes/localpath`).
"""

from collections.abc import Iterable, Sequence

from appliance.api import localpath
from appliance.api import volumebinding as binding
from appliance.api.errors import AlreadyExists, NotFound
from appliance.api.kinds.core.node import NODE, Node
from appliance.api.kinds.core.persistentvolume import (
    PERSISTENT_VOLUME,
    PersistentVolume,
    PersistentVolumeSpec,
    VolumeNodeAffinity,
)
from appliance.api.kinds.core.persistentvolumeclaim import (
    PERSISTENT_VOLUME_CLAIM,
    PersistentVolumeClaim,
)
from appliance.api.kinds.core.references import (
    NodeSelector,
    NodeSelectorRequirement,
    NodeSelectorTerm,
)
from appliance.api.kinds.core.volume_sources import LocalVolumeSource
from appliance.api.kinds.storage.storageclass import STORAGE_CLASS, StorageClass
from appliance.api.meta import ObjectMeta
from appliance.client.base import Client
from appliance.client.cache import key_of
from appliance.client.controller import DONE, Result, Watch
from appliance.client.events import NORMAL, WARNING, Recorder, reference
from appliance.client.informer import Informers
from appliance.control.controllers.claimbinder import patch

HOSTNAME = "kubernetes.io/hostname"
_OF_NODE = "claim-selected-node"
_MODES = {"ReadWriteOnce", binding.ONE_POD}


class Provisioner:
    """Makes volumes for claims."""

    name = "local-path-provisioner"

    def __init__(self, client: Client, informers: Informers, *, recorder: Recorder) -> None:
        self._client = client
        self._recorder = recorder
        self._claims = informers.of(PERSISTENT_VOLUME_CLAIM)
        self._classes = informers.of(STORAGE_CLASS)
        self._nodes = informers.of(NODE)
        self._claims.add_indexers({_OF_NODE: _selected_node})

    def watches(self) -> Sequence[Watch]:
        """Claims, and those for a node that now says where its folders lie."""
        return [
            Watch(self._claims, lambda claim: [key_of(claim)], only=_is_wanting),
            Watch(self._nodes, self._of_node, only=_place_changed),
            Watch(self._classes, lambda _: ()),
        ]

    async def reconcile(self, key: str) -> Result:
        """Make the volume of a claim, if it is our turn."""
        claim = self._claims.cache.get(key)
        if claim is None or not _is_wanting(None, claim):
            return DONE
        storage_class = self._classes.cache.get(binding.class_of(claim))
        if storage_class is None or storage_class.provisioner != localpath.PROVISIONER:
            return DONE
        why = _refusal(claim, storage_class)
        if why:
            self._tell(claim, WARNING, "ProvisioningFailed", why)
            return DONE
        selected = claim.metadata.annotations[binding.SELECTED_NODE]
        node = self._nodes.cache.get(selected)
        if node is None:
            await self._choose_again(claim, f'node "{selected}" not found')
        elif not node.metadata.annotations.get(localpath.STORAGE):
            text = f'node "{selected}" does not say where its volumes lie: is its agent too old?'
            self._tell(claim, WARNING, "ProvisioningFailed", text)
        else:
            await self._make(claim, storage_class, node)
        return DONE

    async def _choose_again(self, claim: PersistentVolumeClaim, why: str) -> None:
        self._tell(claim, WARNING, "ProvisioningFailed", why)
        body = {"metadata": {"annotations": {binding.SELECTED_NODE: None}}}
        await patch(self._client, PERSISTENT_VOLUME_CLAIM, claim, body)

    async def _make(
        self, claim: PersistentVolumeClaim, storage_class: StorageClass, node: Node
    ) -> None:
        about = f'claim "{key_of(claim)}"'
        self._tell(
            claim,
            NORMAL,
            "Provisioning",
            f"External provisioner is provisioning volume for {about}",
        )
        made = volume_for(claim, storage_class, node)
        try:
            made = await self._client.create(PERSISTENT_VOLUME, made)
        except AlreadyExists:
            return  # made in the pass before this one; the binder has seen it or will
        await self._give_up_unwanted(claim, made)
        text = f"Successfully provisioned volume {made.metadata.name}"
        self._tell(claim, NORMAL, "ProvisioningSucceeded", text)

    async def _give_up_unwanted(self, claim: PersistentVolumeClaim, made: PersistentVolume) -> None:
        """The claim may have gone while its volume was made: nobody else would speak for it."""
        meta = claim.metadata
        try:
            found = await self._client.get(PERSISTENT_VOLUME_CLAIM, meta.name, meta.namespace)
        except NotFound:
            found = None
        if found is None or found.metadata.uid != meta.uid:
            body = {"metadata": {"annotations": {localpath.DELETED: meta.uid}}}
            await patch(self._client, PERSISTENT_VOLUME, made, body)

    def _tell(self, claim: PersistentVolumeClaim, kind: str, reason: str, message: str) -> None:
        about = reference(PERSISTENT_VOLUME_CLAIM, claim)
        self._recorder.record(about, kind, reason, message)

    def _of_node(self, node: Node) -> Iterable[str]:
        return map(key_of, self._claims.cache.by_index(_OF_NODE, node.metadata.name))


class Releaser:
    """Lets volumes go that no node has to empty."""

    name = "local-path-releaser"

    def __init__(self, client: Client, informers: Informers, *, recorder: Recorder) -> None:
        self._client = client
        self._recorder = recorder
        self._volumes = informers.of(PERSISTENT_VOLUME)
        self._nodes = informers.of(NODE)

    def watches(self) -> Sequence[Watch]:
        """Volumes that go, and nodes that have gone."""
        return [
            Watch(self._volumes, lambda volume: [key_of(volume)], only=_is_going),
            Watch(self._nodes, self._going_on, only=lambda _old, new: new is None),
        ]

    async def reconcile(self, key: str) -> Result:
        """Take the finalizer away where nothing is to be removed."""
        volume = self._volumes.cache.get(key)
        if volume is None or not _is_going(None, volume):
            return DONE
        phase = volume.status.phase
        if phase == binding.BOUND:
            return DONE  # its protection holds it, too
        if localpath.may_be_emptied(volume) and await self._has_node(volume):
            return DONE
        if volume.spec.persistentVolumeReclaimPolicy == "Delete":
            text = f"the data stays on its node, in {localpath.path_of(volume)}"
            self._recorder.record(
                reference(PERSISTENT_VOLUME, volume), WARNING, "VolumeDataKept", text
            )
        left = [name for name in volume.metadata.finalizers if name != localpath.FINALIZER]
        body = {"metadata": {"finalizers": left}}
        await patch(self._client, PERSISTENT_VOLUME, volume, body)
        return DONE

    async def _has_node(self, volume: PersistentVolume) -> bool:
        name = volume.metadata.labels.get(localpath.NODE, "")
        if self._nodes.cache.get(name) is not None:
            return True
        try:
            await self._client.get(NODE, name)
        except NotFound:
            return False
        return True

    def _going_on(self, node: Node) -> Iterable[str]:
        for volume in self._volumes.cache.list():
            mine = volume.metadata.labels.get(localpath.NODE) == node.metadata.name
            if mine and _is_going(None, volume):
                yield key_of(volume)


def volume_for(
    claim: PersistentVolumeClaim, storage_class: StorageClass, node: Node
) -> PersistentVolume:
    """The volume of a claim on a node; its name follows from the claim, so there is only one."""
    storage = node.metadata.annotations[localpath.STORAGE].rstrip("/")
    labels = node.metadata.labels
    host = NodeSelectorRequirement(
        key=HOSTNAME, operator="In", values=[labels.get(HOSTNAME, node.metadata.name)]
    )
    return PersistentVolume(
        metadata=ObjectMeta(
            name=localpath.volume_name(claim),
            labels={localpath.NODE: node.metadata.name},
            annotations={binding.PROVISIONED_BY: localpath.PROVISIONER},
            finalizers=[localpath.FINALIZER],
        ),
        spec=PersistentVolumeSpec(
            capacity={"storage": claim.spec.resources.requests["storage"]},
            accessModes=list(claim.spec.accessModes),
            volumeMode=claim.spec.volumeMode,
            claimRef=reference(PERSISTENT_VOLUME_CLAIM, claim),
            persistentVolumeReclaimPolicy=storage_class.reclaimPolicy or "Delete",
            storageClassName=storage_class.metadata.name,
            mountOptions=list(storage_class.mountOptions),
            local=LocalVolumeSource(path=f"{storage}/{localpath.folder_name(claim)}"),
            nodeAffinity=VolumeNodeAffinity(
                required=NodeSelector(nodeSelectorTerms=[NodeSelectorTerm(matchExpressions=[host])])
            ),
        ),
    )


def _refusal(claim: PersistentVolumeClaim, storage_class: StorageClass) -> str:
    """Why a folder can't be what a claim wants; "" if it can."""
    spec = claim.spec
    if not set(spec.accessModes) <= _MODES:
        return "a folder of one node can only be ReadWriteOnce or ReadWriteOncePod"
    if spec.volumeMode == "Block":
        return "a folder can't be a block device: use volumeMode Filesystem"
    if spec.selector is not None:
        return "claim.spec.selector is not supported: volumes are made, not chosen"
    if spec.dataSource is not None or spec.dataSourceRef is not None:
        return "claim.spec.dataSource is not supported"
    if binding.SELECTED_NODE not in claim.metadata.annotations:
        name = storage_class.metadata.name
        return f'storage class "{name}" must have volumeBindingMode {binding.WAITS}'
    return ""


def _is_wanting(_old: object, claim: PersistentVolumeClaim | None) -> bool:
    """Whether a claim waits for a volume that somebody has to make."""
    if claim is None or claim.spec.volumeName or claim.metadata.deletionTimestamp is not None:
        return False
    return binding.PROVISIONER in claim.metadata.annotations


def _selected_node(claim: PersistentVolumeClaim) -> Iterable[str]:
    if claim.spec.volumeName:
        return []
    return filter(None, [claim.metadata.annotations.get(binding.SELECTED_NODE)])


def _place_changed(old: Node | None, new: Node | None) -> bool:
    before = old.metadata.annotations.get(localpath.STORAGE) if old is not None else None
    return new is not None and new.metadata.annotations.get(localpath.STORAGE) != before


def _is_going(_old: object, volume: PersistentVolume | None) -> bool:
    return (
        volume is not None
        and volume.metadata.deletionTimestamp is not None
        and localpath.FINALIZER in volume.metadata.finalizers
    )
