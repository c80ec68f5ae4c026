"""Would a question for an outside name come back to us for ever?"""

from ipaddress import ip_address

from appliance.host.checks.base import Finding, Level, ok, unknown
from appliance.host.checks.facts import Facts

NAME = "dns"


def judge(facts: Facts) -> list[Finding]:
    """Judge the host's name servers, and those behind a resolver of its own."""
    if facts.nameservers is None:
        return unknown(NAME, "/etc/resolv.conf can't be read", "write one with a name server")
    if not facts.nameservers:
        return [_none()]
    asked = (*facts.nameservers, *facts.upstream_nameservers)
    if facts.plan.cluster_dns in asked:
        return [_loop(facts.plan.cluster_dns)]
    local = [server for server in facts.nameservers if _is_loopback(server)]
    if len(local) == len(facts.nameservers) and not _answered(facts, local):
        return [_nobody(local[0])]
    return ok(NAME, f"names are asked of {', '.join(facts.nameservers)}, which is not the cluster")


def _is_loopback(address: str) -> bool:
    return ip_address(address.partition("%")[0]).is_loopback


def _answered(facts: Facts, servers: list[str]) -> bool:
    """Whether somebody listens there; where that can't be told, it is believed."""
    if facts.listeners is None:
        return True
    everywhere = {"0.0.0.0", "::"}  # noqa: S104 - compared with, not bound
    where = {one.address for one in facts.listeners if one.port == 53}
    return bool(where & (everywhere | set(servers)))


def _none() -> Finding:
    return Finding(
        check=NAME,
        level=Level.WARN,
        finding="/etc/resolv.conf names no server",
        why="cluster DNS asks the host's name servers for all names outside of the cluster",
        remedy="add `nameserver <address>` to /etc/resolv.conf, or get one by DHCP",
    )


def _loop(cluster_dns: str) -> Finding:
    return Finding(
        check=NAME,
        level=Level.FAIL,
        finding=f"this host asks cluster DNS ({cluster_dns}) for names",
        why="cluster DNS asks the host's name servers for outside names: each question would come "
        "back for ever",
        remedy="name a server outside of the cluster in /etc/resolv.conf; for cluster names on the "
        "host add a domain route in its resolver instead",
    )


def _nobody(server: str) -> Finding:
    return Finding(
        check=NAME,
        level=Level.FAIL,
        finding=f"/etc/resolv.conf names {server}, where nobody listens",
        why="cluster DNS asks the host's name servers for all names outside of the cluster",
        remedy="start the resolver that belongs there (`systemctl start systemd-resolved`), or "
        "name another server",
    )
