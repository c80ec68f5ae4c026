"""emptyDir and hostPath.

An emptyDir is a folder that anybody may write to, as containers run under any user; it lives as
long as the pod. With `medium: Memory` the mounter has put memory under it.
"""

import os
import stat
from pathlib import Path

from appliance.api.kinds.core.pod.volumes import HostPathVolumeSource
from appliance.node.volumes.base import VolumeFault

ANYBODY = 0o777

WORDS = {
    "Directory": "a directory",
    "File": "a file",
    "Socket": "a socket file",
    "CharDevice": "a character device",
    "BlockDevice": "a block device",
}
"""Kinds of `hostPath.type` in messages."""


def empty_dir(path: Path, group: int | None) -> None:
    """Make the folder once; what is in it stays."""
    path.mkdir(parents=True, exist_ok=True)
    mode = ANYBODY | (stat.S_ISGID if group is not None else 0)
    if group is not None and path.stat().st_gid != group:
        os.chown(path, -1, group)
    if stat.S_IMODE(path.stat().st_mode) != mode:
        path.chmod(mode)


def host_path(source: HostPathVolumeSource) -> Path:
    """Check (and for the *OrCreate types make) what the path should be.

    Raises:
        VolumeFault: it is not there, or something else.
    """
    path = Path(source.path)
    kind = source.type or ""
    if kind == "DirectoryOrCreate":
        path.mkdir(parents=True, exist_ok=True, mode=0o755)
    elif kind == "FileOrCreate" and not path.exists():
        path.touch(mode=0o644)
    fits = {
        "": lambda: True,
        "DirectoryOrCreate": path.is_dir,
        "Directory": path.is_dir,
        "FileOrCreate": path.is_file,
        "File": path.is_file,
        "Socket": path.is_socket,
        "CharDevice": path.is_char_device,
        "BlockDevice": path.is_block_device,
    }.get(kind)
    if fits is None or not fits():
        raise VolumeFault(f"hostPath type check failed: {path} is not {WORDS.get(kind, kind)}")
    if not path.exists():  # type "": engines make a folder of it, as kubelets do
        path.mkdir(parents=True, mode=0o755)
    return path


def sub_path(volume: Path, inside: str) -> None:
    """Make a folder within a volume where a `subPath` names nothing yet.

    Raises:
        VolumeFault: a link on the way leads out of the volume: containers write to volumes, and
            could otherwise have any file of the host mounted.
    """
    root = volume.resolve()
    path = (root / inside).resolve()
    if path != root and root not in path.parents:
        raise VolumeFault(f'subPath "{inside}" leads out of its volume')
    if not path.exists():
        path.mkdir(parents=True, mode=0o755)
        path.chmod(ANYBODY)
