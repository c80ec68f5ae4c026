"""Removes folders of volumes whose data shall go: the node's half of the local-path provisioner.

A controller over the volumes that carry this node's label. A folder is removed only when the API
says, asked at that moment, that this very volume is being deleted, was released by its claim, and
has the policy Delete (`api/localpath.may_be_emptied`), and when no pod here uses it. That a
volume is missing from a list, or the API is away, or was set back to an old copy, removes
nothing: such folders stay until a person removes them (docs/adr: folders go on word).
"""

import asyncio
import shutil
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import structlog

from appliance.api import localpath
from appliance.api.errors import NotFound
from appliance.api.kinds.core.persistentvolume import PERSISTENT_VOLUME, PersistentVolume
from appliance.api.kinds.core.pod.kind import Pod
from appliance.client.base import Client, Where
from appliance.client.cache import key_of
from appliance.client.controller import DONE, Result, Watch
from appliance.client.events import WARNING, Recorder, reference
from appliance.client.informer import Informers
from appliance.node.volumes.base import VolumeFault
from appliance.node.volumes.claims import claim_name
from appliance.node.volumes.mounts import unmount_all
from appliance.node.volumes.persistent import PersistentMounts

log = structlog.get_logger(__name__)

IN_USE_S = 2.0
"""Between two looks while a pod that was deleted by force still runs here."""


class FolderRemover:
    """The key is the volume."""

    name = "local-path-folders"

    def __init__(
        self,
        client: Client,
        informers: Informers,
        *,
        mounts: PersistentMounts,
        node_name: str,
        pods: Callable[[], Iterable[Pod]],
        recorder: Recorder,
    ) -> None:
        self._client = client
        self._mounts = mounts
        self._pods = pods
        self._recorder = recorder
        where = Where(labels=f"{localpath.NODE}={node_name}")
        self._volumes = informers.of(PERSISTENT_VOLUME, where)

    def watches(self) -> Sequence[Watch]:
        """Volumes of this node that are being deleted."""
        return [Watch(self._volumes, lambda volume: [key_of(volume)], only=_is_going)]

    async def reconcile(self, key: str) -> Result:
        """Remove a folder, then let its volume go."""
        heard = self._volumes.cache.get(key)
        if heard is None or not localpath.may_be_emptied(heard):
            return DONE
        try:
            volume = await self._client.get(PERSISTENT_VOLUME, heard.metadata.name)
        except NotFound:
            return DONE
        if volume.metadata.uid != heard.metadata.uid or not localpath.may_be_emptied(volume):
            return DONE
        path = self._mounts.own_folder(volume)
        if path is None:
            text = f"{localpath.path_of(volume)} is no folder of this node's storage: it stays"
            self._warn(volume, text)
            return DONE
        if self._is_used(volume):
            return Result(again_in_s=IN_USE_S)
        try:
            await _remove(path)
        except (OSError, VolumeFault) as error:
            self._warn(volume, str(error))
            raise
        self._mounts.forget(path)
        log.info("volume removed", volume=volume.metadata.name, path=str(path))
        await self._let_go(volume)
        return DONE

    async def _let_go(self, volume: PersistentVolume) -> None:
        meta = volume.metadata
        left = [name for name in meta.finalizers if name != localpath.FINALIZER]
        body = {
            "metadata": {
                "finalizers": left,
                "uid": meta.uid,
                "resourceVersion": meta.resourceVersion,
            }
        }
        try:
            await self._client.patch(PERSISTENT_VOLUME, meta.name, body)
        except NotFound:
            return  # somebody took the finalizers by force meanwhile

    def _is_used(self, volume: PersistentVolume) -> bool:
        """Whether a pod that uses its claim is still here: the API may have forgotten it."""
        ref = volume.spec.claimRef
        return ref is not None and any(
            pod.metadata.namespace == ref.namespace and claim_name(pod, one) == ref.name
            for pod in self._pods()
            for one in pod.spec.volumes
        )

    def _warn(self, volume: PersistentVolume, message: str) -> None:
        log.warning("volume not removed", volume=volume.metadata.name, error=message)
        about = reference(PERSISTENT_VOLUME, volume)
        self._recorder.record(about, WARNING, "VolumeFailedDelete", message)


async def _remove(path: Path) -> None:
    """What others mounted beneath is unmounted, not emptied; a second try finds less to do."""
    await unmount_all(path)
    try:
        await asyncio.to_thread(shutil.rmtree, path)
    except FileNotFoundError:
        return


def _is_going(_old: object, volume: PersistentVolume | None) -> bool:
    return volume is not None and localpath.may_be_emptied(volume)
