"""Is there memory for us, an engine and some pods?"""

from appliance.host.checks.base import Finding, Level, ok, unknown
from appliance.host.checks.facts import Facts

NAME = "memory"
MIB = 1 << 20
SERVER_NEEDS = 400 * MIB
"""Server and agent 190 MiB when idle, an engine about 100, and a little for pods."""
AGENT_NEEDS = 250 * MIB


def judge(facts: Facts) -> list[Finding]:
    """Judge what is there and what is free."""
    total, free = facts.memory_total, facts.memory_available
    if total is None or free is None:
        return unknown(NAME, "/proc/meminfo can't be read", "mount /proc")
    needs = SERVER_NEEDS if facts.plan.is_server else AGENT_NEEDS
    if free >= needs:
        return ok(NAME, f"{free // MIB} MiB of {total // MIB} available")
    return [
        Finding(
            check=NAME,
            level=Level.FAIL if total < needs else Level.WARN,
            finding=f"{free // MIB} MiB of {total // MIB} available",
            why=f"about {needs // MIB} MiB are needed before the first pod",
            remedy="end what is not needed, add swap (zram), or make this host a worker",
        )
    ]
