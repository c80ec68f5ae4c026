"""Process 1 of a node in a container: prepares what a host would have, then runs appliance.

    python3 -m appliance.testing.inside server --tls-san 10.0.0.5
    python3 -m appliance.testing.inside follow       (the rest comes in a file, see ORDERS)

In this order: /proc/sys and the cgroups become writable, the container engine starts, appliance
runs; afterwards children of children that ended are reaped, SIGTERM is handed on, and appliance's
exit code is this container's. Pods are children of this container: when it is killed they are
gone, too, as with a host that loses power.
"""

import asyncio
import json
import os
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from appliance.host.engines import SOCKETS, EngineError, Engines
from appliance.kit import subproc
from appliance.kit.clock import SystemClock

RUN = Path("/run/appliance")
ORDERS = Path("/opt/appliance/orders.json")
IMAGES = Path("/opt/appliance/images")
_DATA = Path("/var/lib/appliance")
_CGROUPS = Path("/sys/fs/cgroup")
_MOUNT_S = 10.0
_LOOK_S = 0.05  # files that the outer engine copies in give no event


async def prepare() -> None:
    """Make this container fit to hold others.

    Raises:
        EngineError: the engine does not start.
        ProgramError: a mount is refused: the container lacks CAP_SYS_ADMIN.
    """
    mounts = mountinfo()
    for point in masks(mounts):
        await _run("umount", point)
    await _run("mount", "-o", "remount,rw", "/sys")
    for point in read_only_cgroups(mounts):
        await _run("mount", "-o", "remount,bind,rw", point)
    if (_CGROUPS / "cgroup.controllers").exists():
        share_cgroups(_CGROUPS)
    folders()
    await Engines(run_dir=RUN, clock=SystemClock(), sockets=SOCKETS).ensure("auto")


def mountinfo() -> str:
    """This container's mounts: proc_pid_mountinfo(5)."""
    return Path("/proc/self/mountinfo").read_text()


def folders() -> None:
    """Where the engine's log goes, and where the agent looks for images."""
    RUN.mkdir(parents=True, exist_ok=True)
    (_DATA / "agent").mkdir(parents=True, exist_ok=True)
    link = _DATA / "agent/images"
    if IMAGES.is_dir() and not link.exists():
        link.symlink_to(IMAGES)


def masks(mounts: str) -> list[str]:
    """What the outer engine laid over parts of /proc and /sys: read-only or empty."""
    points = [line.split(" ")[4] for line in mounts.splitlines()]
    return [
        point
        for point in reversed(points)
        if point.startswith(("/proc/", "/sys/")) and not point.startswith(str(_CGROUPS))
    ]


def read_only_cgroups(mounts: str) -> list[str]:
    """Mounted cgroup hierarchies that may not be written yet."""
    found = []
    for line in mounts.splitlines():
        fields = line.split(" ")
        kind = fields[fields.index("-") + 1]
        if kind in {"cgroup", "cgroup2"} and "ro" in fields[5].split(","):
            found.append(fields[4])
    return found


def share_cgroups(root: Path) -> None:
    """Let groups under ours have controllers: in version 2 that needs a group without processes."""
    leaf = root / "node"
    leaf.mkdir(exist_ok=True)
    for process in (root / "cgroup.procs").read_text().split():
        (leaf / "cgroup.procs").write_text(process)
    wanted = (root / "cgroup.controllers").read_text().split()
    (root / "cgroup.subtree_control").write_text(" ".join(f"+{name}" for name in wanted))


def run(argv: Sequence[str]) -> int:
    """Run appliance until it ends, and care for orphans meanwhile; gives its exit code."""
    main = os.posix_spawn(sys.executable, [sys.executable, "-m", "appliance", *argv], os.environ)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda given, _frame: os.kill(main, given))
    while True:
        ended, status = os.waitpid(-1, 0)
        if ended == main:
            return os.waitstatus_to_exitcode(status)


def orders() -> list[str]:
    """Wait for the file with appliance's arguments: a worker starts before there is a token."""
    while not ORDERS.exists():
        time.sleep(_LOOK_S)
    found: list[str] = json.loads(ORDERS.read_bytes())
    return found


async def _run(*argv: str) -> None:
    (await subproc.run(argv, timeout_s=_MOUNT_S)).check()


def main() -> None:
    """Prepare, run, and say what went wrong."""
    try:
        asyncio.run(prepare())
    except (EngineError, subproc.ProgramError, TimeoutError, OSError) as fault:
        sys.exit(f"appliance node: {fault}")
    argv = sys.argv[1:]
    code = run(orders() if argv == ["follow"] else argv)
    sys.exit(code if code >= 0 else 128 - code)


if __name__ == "__main__":
    main()
