"""Mounts on the host that belong to volumes: memory for `emptyDir`, NFS, local disks.

Called by `mounter`. Before a pod's folder is removed, everything mounted beneath it is unmounted:
removing files through a mount would delete what lies behind it, be it a tmpfs of ours or a disk
that a privileged container mounted there.
"""

import shutil
from collections.abc import Sequence
from pathlib import Path

from appliance.kit.subproc import ProgramError, run
from appliance.node.volumes.base import VolumeFault

MOUNTINFO = Path("/proc/self/mountinfo")
MOUNT_S = 10.0
MOUNT = "mount"
NFS_PROGRAM = "mount.nfs"
NFS_S = 60.0
"""A server that is away answers late or not at all; the pod's worker tries again."""


def mounts_under(root: Path, mountinfo: str) -> list[Path]:
    """Mount points beneath a folder, the deepest first, out of /proc/self/mountinfo."""
    inside = f"{root}/"
    points = [_unescaped(line.split(" ")[4]) for line in mountinfo.splitlines() if line]
    found = [Path(point) for point in points if point.startswith(inside)]
    return sorted(found, key=lambda point: len(point.parts), reverse=True)


async def unmount_all(root: Path) -> None:
    """Unmount everything beneath a folder.

    Raises:
        VolumeFault: something can't be unmounted; nothing beneath the folder may be removed.
    """
    for point in mounts_under(root, _mountinfo()):
        await _run(["umount", "--lazy", str(point)])


async def mount_tmpfs(path: Path, size_bytes: int | None) -> None:
    """Mount memory on a folder, unless it is there.

    Raises:
        VolumeFault: the kernel refuses.
    """
    if _is_there(path):
        return
    options = "mode=0777" if size_bytes is None else f"mode=0777,size={size_bytes}"
    await _run([MOUNT, "-t", "tmpfs", "-o", options, "tmpfs", str(path)])


async def mount_nfs(path: Path, server: str, folder: str, options: Sequence[str]) -> None:
    """Mount a server's folder, unless it is there.

    Raises:
        VolumeFault: this host has no NFS, or the server refuses or does not answer.
    """
    # Asked of the kernel's list: a look at the folder itself would wait for a server that is away.
    if path in mounts_under(path.parent, _mountinfo()):
        return
    _make(path)
    if shutil.which(NFS_PROGRAM) is None:
        raise VolumeFault(
            f"this host can't mount NFS: {NFS_PROGRAM} is missing (install nfs-common or nfs-utils)"
        )
    host = f"[{server}]" if ":" in server else server
    wanted = ["-o", ",".join(options)] if options else []
    await _run([MOUNT, "-t", "nfs", *wanted, f"{host}:{folder}", str(path)], NFS_S)


async def mount_device(path: Path, device: Path, kind: str, options: Sequence[str]) -> None:
    """Mount the file system of a disk, unless it is there; a blank disk is not given one.

    Raises:
        VolumeFault: the kernel refuses.
    """
    if path in mounts_under(path.parent, _mountinfo()):
        return
    _make(path)
    wanted = [*(["-t", kind] if kind else []), *(["-o", ",".join(options)] if options else [])]
    await _run([MOUNT, *wanted, str(device), str(path)])


def _make(path: Path) -> None:
    path.mkdir(parents=True, exist_ok=True)


def _is_there(path: Path) -> bool:
    _make(path)
    return path.is_mount()


def _mountinfo() -> str:
    return MOUNTINFO.read_text()


async def _run(argv: list[str], timeout_s: float = MOUNT_S) -> None:
    try:
        (await run(argv, timeout_s=timeout_s)).check()
    except (ProgramError, TimeoutError, FileNotFoundError) as error:
        raise VolumeFault(f"{' '.join(argv)}: {error}") from error


def _unescaped(point: str) -> str:
    """mountinfo writes blanks and the like as octal: `\\040`."""
    for code, character in (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")):
        point = point.replace(code, character)
    return point
