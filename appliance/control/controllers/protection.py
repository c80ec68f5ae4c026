"""Claims and volumes that are being deleted wait until nothing uses them.

Admission puts a finalizer on each (`access/steps/storageuse.py`); here it is taken away once no
pod on a node uses the claim, or no claim is bound to the volume. Source: kubernetes
`pkg/controller/volume/{pvc,pv}protection`.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from appliance.api import errors, localpath
from appliance.api.kind import Kind
from appliance.api.kinds.core.persistentvolume import PERSISTENT_VOLUME
from appliance.api.kinds.core.persistentvolumeclaim import (
    PERSISTENT_VOLUME_CLAIM,
    PersistentVolumeClaim,
)
from appliance.api.kinds.core.pod.kind import POD, Pod
from appliance.api.volumebinding import is_for
from appliance.client.base import Client, PatchType, Where
from appliance.client.cache import key_of
from appliance.client.controller import DONE, Result, Watch
from appliance.client.informer import Informers

CLAIM_FINALIZER = "kubernetes.io/pvc-protection"
VOLUME_FINALIZER = "kubernetes.io/pv-protection"
BY_CLAIM = "protection-claim"


class ClaimProtection:
    """Lets claims go; the key is the claim."""

    name = "pvc-protection"

    def __init__(self, client: Client, informers: Informers) -> None:
        self._client = client
        self._claims = informers.of(PERSISTENT_VOLUME_CLAIM)
        self._pods = informers.of(POD)
        self._pods.add_indexers({BY_CLAIM: _claims_of})

    def watches(self) -> Sequence[Watch]:
        """Claims that begin to go, and the claims of pods that are gone."""
        return [
            Watch(self._claims, lambda claim: [key_of(claim)], only=_is_going),
            Watch(self._pods, _claims_of, only=lambda _old, new: new is None),
        ]

    async def reconcile(self, key: str) -> Result:
        """Take the finalizer away if nothing uses the claim."""
        claim = self._claims.cache.get(key)
        if claim is None or claim.metadata.deletionTimestamp is None:
            return DONE
        if not self._pods.cache.by_index(BY_CLAIM, key) and not await self._is_used(claim):
            await self._note_on_volume(claim)
            await _release(self._client, PERSISTENT_VOLUME_CLAIM, claim, CLAIM_FINALIZER)
        return DONE

    async def _note_on_volume(self, claim: PersistentVolumeClaim) -> None:
        """Let a folder's volume say that its claim was deleted: without that its data stays.

        A claim may vanish in other ways (somebody's hand in the store, an old copy of it, its
        finalizers taken by force), and none of them is a word about the data.
        """
        # One that is not bound yet may have been made for it a moment ago.
        name = claim.spec.volumeName or localpath.volume_name(claim)
        try:
            volume = await self._client.get(PERSISTENT_VOLUME, name)
        except errors.NotFound:
            return
        uid = claim.metadata.uid
        if not localpath.path_of(volume) or not is_for(volume, claim):
            return
        if volume.metadata.annotations.get(localpath.DELETED) == uid:
            return
        meta = volume.metadata
        notes = {localpath.DELETED: uid}
        body = {
            "metadata": {
                "annotations": notes,
                "uid": meta.uid,
                "resourceVersion": meta.resourceVersion,
            }
        }
        await self._client.patch(PERSISTENT_VOLUME, meta.name, body)

    async def _is_used(self, claim: PersistentVolumeClaim) -> bool:
        """Ask the API itself: data hangs on it, and the cache may not have heard of a binding."""
        found = await self._client.list(POD, Where(namespace=claim.metadata.namespace))
        return any(key_of(claim) in _claims_of(pod) for pod in found.items)


class VolumeProtection:
    """Lets volumes go; the key is the volume."""

    name = "pv-protection"

    def __init__(self, client: Client, informers: Informers) -> None:
        self._client = client
        self._volumes = informers.of(PERSISTENT_VOLUME)

    def watches(self) -> Sequence[Watch]:
        """Volumes that are being deleted."""
        return [Watch(self._volumes, lambda volume: [key_of(volume)], only=_is_going)]

    async def reconcile(self, key: str) -> Result:
        """Take the finalizer away unless a claim is bound to the volume."""
        volume = self._volumes.cache.get(key)
        if volume is None or volume.metadata.deletionTimestamp is None:
            return DONE
        if volume.status.phase != "Bound":
            await _release(self._client, PERSISTENT_VOLUME, volume, VOLUME_FINALIZER)
        return DONE


def _is_going(_old: Any, new: Any) -> bool:
    return new is not None and new.metadata.deletionTimestamp is not None


def _claims_of(pod: Pod) -> Iterable[str]:
    """Keys of the claims that a pod uses; one without a node uses nothing yet."""
    if not pod.spec.nodeName:
        return []
    meta = pod.metadata
    names = [v.persistentVolumeClaim.claimName for v in pod.spec.volumes if v.persistentVolumeClaim]
    names += [f"{meta.name}-{v.name}" for v in pod.spec.volumes if v.ephemeral]
    return [f"{meta.namespace}/{name}" for name in names]


async def _release(client: Client, kind: Kind[Any], obj: Any, finalizer: str) -> None:
    meta = obj.metadata
    if finalizer not in meta.finalizers:
        return
    left = [name for name in meta.finalizers if name != finalizer]
    # naming the uid and revision: another writer's finalizer must not get lost
    body = {
        "metadata": {"finalizers": left, "uid": meta.uid, "resourceVersion": meta.resourceVersion}
    }
    try:
        await client.patch(kind, meta.name, body, namespace=meta.namespace, how=PatchType.MERGE)
    except errors.NotFound:
        return
