"""How much of each thing the host has left, as the words of `--eviction-hard` name them.

Read at every tick of `watch`: a few lines of /proc and two statvfs calls, no folder is walked and
the engine is not asked. Where images lie on the node's own file system there is no `imagefs`:
they are the same disk, and one word for it is enough.

Source: Kubernetes documentation, "Node-pressure Eviction".
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from appliance.node.stats.cgroups import PROC

MEMORY = "memory.available"
NODE_DISK = "nodefs.available"
NODE_INODES = "nodefs.inodesFree"
IMAGE_DISK = "imagefs.available"
IMAGE_INODES = "imagefs.inodesFree"
PIDS = "pid.available"
SIGNALS = (MEMORY, NODE_DISK, NODE_INODES, IMAGE_DISK, IMAGE_INODES, PIDS)


@dataclass(frozen=True, slots=True)
class Level:
    """What is left of what there is."""

    available: int
    capacity: int


def read_levels(data_dir: Path, image_root: str) -> dict[str, Level]:
    """All signals that this host has."""
    found = _disk(data_dir, NODE_DISK, NODE_INODES)
    root = Path(image_root) if image_root else data_dir
    try:
        if root.stat().st_dev != data_dir.stat().st_dev:
            found |= _disk(root, IMAGE_DISK, IMAGE_INODES)
    except OSError:
        pass  # an engine on another host, or one that keeps its images out of sight
    memory = _memory()
    if memory is not None:
        found[MEMORY] = memory
    processes = _processes()
    if processes is not None:
        found[PIDS] = processes
    return found


def _disk(path: Path, room: str, inodes: str) -> dict[str, Level]:
    seen = os.statvfs(path)
    found = {room: Level(seen.f_bavail * seen.f_frsize, seen.f_blocks * seen.f_frsize)}
    if seen.f_files:  # btrfs and its like count none
        found[inodes] = Level(seen.f_favail, seen.f_files)
    return found


def _memory() -> Level | None:
    lines = _words("meminfo")
    table = {name: int(rest.split()[0]) * 1024 for name, rest in lines.items() if rest}
    if "MemAvailable" not in table:
        return None
    return Level(table["MemAvailable"], table["MemTotal"])


def _processes() -> Level | None:
    try:
        limits = [int((PROC / "sys/kernel" / n).read_text()) for n in ("pid_max", "threads-max")]
        running = (PROC / "loadavg").read_text().split()[3]
    except (OSError, ValueError, IndexError):
        return None
    most = min(limits)
    return Level(max(0, most - int(running.partition("/")[2])), most)


def _words(name: str) -> Mapping[str, str]:
    try:
        text = (PROC / name).read_text()
    except OSError:
        return {}
    return {line.partition(":")[0]: line.partition(":")[2] for line in text.splitlines()}
