"""Is there room for data and images, on a file system that keeps its word?"""

from appliance.host.checks.base import Finding, Level, ok, unknown
from appliance.host.checks.facts import Disk, Facts

NAME = "disk"
GIB = 1 << 30
NEEDED_FREE = 1 * GIB
WANTED_FREE = 4 * GIB
_INODES_FREE = 50_000
_VANISHING = {"tmpfs", "ramfs", "rootfs"}
_REMOTE = {"nfs", "nfs4", "cifs", "smb3", "9p", "fuse.sshfs"}


def judge(facts: Facts) -> list[Finding]:
    """Judge the file system of the data directory."""
    disk, where = facts.disk, facts.plan.data_dir
    if disk is None:
        return unknown(NAME, f"the file system of {where} can't be looked at", "run it as root")
    found = [*_room(disk, where), *_kind(disk, where)]
    return found or ok(NAME, f"{disk.free / GIB:.1f} GiB free for {where} on {disk.kind}")


def _room(disk: Disk, where: str) -> list[Finding]:
    found = []
    if disk.free < WANTED_FREE:
        found.append(
            Finding(
                check=NAME,
                level=Level.FAIL if disk.free < NEEDED_FREE else Level.WARN,
                finding=f"{disk.free / GIB:.1f} GiB of {disk.size / GIB:.1f} free for {where}",
                why="a full disk stops writes to the store, and images no longer load",
                remedy="free some (`docker system prune`), or put --data-dir on a larger disk",
            )
        )
    if disk.inodes_free is not None and 0 < disk.inodes_free < _INODES_FREE:
        found.append(
            Finding(
                check=NAME,
                level=Level.WARN,
                finding=f"only {disk.inodes_free} more files fit on the file system of {where}",
                why="an image has tens of thousands of files",
                remedy="delete what is not needed, or make the file system with more inodes",
            )
        )
    return found


def _kind(disk: Disk, where: str) -> list[Finding]:
    if disk.read_only:
        why, remedy = "nothing can be kept", "mount it read-write, or take another --data-dir"
        return [_about(Level.FAIL, f"{where} is on a read-only file system", why, remedy)]
    if disk.kind in _VANISHING:
        why = "the cluster's state is lost at the next boot"
        remedy = "put --data-dir on a disk"
        return [_about(Level.WARN, f"{where} is in memory ({disk.kind})", why, remedy)]
    if disk.kind in _REMOTE:
        why = "SQLite's locks and syncs can't be relied on there"
        remedy = "put --data-dir on a disk of this host"
        return [_about(Level.FAIL, f"{where} is on {disk.kind}", why, remedy)]
    return []


def _about(level: Level, finding: str, why: str, remedy: str) -> Finding:
    return Finding(check=NAME, level=level, finding=finding, why=why, remedy=remedy)
