"""Set up and tear down all volumes of a pod.

Called by `pods/execute.py`. Files are small and local, so they are written on the event loop;
removing a big emptyDir is not, and goes to a thread.
"""

import asyncio
import shutil
from pathlib import Path

import structlog

from appliance.api.kinds.core.pod.kind import Pod
from appliance.api.kinds.core.pod.volumes import Volume, VolumeSource
from appliance.api.quantity import value
from appliance.node.volumes.base import Materials, PodFolder, VolumeFault, folder_of
from appliance.node.volumes.claims import claim_name, volume_behind
from appliance.node.volumes.folders import empty_dir, host_path
from appliance.node.volumes.mounts import mount_nfs, mount_tmpfs, unmount_all
from appliance.node.volumes.persistent import Mounted, PersistentMounts
from appliance.node.volumes.projected import files_of, write_files

log = structlog.get_logger(__name__)


class Volumes:
    """The volumes of this node's pods, under one data directory."""

    def __init__(
        self, data_dir: Path, *, storage_dir: Path | None = None, node_name: str = ""
    ) -> None:
        self._data_dir = data_dir
        self._persistent = PersistentMounts(data_dir, storage_dir, node_name)
        self._mounted: dict[str, dict[str, Mounted]] = {}
        """By uid of the pod, then by name of the volume: claims and NFS, set up once."""

    def folder(self, pod: Pod) -> PodFolder:
        """The pod's folder."""
        return folder_of(self._data_dir, pod)

    async def set_up(self, pod: Pod, materials: Materials) -> None:
        """Make and fill every volume; harmless when they are there.

        Raises:
            VolumeFault: one can't be set up.
        """
        folder = self.folder(pod)
        context = pod.spec.securityContext
        group = context.fsGroup if context is not None else None
        for volume in pod.spec.volumes:
            try:
                await self._set_up_one(folder, pod, volume, materials=materials, group=group)
            except VolumeFault as fault:
                text = f'MountVolume.SetUp failed for volume "{volume.name}" : {fault}'
                raise VolumeFault(text) from fault
            except OSError as error:
                text = f'MountVolume.SetUp failed for volume "{volume.name}" : {error}'
                raise VolumeFault(text) from error

    def paths(self, pod: Pod) -> dict[str, str]:
        """Host path of each volume by name."""
        folder = self.folder(pod)
        mounted = self._mounted.get(pod.metadata.uid, {})
        found = {name: str(one.path) for name, one in mounted.items()}
        for volume in pod.spec.volumes:
            if not _is_persistent(volume):
                found[volume.name] = str(_path(folder, volume))
        return found

    def read_only(self, pod: Pod) -> frozenset[str]:
        """Names of volumes that no container of the pod may write."""
        mounted = self._mounted.get(pod.metadata.uid, {})
        return frozenset(name for name, one in mounted.items() if one.read_only)

    def mounted(self, pod: Pod, name: str) -> Path | None:
        """Where a persistent volume of the pod lies, once it is set up."""
        found = self._mounted.get(pod.metadata.uid, {}).get(name)
        return None if found is None else found.path

    def wants_claims(self, pod: Pod) -> bool:
        """Whether a claim of the pod has not been looked at yet."""
        mounted = self._mounted.get(pod.metadata.uid, {})
        return any(v.name not in mounted and claim_name(pod, v) for v in pod.spec.volumes)

    @property
    def persistent(self) -> PersistentMounts:
        """What knows the folders of persistent volumes."""
        return self._persistent

    async def tear_down(self, pod: Pod) -> None:
        """Remove the pod's folder with all that is in it.

        Raises:
            VolumeFault: something is mounted there and stays so; then nothing is removed.
        """
        await _remove(self.folder(pod).root)
        self._mounted.pop(pod.metadata.uid, None)

    async def keep_only(self, uids: frozenset[str]) -> None:
        """Remove the folders of pods that are no more."""
        for path in _folders(self._data_dir / "pods"):
            if path.name in uids:
                continue
            try:
                await _remove(path)
            except VolumeFault as fault:
                log.warning("folder of an old pod stays", path=str(path), error=str(fault))

    async def _set_up_one(
        self,
        folder: PodFolder,
        pod: Pod,
        volume: Volume,
        *,
        materials: Materials,
        group: int | None,
    ) -> None:
        if _is_persistent(volume):
            await self._mount(folder, pod, volume, materials)
            return
        path = _path(folder, volume)
        if volume.hostPath is not None:
            host_path(volume.hostPath)
        elif _plugin(volume) == "empty-dir":
            if volume.emptyDir is not None and volume.emptyDir.medium == "Memory":
                limit = volume.emptyDir.sizeLimit
                await mount_tmpfs(path, None if limit is None else value(limit))
            empty_dir(path, group)
        else:
            write_files(path, files_of(pod, volume, materials), group)

    async def _mount(
        self, folder: PodFolder, pod: Pod, volume: Volume, materials: Materials
    ) -> None:
        """A claim's volume or a server's folder: set up once, it stays until the pod goes."""
        mounted = self._mounted.setdefault(pod.metadata.uid, {})
        if volume.name in mounted:
            return
        if volume.nfs is not None:
            nfs, path = volume.nfs, folder.volume("nfs", volume.name)
            await mount_nfs(path, nfs.server, nfs.path, ["ro"] if nfs.readOnly else [])
            mounted[volume.name] = Mounted(path, nfs.readOnly)
        else:
            behind = volume_behind(pod, volume, materials.claims)
            mounted[volume.name] = await self._persistent.set_up(folder, pod, volume, behind)


def _is_persistent(volume: Volume) -> bool:
    return bool(volume.persistentVolumeClaim or volume.ephemeral or volume.nfs)


async def _remove(root: Path) -> None:
    await unmount_all(root)
    await asyncio.to_thread(shutil.rmtree, root, ignore_errors=True)


def _folders(root: Path) -> list[Path]:
    return [path for path in root.glob("*") if path.is_dir()]


def _path(folder: PodFolder, volume: Volume) -> Path:
    if volume.hostPath is not None:
        return Path(volume.hostPath.path)
    return folder.volume(_plugin(volume), volume.name)


def _plugin(volume: Volume) -> str:
    """Folder name of the volume's kind.

    Raises:
        VolumeFault: a kind that this node does not know.
    """
    if volume.configMap is not None:
        return "configmap"
    if volume.secret is not None:
        return "secret"
    if volume.projected is not None:
        return "projected"
    if volume.downwardAPI is not None:
        return "downward-api"
    others = [
        source
        for source in VolumeSource.__struct_fields__
        if source != "emptyDir" and getattr(volume, source) is not None
    ]
    if others:
        raise VolumeFault(
            f'no plugin on this node can set up volume "{volume.name}" of kind {others[0]}'
        )
    return "empty-dir"
