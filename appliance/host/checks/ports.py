"""Are the ports that the cluster needs free, and if not, who has them?"""

from appliance.host.checks.base import Finding, Level, ok, unknown
from appliance.host.checks.facts import Facts, Listener

NAME = "ports"
_DNS = 53
_EVERYWHERE = {"0.0.0.0", "::"}  # noqa: S104 - compared with, not bound


def judge(facts: Facts) -> list[Finding]:
    """Judge who listens where."""
    if facts.listeners is None:
        return unknown(NAME, "who listens can't be read", "run it as root, with /proc mounted")
    plan = facts.plan
    wanted = {plan.kubelet_port: "the node agent", _DNS: "cluster DNS"}
    if plan.is_server:
        wanted[plan.api_port] = "the API server"
    found = [
        _taken(port, purpose, listener)
        for port, purpose in wanted.items()
        for listener in _others(facts.listeners, port)
    ]
    shown = ", ".join(str(port) for port in sorted(wanted))
    return found or ok(NAME, f"ports {shown} are free, or ours")


def _others(listeners: tuple[Listener, ...], port: int) -> list[Listener]:
    """Programs that are not ours; DNS is only in our way where it takes every address."""
    found: dict[tuple[int, str], Listener] = {}
    for one in listeners:
        if one.port != port or "appliance" in one.program:
            continue
        if port == _DNS and one.address not in _EVERYWHERE:
            continue
        found.setdefault((one.pid, one.protocol), one)
    return list(found.values())


def _taken(port: int, purpose: str, by: Listener) -> Finding:
    who = f"process {by.pid} ({by.program})" if by.pid else "a process that can't be seen"
    elsewhere = {
        "the API server": "or take another port with --https-listen-port",
        "the node agent": "or take another port with --kubelet-port",
        "cluster DNS": "or make it listen on single addresses only",
    }[purpose]
    return Finding(
        check=NAME,
        level=Level.FAIL,
        finding=f"port {port}/{by.protocol} on {by.address} is taken by {who}",
        why=f"{purpose} listens there",
        remedy=f"stop that program, {elsewhere}",
    )
