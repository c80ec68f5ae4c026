"""The firewall rules of the pods' bridge, as nft text; pure.

`bridge.py` applies them; services, and pods that reach themselves through one, are the proxy's.
They stand in a table of the cluster's own, so removing it removes all of them. The one place
outside is a foreign filter that drops what it does not know: an accept in our table can't
overrule it, so two rules go there too (`opening`).
"""

from collections.abc import Sequence
from typing import Any

from appliance.node.network import publish


def table_name(cluster_id: str) -> str:
    """The table of the bridge's rules."""
    return f"appliance_{cluster_id}_net"


def ruleset(cluster_id: str, bridge: str, pod_cidr: str, cluster_cidr: str) -> str:
    """The whole table but for published ports, replacing what was there, in one transaction.

    * What leaves the cluster gets the host's address; what stays keeps the pod's.
    * Pods are told to send everything through the bridge (see `bridge.py`); the kernel's advice
      to take the short way (ICMP redirect) would lead around the services, so it is not sent.
    """
    table = table_name(cluster_id)
    leaving = f"ip saddr {pod_cidr} ip daddr != {cluster_cidr}"
    chains = (
        (
            "postrouting",
            "type nat hook postrouting priority srcnat;",
            f'{leaving} oifname != "{bridge}" masquerade fully-random',
        ),
        (
            "forward",
            "type filter hook forward priority filter;",
            f'iifname "{bridge}" accept\n    oifname "{bridge}" accept',
        ),
        (
            "output",
            "type filter hook output priority filter;",
            f'oifname "{bridge}" icmp type redirect drop',
        ),
    )
    parts = (publish.chain(table, name, hook, rules) for name, hook, rules in chains)
    return "".join([f"table inet {table} {{}}\n", *parts, publish.frame(table, bridge)])


def removal(cluster_id: str) -> str:
    """Remove the table, whether it is there or not."""
    table = table_name(cluster_id)
    return f"table inet {table} {{}}\ndelete table inet {table}\n"


def closed_door(chains: Sequence[dict[str, Any]]) -> str:
    """The foreign chain that would drop our traffic, "" if there is none.

    Docker's rules (when Docker makes them) drop all forwarding that it does not know, and ask
    others to put their exceptions into DOCKER-USER. Where only the policy drops, FORWARD itself.
    """
    mine = [c["chain"] for c in chains if "chain" in c]
    filters = {c["name"]: c for c in mine if (c["family"], c["table"]) == ("ip", "filter")}
    if "DOCKER-USER" in filters:
        return "DOCKER-USER"
    return "FORWARD" if filters.get("FORWARD", {}).get("policy") == "drop" else ""


def opening(cluster_id: str, bridge: str, chain: str) -> str:
    """Two rules at the top of a foreign chain that let the pods' traffic pass."""
    comment = f'comment "{table_name(cluster_id)}"'
    return "".join(
        f'insert rule ip filter {chain} {direction} "{bridge}" counter accept {comment}\n'
        for direction in ("iifname", "oifname")
    )


def closing(cluster_id: str, rules: Sequence[dict[str, Any]]) -> str:
    """Remove those rules: found by their comment in what `list chain` gave."""
    comment = table_name(cluster_id)
    mine = [r["rule"] for r in rules if "rule" in r and r["rule"].get("comment") == comment]
    return "".join(
        f"delete rule {r['family']} {r['table']} {r['chain']} handle {r['handle']}\n" for r in mine
    )
