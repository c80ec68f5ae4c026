"""The facts of this host: reads /proc, /sys and a few sockets; judges nothing.

Called by `assembly.check`. Each fact is learned by itself, and is None where it can't be, so that
one missing file never keeps the rest from being told.
"""

import os
from pathlib import Path

from appliance.host.checks.asking import clock_of, engines
from appliance.host.checks.facts import Cgroups, Disk, Facts, Link, Plan
from appliance.host.checks.listening import listeners
from appliance.host.checks.rules import drops, legacy_tables
from appliance.kit.clock import Clock
from appliance.kit.nftables import nft_usable

_FEATURES = (
    "VETH", "BRIDGE", "NF_CONNTRACK", "NF_TABLES", "NFT_NAT", "NFT_MASQ", "OVERLAY_FS",
    "NAMESPACES", "CGROUPS", "VXLAN", "MEMCG", "CFS_BANDWIDTH",
)  # fmt: skip


async def gather(plan: Plan, clock: Clock, *, server: str = "") -> Facts:
    """Look at everything; `server` is a URL whose clock is compared with ours."""
    nftables_fault = nft_usable()
    forward_drops, docker_chains = await drops(usable=not nftables_fault)
    ahead_s, clock_fault = await clock_of(server, clock) if server else (None, "")
    memory = _memory(read("/proc/meminfo"))
    release = os.uname().release
    return Facts(
        plan=plan,
        ip_forward=_flag(read("/proc/sys/net/ipv4/ip_forward")),
        forward_drops=forward_drops,
        docker_chains=docker_chains,
        legacy_tables=legacy_tables(read("/proc/net/ip_tables_names")),
        firewalls=_firewalls(),
        nftables_fault=nftables_fault,
        kernel_release=release,
        features=features(read_config(release)),
        listeners=listeners(Path("/proc")),
        links=_links(),
        nameservers=nameservers(read("/etc/resolv.conf")),
        upstream_nameservers=nameservers(read("/run/systemd/resolve/resolv.conf")) or (),
        wall_s=clock.wall(),
        clock_ahead_s=ahead_s,
        clock_source=server,
        clock_fault=clock_fault,
        cgroups=_cgroups(),
        engines=await engines(),
        disk=_disk(Path(plan.data_dir)),
        memory_total=memory.get("MemTotal"),
        memory_available=memory.get("MemAvailable"),
    )


def read(path: str) -> str | None:
    """The text of a small file, None if it can't be had."""
    try:
        return Path(path).read_text(errors="replace")
    except OSError:
        return None


def nameservers(text: str | None) -> tuple[str, ...] | None:
    """The servers of a resolv.conf."""
    if text is None:
        return None
    words = (line.split() for line in text.splitlines())
    return tuple(w[1] for w in words if len(w) > 1 and w[0] == "nameserver")


def features(config: str | None) -> dict[str, bool | None]:
    """Which kernel options are set, by the text of its configuration."""
    if config is None:
        return dict.fromkeys(_FEATURES)
    there = {
        line.partition("=")[0].removeprefix("CONFIG_")
        for line in config.splitlines()
        if line.endswith(("=y", "=m"))
    }
    return {name: name in there for name in _FEATURES}


def read_config(release: str) -> str | None:
    """The kernel's configuration, from where kernels and distributions keep it."""
    import gzip  # noqa: PLC0415 - only here, and not at every start of the command

    try:
        return gzip.decompress(Path("/proc/config.gz").read_bytes()).decode(errors="replace")
    except (OSError, EOFError):
        return read(f"/boot/config-{release}")


def _flag(text: str | None) -> bool | None:
    return None if text is None else text.strip() == "1"


def _memory(text: str | None) -> dict[str, int]:
    found = {}
    for line in (text or "").splitlines():
        name, _, rest = line.partition(":")
        number = rest.split()
        if number and number[0].isdecimal():
            found[name] = int(number[0]) * 1024
    return found


def _firewalls() -> tuple[str, ...]:
    found = []
    if Path("/run/firewalld").exists() or Path("/run/firewalld.pid").exists():
        found.append("firewalld")
    settings = (read("/etc/ufw/ufw.conf") or "").lower().splitlines()
    if "enabled=yes" in (line.strip() for line in settings):
        found.append("ufw")
    return tuple(found)


def _links() -> tuple[Link, ...]:
    lines = (read("/proc/net/route") or "").splitlines()[1:]
    default = {line.split()[0] for line in lines if line.split()[1:2] == ["00000000"]}
    found = []
    for path in sorted(Path("/sys/class/net").glob("*/mtu")):
        text = read(str(path))
        if text and path.parent.name != "lo":
            name = path.parent.name
            found.append(Link(name=name, mtu=int(text), default_route=name in default))
    return tuple(found)


def _cgroups() -> Cgroups | None:
    unified = read("/sys/fs/cgroup/cgroup.controllers")
    if unified is not None:
        return Cgroups(version=2, controllers=frozenset(unified.split()))
    table = read("/proc/cgroups")
    if table is None:
        return None
    rows = (line.split() for line in table.splitlines() if not line.startswith("#"))
    return Cgroups(version=1, controllers=frozenset(r[0] for r in rows if r[3:4] == ["1"]))


def _disk(folder: Path) -> Disk | None:
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    try:
        room = os.statvfs(folder)
    except OSError:
        return None
    return Disk(
        kind=mount_kind(read("/proc/self/mounts") or "", str(folder.resolve())),
        size=room.f_blocks * room.f_frsize,
        free=room.f_bavail * room.f_frsize,
        inodes_free=room.f_favail if room.f_files else None,
        read_only=bool(room.f_flag & os.ST_RDONLY),
    )


def mount_kind(mounts: str, folder: str) -> str:
    """Type of the file system that a folder is on."""
    best, kind = "", "unknown"
    for line in mounts.splitlines():
        _, point, found, *_ = line.split()
        inside = folder == point or folder.startswith(point.rstrip("/") + "/")
        if inside and len(point) >= len(best):
            best, kind = point, found
    return kind
