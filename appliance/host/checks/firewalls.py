"""Is there a firewall that does not know of the cluster?"""

from appliance.host.checks.base import Finding, Level, ok
from appliance.host.checks.facts import Facts

NAME = "firewall"
_TUNNEL_PORT = 8472


def judge(facts: Facts) -> list[Finding]:
    """Judge the firewalls that are at work."""
    if not facts.firewalls:
        return ok(NAME, "neither firewalld nor ufw is at work")
    plan = facts.plan
    ports = [f"{plan.kubelet_port}/tcp", f"{_TUNNEL_PORT}/udp"]
    if plan.is_server:
        ports.insert(0, f"{plan.api_port}/tcp")
    return [_found(name, ports) for name in facts.firewalls]


def _found(name: str, ports: list[str]) -> Finding:
    if name == "ufw":
        allow = "; ".join(f"ufw allow {port}" for port in ports)
        remedy = f"`{allow}; ufw default allow routed`, or `ufw disable`"
    else:
        allow = " ".join(f"--add-port={port}" for port in ports)
        remedy = (
            f"`firewall-cmd --permanent {allow}`, put the pods' range into the zone trusted "
            "(`firewall-cmd --permanent --zone=trusted --add-source=10.42.0.0/16`), then "
            "`firewall-cmd --reload`"
        )
    return Finding(
        check=NAME,
        level=Level.WARN,
        finding=f"{name} is at work",
        why=f"other nodes must reach {', '.join(ports)}, and pods' packets must be forwarded",
        remedy=remedy,
    )
