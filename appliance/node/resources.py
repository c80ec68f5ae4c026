"""What this host has: processors, memory, disk, names; read once, when the agent starts.

Called by `agent`. Everything comes from /proc, /etc and statvfs; a file that is not there gives
an empty text.
"""

import os
import platform
from dataclasses import dataclass
from pathlib import Path

_MACHINES = {"x86_64": "amd64", "aarch64": "arm64", "armv7l": "arm", "armv6l": "arm"}


@dataclass(frozen=True, slots=True, kw_only=True)
class HostFacts:
    """The host as the Node object shows it."""

    cpus: int
    memory_bytes: int
    disk_bytes: int
    machine_id: str = ""
    system_uuid: str = ""
    boot_id: str = ""
    kernel: str = ""
    os_image: str = ""
    architecture: str = "amd64"


def host_facts(data_dir: Path) -> HostFacts:
    """Look around."""
    disk = os.statvfs(data_dir)
    return HostFacts(
        cpus=os.cpu_count() or 1,
        memory_bytes=memory_total(_text("/proc/meminfo")),
        disk_bytes=disk.f_blocks * disk.f_frsize,
        machine_id=_text("/etc/machine-id"),
        system_uuid=_text("/sys/class/dmi/id/product_uuid") or _text("/etc/machine-id"),
        boot_id=_text("/proc/sys/kernel/random/boot_id"),
        kernel=platform.release(),
        os_image=pretty_name(_text("/etc/os-release")),
        architecture=_MACHINES.get(platform.machine(), platform.machine()),
    )


def memory_total(meminfo: str) -> int:
    """Bytes of memory out of /proc/meminfo."""
    for line in meminfo.splitlines():
        if line.startswith("MemTotal:"):
            return int(line.split()[1]) * 1024
    return 0


def pretty_name(os_release: str) -> str:
    """The system's name for people out of /etc/os-release."""
    for line in os_release.splitlines():
        if line.startswith("PRETTY_NAME="):
            return line.partition("=")[2].strip('"')
    return "Linux"


def _text(path: str) -> str:
    try:
        return Path(path).read_text().strip()
    except OSError:
        return ""
