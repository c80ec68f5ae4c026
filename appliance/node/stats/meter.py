"""Look at everything that is used on this node, when somebody asks.

Nothing is sampled in between: rates are the difference to the last look that was at least
`RATE_S` ago, and there is none at the first. Bounded by the number of containers.
"""

import asyncio
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from appliance.kit.clock import Clock
from appliance.node.runtimes import marks
from appliance.node.runtimes.base import Container, Runtime, State
from appliance.node.stats.cgroups import PROC, Usage, table, usage_of

RATE_S = 1.0
_TICKS = os.sysconf("SC_CLK_TCK")
NODE = ""
"""Key of the whole node among the rates."""


@dataclass(frozen=True, slots=True)
class Disk:
    """A file system."""

    capacity_bytes: int
    free_bytes: int
    inodes: int
    inodes_free: int


@dataclass(frozen=True, slots=True)
class Traffic:
    """A network interface since it was made."""

    received_bytes: int
    received_errors: int
    sent_bytes: int
    sent_errors: int


@dataclass(frozen=True, slots=True)
class Rate:
    """CPU time per time, in billionths of a core, over the last so many seconds."""

    cores_n: int
    window_s: float


@dataclass(frozen=True, slots=True)
class Metered:
    """A running container with what it uses."""

    container: Container
    usage: Usage
    rate: Rate | None = None


@dataclass(frozen=True, slots=True)
class NodeMetered:
    """The host."""

    usage: Usage
    rate: Rate | None
    available_bytes: int
    disk: Disk


class Meter:
    """Reads usage; remembers the last look for the rates."""

    def __init__(self, runtime: Runtime, clock: Clock, *, cluster_id: str, data_dir: Path) -> None:
        self._runtime = runtime
        self._clock = clock
        self._cluster_id = cluster_id
        self._data_dir = data_dir
        self._before: dict[str, tuple[float, int]] = {}
        self._rates: dict[str, Rate] = {}

    async def settled(self) -> None:
        """Return when a look gives rates: at once, unless this would be the first."""
        if not self._rates:
            await self.containers()
            self.node()
            await self._clock.sleep(RATE_S)

    async def containers(self) -> list[Metered]:
        """All running containers of this node's pods, sandboxes too."""
        seen = await self._runtime.list(marks.of_cluster(self._cluster_id))
        running = [c for c in seen if c.state is State.RUNNING and c.pid]
        used = await asyncio.to_thread(_usages, running)
        self._forget(frozenset(c.id for c in running))
        return [
            Metered(c, usage, self._rate(c.id, usage.cpu_ns))
            for c in running
            if (usage := used.get(c.id)) is not None
        ]

    def node(self) -> NodeMetered:
        """The whole host."""
        memory = {name: kib * 1024 for name, kib in table(_proc("meminfo")).items()}
        ticks = [int(word) for word in _proc("stat").partition("\n")[0].split()[1:]]
        total, available = memory.get("MemTotal", 0), memory.get("MemAvailable", 0)
        busy_ns = (sum(ticks[:3]) + sum(ticks[5:8])) * (1_000_000_000 // _TICKS)
        usage = Usage(
            cpu_ns=busy_ns,
            memory_bytes=total - memory.get("MemFree", 0),
            working_set_bytes=total - available,
            rss_bytes=memory.get("AnonPages", 0),
            memory_limit_bytes=total,
        )
        return NodeMetered(usage, self._rate(NODE, busy_ns), available, disk_of(self._data_dir))

    def _rate(self, key: str, cpu_ns: int | None) -> Rate | None:
        now = self._clock.monotonic()
        if cpu_ns is None:
            return None
        before = self._before.get(key)
        if before is None:
            self._before[key] = (now, cpu_ns)
        elif now - before[0] >= RATE_S:
            took = now - before[0]
            self._rates[key] = Rate(max(0, int((cpu_ns - before[1]) / took)), took)
            self._before[key] = (now, cpu_ns)
        return self._rates.get(key)

    def _forget(self, running: frozenset[str]) -> None:
        for gone in self._before.keys() - running - {NODE}:
            del self._before[gone]
            self._rates.pop(gone, None)


def traffic_of(pid: int) -> Traffic | None:
    """What went through `eth0` of a process's network namespace."""
    for line in _proc(f"{pid}/net/dev").splitlines():
        name, _, numbers = line.partition(":")
        if name.strip() == "eth0":
            words = [int(word) for word in numbers.split()]
            return Traffic(words[0], words[2], words[8], words[10])
    return None


def disk_of(path: Path) -> Disk:
    """The file system that a path is on."""
    found = os.statvfs(path)
    return Disk(
        capacity_bytes=found.f_blocks * found.f_frsize,
        free_bytes=found.f_bavail * found.f_frsize,
        inodes=found.f_files,
        inodes_free=found.f_favail,
    )


def _usages(containers: Sequence[Container]) -> dict[str, Usage]:
    return {c.id: usage for c in containers if (usage := usage_of(c.pid)) is not None}


def _proc(name: str) -> str:
    try:
        return (PROC / name).read_text()
    except OSError:
        return ""
