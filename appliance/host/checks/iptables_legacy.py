"""Are rules kept in the old iptables as well?"""

from appliance.host.checks.base import Finding, Level, ok
from appliance.host.checks.facts import Facts

NAME = "iptables-legacy"


def judge(facts: Facts) -> list[Finding]:
    """Judge the tables that the old kernel interface has."""
    if not facts.legacy_tables:
        return ok(NAME, "the old iptables holds no tables")
    tables = ", ".join(facts.legacy_tables)
    return [
        Finding(
            check=NAME,
            level=Level.WARN,
            finding=f"the old iptables has loaded: {tables}",
            why="its rules work beside nftables', in an order that nobody sees in one place; "
            "translations in both are a classical reason for services that time out",
            remedy="see them with `iptables-legacy-save`; move to nftables with "
            "`update-alternatives --set iptables /usr/sbin/iptables-nft` and a reboot",
        )
    ]
