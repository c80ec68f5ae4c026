"""Is it the time that this host thinks it is? Small boards have no clock of their own."""

from appliance.host.checks.base import Finding, Level, ok, unknown
from appliance.host.checks.facts import Facts

NAME = "clock"
EARLIEST_S = 1_735_689_600.0
"""2025-01-01: a clock before it was never set."""
TOLERATED_S = 30.0
"""Leases are 40 s long; certificates begin some minutes before they are made."""


def judge(facts: Facts) -> list[Finding]:
    """Judge our clock alone, and against a server's."""
    if facts.wall_s < EARLIEST_S:
        return [_wrong(f"the clock says a time before 2025 ({facts.wall_s:.0f} s since 1970)")]
    if facts.clock_fault:
        remedy = "check the URL, and that its port is open from here"
        return unknown(NAME, f"{facts.clock_source}: {facts.clock_fault}", remedy)
    if facts.clock_ahead_s is None:
        return ok(NAME, "the clock is set; name a server by --server to compare with it")
    ahead = facts.clock_ahead_s
    if abs(ahead) > TOLERATED_S:
        side = "ahead of" if ahead > 0 else "behind"
        return [_wrong(f"our clock is {abs(ahead):.0f} s {side} that of {facts.clock_source}")]
    return ok(NAME, f"our clock is within {TOLERATED_S:.0f} s of {facts.clock_source}'s")


def _wrong(finding: str) -> Finding:
    return Finding(
        check=NAME,
        level=Level.FAIL,
        finding=finding,
        why="certificates are 'not yet valid' or 'expired' by it, tokens and Leases end too early",
        remedy="keep time by NTP (`timedatectl set-ntp true`, or install chrony); a board without "
        "a clock needs it at each boot",
    )
