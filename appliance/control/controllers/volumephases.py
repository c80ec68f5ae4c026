"""Keeps the phase of each volume true, and has released ones reclaimed; the key is the volume.

A claim that the cache does not hold is asked for once more before its volume counts as released:
with policy Delete that is the end of the data, and a cache may be behind. Volumes of the built-in
provisioner are deleted here and emptied by their node; those of other provisioners are theirs;
what people made nobody but them can remove, so Delete and Recycle fail there and say so.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from appliance.api import localpath
from appliance.api import volumebinding as binding
from appliance.api.errors import NotFound
from appliance.api.kinds.core.persistentvolume import PERSISTENT_VOLUME, PersistentVolume
from appliance.api.kinds.core.persistentvolumeclaim import (
    PERSISTENT_VOLUME_CLAIM,
    PersistentVolumeClaim,
)
from appliance.client.base import Client, DeleteOptions
from appliance.client.cache import key_of
from appliance.client.controller import DONE, Result, Watch
from appliance.client.events import WARNING, Recorder, reference
from appliance.client.informer import Informers
from appliance.control.controllers.claimbinder import patch
from appliance.control.controllers.volumeplan import plan_volume

_BY_CLAIM = "volume-claim"
_REFUSALS = {
    "Delete": ("VolumeFailedDelete", "no deletable volume plugin matched: remove its data by hand"),
    "Recycle": ("VolumeFailedRecycle", "no recyclable volume plugin matched: use Retain or Delete"),
}


class VolumePhases:
    """Available, Bound, Released or Failed."""

    name = "persistentvolume-phases"

    def __init__(self, client: Client, informers: Informers, *, recorder: Recorder) -> None:
        self._client = client
        self._recorder = recorder
        self._volumes = informers.of(PERSISTENT_VOLUME)
        self._claims = informers.of(PERSISTENT_VOLUME_CLAIM)
        self._volumes.add_indexers({_BY_CLAIM: _claim_of})

    def watches(self) -> Sequence[Watch]:
        """Volumes, and those whose claim changes."""
        return [
            Watch(self._volumes, lambda volume: [key_of(volume)]),
            Watch(self._claims, self._volumes_of),
        ]

    async def reconcile(self, key: str) -> Result:
        """One look at a volume."""
        volume = self._volumes.cache.get(key)
        if volume is None:
            return DONE
        step = plan_volume(volume, await self._claim(volume))
        if step.frees:
            volume = await self._free(volume)
        if step.phase != volume.status.phase:
            volume = await self._set_phase(volume, step.phase)
        if step.phase == binding.RELEASED:
            await self._reclaim(volume)
        return DONE

    async def _claim(self, volume: PersistentVolume) -> PersistentVolumeClaim | None:
        ref = volume.spec.claimRef
        if ref is None or not ref.uid:
            return None
        found = self._claims.cache.get(f"{ref.namespace}/{ref.name}")
        if found is None or found.metadata.uid != ref.uid:
            try:
                found = await self._client.get(PERSISTENT_VOLUME_CLAIM, ref.name, ref.namespace)
            except NotFound:
                return None
        return found if found.metadata.uid == ref.uid else None

    async def _free(self, volume: PersistentVolume) -> PersistentVolume:
        """Its claim has another: forget it, but keep the name that a user wrote."""
        body: dict[str, Any] = {"spec": {"claimRef": {"uid": None, "resourceVersion": None}}}
        if binding.BOUND_BY_CONTROLLER in volume.metadata.annotations:
            body = {
                "metadata": {"annotations": {binding.BOUND_BY_CONTROLLER: None}},
                "spec": {"claimRef": None},
            }
        freed: PersistentVolume = await patch(self._client, PERSISTENT_VOLUME, volume, body)
        return freed

    async def _set_phase(
        self, volume: PersistentVolume, phase: str, reason: str = "", message: str = ""
    ) -> PersistentVolume:
        status = {"phase": phase, "reason": reason or None, "message": message or None}
        changed: PersistentVolume = await patch(
            self._client, PERSISTENT_VOLUME, volume, {"status": status}, subresource="status"
        )
        return changed

    async def _reclaim(self, volume: PersistentVolume) -> None:
        policy, meta = volume.spec.persistentVolumeReclaimPolicy, volume.metadata
        maker = meta.annotations.get(binding.PROVISIONED_BY, "")
        if policy == "Retain" or meta.deletionTimestamp is not None:
            return
        if policy == "Delete" and maker == localpath.PROVISIONER:
            if not localpath.was_given_up(volume):
                self._keep(volume)
                return
            options = DeleteOptions(uid=meta.uid, resource_version=meta.resourceVersion)
            await self._client.delete(PERSISTENT_VOLUME, meta.name, options=options)
        elif policy != "Delete" or not maker:
            reason, message = _REFUSALS[policy]
            self._recorder.record(reference(PERSISTENT_VOLUME, volume), WARNING, reason, message)
            await self._set_phase(volume, binding.FAILED, reason, message)

    def _keep(self, volume: PersistentVolume) -> None:
        text = (
            "its claim is gone, but was not deleted: the data stays, in "
            f"{localpath.path_of(volume)} (docs/storage.md)"
        )
        self._recorder.record(reference(PERSISTENT_VOLUME, volume), WARNING, "VolumeDataKept", text)

    def _volumes_of(self, claim: PersistentVolumeClaim) -> Iterable[str]:
        yield from map(key_of, self._volumes.cache.by_index(_BY_CLAIM, key_of(claim)))


def _claim_of(volume: PersistentVolume) -> Iterable[str]:
    ref = volume.spec.claimRef
    return [f"{ref.namespace}/{ref.name}"] if ref is not None else []
