"""Can containers be counted and limited?"""

from appliance.host.checks.base import Finding, Level, ok, unknown
from appliance.host.checks.facts import Facts

NAME = "cgroups"
_WANTED = ("cpu", "memory", "pids")


def judge(facts: Facts) -> list[Finding]:
    """Judge version and controllers."""
    groups = facts.cgroups
    if groups is None:
        return unknown(NAME, "/sys/fs/cgroup can't be read", "mount it")
    found = [_lacks(name) for name in _WANTED if name not in groups.controllers]
    if groups.version == 1:
        found.append(
            Finding(
                check=NAME,
                level=Level.WARN,
                finding="cgroups are version 1",
                why="newer engines and crun no longer support it; Podman needs runc here",
                remedy="boot with systemd.unified_cgroup_hierarchy=1",
            )
        )
    return found or ok(NAME, "cgroups version 2 with cpu, memory and pids")


def _lacks(controller: str) -> Finding:
    return Finding(
        check=NAME,
        level=Level.FAIL,
        finding=f"the cgroup controller {controller} is off",
        why="containers' requests and limits could not be kept",
        remedy="on a Raspberry Pi append `cgroup_enable=memory cgroup_memory=1` to cmdline.txt and "
        "reboot"
        if controller == "memory"
        else f"boot a kernel with the {controller} controller, and don't disable it on its "
        "command line",
    )
