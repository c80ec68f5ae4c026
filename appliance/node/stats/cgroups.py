"""What a container uses, from its cgroup: version 1, version 2, or both side by side.

Called by `meter`. A process names its cgroups in /proc/<pid>/cgroup; a controller that has none
of its own there (the root is everybody's) gives no number rather than a wrong one.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")
CGROUPS = Path("/sys/fs/cgroup")
_UNLIMITED = 1 << 62


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """Numbers of one cgroup; None where the kernel keeps none."""

    cpu_ns: int | None = None
    memory_bytes: int | None = None
    working_set_bytes: int | None = None
    """Memory that can't be taken back at once: what limits are held against."""
    rss_bytes: int | None = None
    page_faults: int | None = None
    major_page_faults: int | None = None
    memory_limit_bytes: int | None = None
    processes: int | None = None


def places(text: str) -> dict[str, str]:
    """/proc/<pid>/cgroup → path by controller; "" is version 2's."""
    found = {}
    for line in text.splitlines():
        _, controllers, path = line.split(":", 2)
        for name in controllers.split(","):
            found[name.removeprefix("name=")] = path
    return {name: path for name, path in found.items() if path != "/"}


def usage_of(pid: int, proc: Path = PROC, cgroups: Path = CGROUPS) -> Usage | None:
    """What the cgroup of a process uses; None if the process is gone or has no cgroup."""
    try:
        paths = places((proc / str(pid) / "cgroup").read_text())
    except OSError:
        return None
    if "memory" in paths or "cpuacct" in paths:
        return _version_1(paths, cgroups)
    if "" in paths:
        return _version_2(cgroups / paths[""].lstrip("/"))
    return None


def _version_1(paths: Mapping[str, str], cgroups: Path) -> Usage:
    def folder(name: str) -> Path | None:
        return cgroups / name / paths[name].lstrip("/") if name in paths else None

    cpu, memory, pids = folder("cpuacct"), folder("memory"), folder("pids")
    stat = table(_text(memory, "memory.stat"))
    used = number(_text(memory, "memory.usage_in_bytes"))
    limit = number(_text(memory, "memory.limit_in_bytes"))
    return Usage(
        cpu_ns=number(_text(cpu, "cpuacct.usage")),
        memory_bytes=used,
        working_set_bytes=_less(used, stat.get("total_inactive_file")),
        rss_bytes=stat.get("total_rss"),
        page_faults=stat.get("total_pgfault"),
        major_page_faults=stat.get("total_pgmajfault"),
        memory_limit_bytes=limit if limit is not None and limit < _UNLIMITED else None,
        processes=number(_text(pids, "pids.current")),
    )


def _version_2(folder: Path) -> Usage:
    stat = table(_text(folder, "memory.stat"))
    cpu_us = table(_text(folder, "cpu.stat")).get("usage_usec")
    used = number(_text(folder, "memory.current"))
    return Usage(
        cpu_ns=None if cpu_us is None else cpu_us * 1000,
        memory_bytes=used,
        working_set_bytes=_less(used, stat.get("inactive_file")),
        rss_bytes=stat.get("anon"),
        page_faults=stat.get("pgfault"),
        major_page_faults=stat.get("pgmajfault"),
        memory_limit_bytes=number(_text(folder, "memory.max")),
        processes=number(_text(folder, "pids.current")),
    )


def table(text: str) -> dict[str, int]:
    """Lines of a name and a number."""
    pairs = (line.split() for line in text.splitlines())
    return {p[0].rstrip(":"): int(p[1]) for p in pairs if len(p) >= 2 and p[1].isdecimal()}


def number(text: str) -> int | None:
    """A file that is one number; "max" is none."""
    return int(text) if text.strip().isdecimal() else None


def _less(used: int | None, inactive: int | None) -> int | None:
    return None if used is None else max(0, used - (inactive or 0))


def _text(folder: Path | None, name: str) -> str:
    try:
        return (folder / name).read_text() if folder is not None else ""
    except OSError:
        return ""
