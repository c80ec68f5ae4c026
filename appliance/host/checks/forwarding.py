"""Does the kernel pass packets on between interfaces?"""

from appliance.host.checks.base import Finding, Level, ok, unknown
from appliance.host.checks.facts import Facts

NAME = "ip-forward"


def judge(facts: Facts) -> list[Finding]:
    """Judge net.ipv4.ip_forward."""
    if facts.ip_forward is None:
        return unknown(NAME, "net.ipv4.ip_forward can't be read", "mount /proc")
    if facts.ip_forward:
        return ok(NAME, "IP forwarding is on")
    return [
        Finding(
            check=NAME,
            level=Level.WARN,
            finding="IP forwarding is off",
            why="packets between pods and other hosts pass through this one; the agent turns it on "
            "when it starts, but a setting that is applied later turns it off again",
            remedy="write net.ipv4.ip_forward=1 to /etc/sysctl.d/90-appliance.conf, and run "
            "`sysctl --system`",
        )
    ]
