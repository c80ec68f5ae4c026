"""What a process has used, as the kernel counts it."""

import os
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")


def used(pid: int) -> tuple[float, int, int]:
    """Processor time in s, bytes written to disk, resident bytes."""
    stat = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    io = dict(line.split(": ") for line in Path(f"/proc/{pid}/io").read_text().splitlines())
    status = Path(f"/proc/{pid}/status").read_text()
    rss = next(line for line in status.splitlines() if line.startswith("VmRSS"))
    ticks = int(stat[11]) + int(stat[12])
    return ticks / _TICKS, int(io["write_bytes"]), int(rss.split()[1]) * 1024
