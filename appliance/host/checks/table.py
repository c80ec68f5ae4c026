"""All checks, in the order in which they are told."""

from collections.abc import Mapping

from appliance.host.checks import (
    cgroups,
    clock,
    disk,
    dns_loop,
    engine,
    firewalls,
    forward_policy,
    forwarding,
    iptables_legacy,
    kernel,
    memory,
    mtu,
    ports,
)
from appliance.host.checks.base import Finding, Judge
from appliance.host.checks.facts import Facts

CHECKS: Mapping[str, Judge] = {
    engine.NAME: engine.judge,
    kernel.NAME: kernel.judge,
    cgroups.NAME: cgroups.judge,
    memory.NAME: memory.judge,
    disk.NAME: disk.judge,
    clock.NAME: clock.judge,
    ports.NAME: ports.judge,
    dns_loop.NAME: dns_loop.judge,
    forwarding.NAME: forwarding.judge,
    forward_policy.NAME: forward_policy.judge,
    iptables_legacy.NAME: iptables_legacy.judge,
    firewalls.NAME: firewalls.judge,
    mtu.NAME: mtu.judge,
}


def judge(facts: Facts) -> list[Finding]:
    """Let every check say what it finds."""
    return [finding for check in CHECKS.values() for finding in check(facts)]
