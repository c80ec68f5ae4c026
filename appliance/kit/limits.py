"""What this process may ask of the kernel: resource limits, and whether it may raise them.

Used where an engine's settings are written (`host/engines.py`) and where a container's are
(`node/runtimes`). Some VMs and all unprivileged containers withhold CAP_SYS_RESOURCE from root;
engines there refuse each container that asks for higher limits or a lower OOM score.

Source: getrlimit(2), capabilities(7).
"""

import resource
from pathlib import Path

_CAP_SYS_RESOURCE = 24
_MAX_OPEN_FILES = 1 << 20  # engines lower their own limit to this, and can't give more


def may_raise_limits() -> bool:
    """Whether CAP_SYS_RESOURCE is among our effective capabilities."""
    status = Path("/proc/self/status").read_text()
    effective = next(line.split()[1] for line in status.splitlines() if line.startswith("CapEff"))
    return bool(int(effective, 16) >> _CAP_SYS_RESOURCE & 1)


def grantable() -> dict[str, tuple[int, int]]:
    """Soft and hard `nofile` and `nproc` that a child may have without that capability.

    Podman lowers its own limits when it starts: processes to the kernel's highest process
    number, files to 2^20. A container can't be given more than its engine has.
    """
    processes = int(Path("/proc/sys/kernel/pid_max").read_text())
    return {
        "nofile": _within(resource.getrlimit(resource.RLIMIT_NOFILE), _MAX_OPEN_FILES),
        "nproc": _within(resource.getrlimit(resource.RLIMIT_NPROC), processes),
    }


def _within(limit: tuple[int, int], most: int) -> tuple[int, int]:
    soft, hard = (most if value == resource.RLIM_INFINITY else min(value, most) for value in limit)
    return soft, hard
