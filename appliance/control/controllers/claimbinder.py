"""Binds claims to volumes; the key is the claim.

A binding is four writes, each of which may be the last before a crash: the volume names the claim
(this reserves it, by its revision), the volume is Bound, the claim names the volume, the claim is
Bound. Whatever is done of them, the next pass does the rest. Claims of which nothing can be made
yet are looked at again when a volume or a class of theirs changes.

What was last said of each claim that waits is remembered, so that an event comes once and not at
each look; bound by the number of such claims.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from appliance.api import volumebinding as binding
from appliance.api.kind import Kind
from appliance.api.kinds.core.persistentvolume import PERSISTENT_VOLUME, PersistentVolume
from appliance.api.kinds.core.persistentvolumeclaim import (
    PERSISTENT_VOLUME_CLAIM,
    PersistentVolumeClaim,
)
from appliance.api.kinds.storage.storageclass import STORAGE_CLASS, StorageClass
from appliance.client.base import Client
from appliance.client.cache import key_of
from appliance.client.controller import DONE, Result, Watch
from appliance.client.events import NORMAL, WARNING, Recorder, reference
from appliance.client.informer import Informers
from appliance.control.controllers.volumeplan import (
    LOST,
    Bind,
    GiveClass,
    Lost,
    Pending,
    Provision,
    plan_claim,
)

_UNBOUND = "unbound-class"
_BY_VOLUME = "claim-volume"
_NO_CLASS = ""


class ClaimBinder:
    """Gives claims their volumes."""

    name = "persistentvolume-binder"

    def __init__(self, client: Client, informers: Informers, *, recorder: Recorder) -> None:
        self._client = client
        self._recorder = recorder
        self._claims = informers.of(PERSISTENT_VOLUME_CLAIM)
        self._volumes = informers.of(PERSISTENT_VOLUME)
        self._classes = informers.of(STORAGE_CLASS)
        self._claims.add_indexers({_UNBOUND: _unbound_class, _BY_VOLUME: _volume_of})
        self._said: dict[str, tuple[str, str]] = {}

    def watches(self) -> Sequence[Watch]:
        """Claims, and those that a volume or a class may help."""
        return [
            Watch(self._claims, lambda claim: [key_of(claim)]),
            Watch(self._volumes, self._concerned),
            Watch(self._classes, self._of_class),
        ]

    async def reconcile(self, key: str) -> Result:
        """One look at a claim."""
        claim = self._claims.cache.get(key)
        if claim is None:
            self._said.pop(key, None)
            return DONE
        volumes = {v.metadata.name: v for v in self._volumes.cache.list()}
        classes = {c.metadata.name: c for c in self._classes.cache.list()}
        step = plan_claim(claim, volumes, classes)
        match step:
            case Bind(volume):
                self._said.pop(key, None)
                await self._bind(claim, volume)
            case Lost(reason, message):
                self._say(claim, WARNING, reason, message)
                await self._set_status(claim, {"phase": LOST})
            case GiveClass(name):
                await self._patch_claim(claim, {"spec": {"storageClassName": name}})
            case Provision(provisioner):
                await self._ask_for_volume(claim, provisioner)
            case Pending():
                if step.reason:
                    kind = WARNING if step.warns else NORMAL
                    self._say(claim, kind, step.reason, step.message)
        return DONE

    async def _bind(self, claim: PersistentVolumeClaim, volume: PersistentVolume) -> None:
        volume = await self._reserve(claim, volume)
        if volume.status.phase != binding.BOUND:
            await patch(
                self._client, PERSISTENT_VOLUME, volume, {"status": _bound()}, subresource="status"
            )
        marks = {}
        if binding.BIND_COMPLETED not in claim.metadata.annotations:
            marks[binding.BIND_COMPLETED] = "yes"
        if not claim.spec.volumeName:
            marks[binding.BOUND_BY_CONTROLLER] = "yes"
        if marks:
            body = {
                "metadata": {"annotations": marks},
                "spec": {"volumeName": volume.metadata.name},
            }
            claim = await self._patch_claim(claim, body)
        wanted: dict[str, Any] = {"phase": binding.BOUND, "accessModes": volume.spec.accessModes}
        if not claim.status.capacity:  # later only who lets it grow changes that
            wanted["capacity"] = volume.spec.capacity
        await self._set_status(claim, wanted)

    async def _reserve(
        self, claim: PersistentVolumeClaim, volume: PersistentVolume
    ) -> PersistentVolume:
        """Let the volume name the claim; of two claims that try, the store lets one."""
        ref = volume.spec.claimRef
        if ref is not None and ref.uid == claim.metadata.uid:
            return volume
        wanted = reference(PERSISTENT_VOLUME_CLAIM, claim)
        body: dict[str, Any] = {"spec": {"claimRef": msgspec.to_builtins(wanted)}}
        if ref is None:
            body["metadata"] = {"annotations": {binding.BOUND_BY_CONTROLLER: "yes"}}
        reserved: PersistentVolume = await patch(self._client, PERSISTENT_VOLUME, volume, body)
        return reserved

    async def _ask_for_volume(self, claim: PersistentVolumeClaim, provisioner: str) -> None:
        names = (binding.PROVISIONER, binding.OLD_PROVISIONER)
        if any(claim.metadata.annotations.get(name) != provisioner for name in names):
            body = {"metadata": {"annotations": dict.fromkeys(names, provisioner)}}
            claim = await self._patch_claim(claim, body)
        text = (
            "Waiting for a volume to be created either by the external provisioner "
            f"'{provisioner}' or manually by the system administrator. If volume creation is "
            "delayed, please verify that the provisioner is running and correctly registered."
        )
        self._say(claim, NORMAL, "ExternalProvisioning", text)

    async def _patch_claim(
        self, claim: PersistentVolumeClaim, body: dict[str, Any]
    ) -> PersistentVolumeClaim:
        changed: PersistentVolumeClaim = await patch(
            self._client, PERSISTENT_VOLUME_CLAIM, claim, body
        )
        return changed

    async def _set_status(self, claim: PersistentVolumeClaim, wanted: dict[str, Any]) -> None:
        if all(getattr(claim.status, name) == value for name, value in wanted.items()):
            return
        body = {"status": wanted}
        await patch(self._client, PERSISTENT_VOLUME_CLAIM, claim, body, subresource="status")

    def _say(self, claim: PersistentVolumeClaim, kind: str, reason: str, message: str) -> None:
        key = key_of(claim)
        if self._said.get(key) == (reason, message):
            return
        self._said[key] = (reason, message)
        about = reference(PERSISTENT_VOLUME_CLAIM, claim)
        self._recorder.record(about, kind, reason, message)

    def _concerned(self, volume: PersistentVolume) -> Iterable[str]:
        """Claims that a volume is for, names of which it is asked for, and who may get it."""
        ref = volume.spec.claimRef
        if ref is not None:
            yield f"{ref.namespace}/{ref.name}"
        else:
            waiting = self._claims.cache.by_index(_UNBOUND, binding.class_of(volume))
            yield from map(key_of, waiting)
        yield from map(key_of, self._claims.cache.by_index(_BY_VOLUME, volume.metadata.name))

    def _of_class(self, storage_class: StorageClass) -> Iterable[str]:
        for name in (storage_class.metadata.name, _NO_CLASS):
            yield from map(key_of, self._claims.cache.by_index(_UNBOUND, name))


async def patch(
    client: Client, kind: Kind[Any], obj: Any, body: dict[str, Any], *, subresource: str = ""
) -> Any:
    """Change an object if nobody else has since it was read; gives the new state.

    Raises:
        Conflict: somebody has.
    """
    meta = obj.metadata
    more = {"uid": meta.uid, "resourceVersion": meta.resourceVersion}
    whole = body | {"metadata": {**body.get("metadata", {}), **more}}
    return await client.patch(
        kind, meta.name, whole, namespace=meta.namespace, subresource=subresource
    )


def _bound() -> dict[str, Any]:
    return {"phase": binding.BOUND, "message": None, "reason": None}


def _unbound_class(claim: PersistentVolumeClaim) -> Iterable[str]:
    return [] if claim.spec.volumeName else [binding.class_of(claim)]


def _volume_of(claim: PersistentVolumeClaim) -> Iterable[str]:
    return [claim.spec.volumeName] if claim.spec.volumeName else []
