"""Does another firewall drop what is forwarded? Docker sets this policy when it starts."""

from appliance.host.checks.base import Finding, Level, ok
from appliance.host.checks.facts import Facts

NAME = "forward-policy"


def judge(facts: Facts) -> list[Finding]:
    """Judge the policies of chains at the forward hook."""
    if not facts.forward_drops:
        return ok(NAME, "nobody drops forwarded packets by policy")
    chains = ", ".join(facts.forward_drops)
    who = "Docker's rules are there, and it sets this policy" if facts.docker_chains else "its rule"
    remedy = (
        'put {"iptables": false} into /etc/docker/daemon.json and restart Docker, or allow the '
        "pods: `iptables -I DOCKER-USER -j ACCEPT`"
        if facts.docker_chains
        else "allow forwarding from and to the pods' addresses there, or `iptables -P FORWARD "
        "ACCEPT`"
    )
    return [
        Finding(
            check=NAME,
            level=Level.FAIL,
            finding=f"forwarded packets are dropped by policy ({chains})",
            why=f"traffic between pods, and from pods to anywhere, is forwarded; {who}. A drop in "
            "any table is final, whatever our own table says",
            remedy=remedy,
        )
    ]
