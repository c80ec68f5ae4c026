"""Mount persistent volumes of a pod: folders and disks of this host, folders made by our
provisioner, NFS.

Called by `mounter`. Once a volume is set up for a pod it is left alone until the pod goes: giving
its files to `fsGroup` walks all of them. A folder that our provisioner promised is made at its
first mount and noted in MADE; if it is missing later, its disk is not mounted, or somebody
removed it: then the pod waits, where an empty folder would pass for the data.
"""

import asyncio
import os
import stat
from dataclasses import dataclass
from pathlib import Path

import msgspec
import structlog

from appliance.api import localpath
from appliance.api.kinds.core.persistentvolume import SOURCES, PersistentVolume
from appliance.api.kinds.core.pod.kind import Pod
from appliance.api.kinds.core.pod.volumes import Volume
from appliance.kit import jsonio
from appliance.kit.atomicfile import write_atomic
from appliance.node.volumes.base import PodFolder, VolumeFault
from appliance.node.volumes.claims import check_place, is_read_only
from appliance.node.volumes.folders import ANYBODY, host_path
from appliance.node.volumes.mounts import mount_device, mount_nfs

log = structlog.get_logger(__name__)

MADE = "volumes-made.json"
_RW, _RO = 0o660, 0o440
_ENTER = 0o110


@dataclass(frozen=True, slots=True)
class Mounted:
    """Where a volume lies on this host, and whether no container may write it."""

    path: Path
    read_only: bool = False


class PersistentMounts:
    """Sets up what claims were given."""

    def __init__(self, data_dir: Path, storage_dir: Path | None, node_name: str) -> None:
        self._storage_dir = storage_dir
        self._node_name = node_name
        self._made = MadeFolders(data_dir / MADE)

    async def set_up(
        self, folder: PodFolder, pod: Pod, volume: Volume, behind: PersistentVolume
    ) -> Mounted:
        """Make a persistent volume ready for a pod.

        Raises:
            VolumeFault: it can't be.
        """
        check_place(behind, self._node_name)
        read_only = is_read_only(volume, behind)
        spec = behind.spec
        if spec.hostPath is not None:
            host_path(spec.hostPath)
            return Mounted(Path(spec.hostPath.path), read_only)
        if spec.nfs is not None:
            path = folder.volume("nfs", behind.metadata.name)
            options = [*spec.mountOptions, *(["ro"] if read_only else [])]
            await mount_nfs(path, spec.nfs.server, spec.nfs.path, options)
            return Mounted(path, read_only)
        if spec.local is not None:
            path = self._local(behind, Path(spec.local.path))
            if path.is_block_device():
                device, path = path, folder.volume("local-volume", behind.metadata.name)
                options = [*spec.mountOptions, *(["ro"] if read_only else [])]
                await mount_device(path, device, spec.local.fsType or "", options)
            await _give(path, pod, read_only=read_only)
            return Mounted(path, read_only)
        kind = _kind_of(behind)
        raise VolumeFault(f"no plugin on this node can mount volume {behind.metadata.name}: {kind}")

    def forget(self, path: Path) -> None:
        """The folder was removed as it should be."""
        self._made.forget(path.name)

    def _local(self, behind: PersistentVolume, path: Path) -> Path:
        if path == self.own_folder(behind):
            if not path.exists():
                if path.name in self._made:
                    text = f"the folder {path} is gone: is its disk mounted? (docs/storage.md)"
                    raise VolumeFault(text)
                path.mkdir(parents=True)
                path.chmod(ANYBODY)
            self._made.note(path.name)
        elif not path.exists():
            raise VolumeFault(f'path "{path}" does not exist')
        if not path.is_dir() and not path.is_block_device():
            raise VolumeFault(f'path "{path}" is neither a folder nor a block device')
        return path

    def own_folder(self, behind: PersistentVolume) -> Path | None:
        """The folder of a volume that our provisioner made for this node; None for all others."""
        text = localpath.path_of(behind)
        home = behind.metadata.labels.get(localpath.NODE)
        if not text or self._storage_dir is None or home != self._node_name:
            return None
        path = Path(text)
        is_ours = path.parent == self._storage_dir and localpath.is_folder(path.name)
        return path if is_ours and path.name.startswith(f"{behind.metadata.name}_") else None


class MadeFolders:
    """Names of folders that were made here once, on disk; one per volume of this node."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._names = _load(path)

    def __contains__(self, name: str) -> bool:
        """Whether it was made here."""
        return name in self._names

    def note(self, name: str) -> None:
        """It is made."""
        if name not in self._names:
            self._names.add(name)
            self._save()

    def forget(self, name: str) -> None:
        """It was removed, as was wanted."""
        if name in self._names:
            self._names.discard(name)
            self._save()

    def _save(self) -> None:
        try:
            write_atomic(self._path, jsonio.dumps(sorted(self._names)))
        except OSError as error:  # a full disk must not stop pods: the next change tries again
            log.warning("made folders not noted", path=str(self._path), error=str(error))


def _load(path: Path) -> set[str]:
    try:
        return set(msgspec.json.decode(path.read_bytes(), type=list[str]))
    except FileNotFoundError:
        return set()
    except (OSError, msgspec.MsgspecError) as error:
        log.warning("made folders not read", path=str(path), error=str(error))
        return set()


async def _give(path: Path, pod: Pod, *, read_only: bool) -> None:
    """Let the pod's fsGroup have the files."""
    context = pod.spec.securityContext
    if context is None or context.fsGroup is None:
        return
    group = context.fsGroup
    if context.fsGroupChangePolicy == "OnRootMismatch" and _fits(path, group, read_only=read_only):
        return
    await asyncio.to_thread(_give_tree, path, group, read_only=read_only)


def _fits(path: Path, group: int, *, read_only: bool) -> bool:
    seen = path.stat()
    wanted = (_RO if read_only else _RW) | _ENTER | stat.S_ISGID
    return seen.st_gid == group and seen.st_mode & wanted == wanted


def _give_tree(path: Path, group: int, *, read_only: bool) -> None:
    """Group, and modes that let the group in, for everything; links are not followed."""
    mask = _RO if read_only else _RW
    for root, folders, files in os.walk(path, topdown=False):
        _change(root, group, mask | _ENTER | stat.S_ISGID)
        for name in files:
            _change(os.path.join(root, name), group, mask)
        for name in folders:
            link = os.path.join(root, name)
            if os.path.islink(link):
                os.lchown(link, -1, group)


def _change(path: str, group: int, mask: int) -> None:
    seen = os.lstat(path)
    if seen.st_gid != group:
        os.lchown(path, -1, group)
    if not stat.S_ISLNK(seen.st_mode) and seen.st_mode & mask != mask:
        os.chmod(path, stat.S_IMODE(seen.st_mode) | mask)


def _kind_of(behind: PersistentVolume) -> str:
    found = [name for name in SOURCES if getattr(behind.spec, name) is not None]
    return f"kind {found[0]}" if found else "no source"
