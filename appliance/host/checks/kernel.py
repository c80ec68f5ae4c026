"""Has the kernel what pods and services are made of?"""

from collections.abc import Mapping

from appliance.host.checks.base import Finding, Level, ok, unknown
from appliance.host.checks.facts import Facts

NAME = "kernel"
NEEDED: Mapping[str, str] = {
    "VETH": "pods' network links",
    "BRIDGE": "the pods' bridge",
    "NF_CONNTRACK": "services",
    "NF_TABLES": "services at wire speed",
    "NFT_NAT": "services at wire speed",
    "NFT_MASQ": "pods' way out",
    "OVERLAY_FS": "containers' file systems",
    "NAMESPACES": "containers",
    "CGROUPS": "limits of containers",
}
WANTED: Mapping[str, str] = {
    "VXLAN": "nodes that are not on one link",
    "MEMCG": "memory limits",
    "CFS_BANDWIDTH": "CPU limits",
}


def judge(facts: Facts) -> list[Finding]:
    """Judge the kernel's options, and whether nftables really works."""
    lacking = [name for name, there in facts.features.items() if there is False]
    found = [_lacks(facts.kernel_release, name) for name in lacking]
    if facts.nftables_fault:
        found.append(_no_nftables(facts))
    if found:
        return found
    if facts.nftables_fault is None and not any(facts.features.values()):
        remedy = "run it as root; a kernel with CONFIG_IKCONFIG_PROC tells more"
        return unknown(NAME, "the kernel's options can't be found out", remedy)
    return ok(NAME, f"kernel {facts.kernel_release} has what is needed")


def _lacks(release: str, option: str) -> Finding:
    need = NEEDED.get(option)
    return Finding(
        check=NAME,
        level=Level.FAIL if need else Level.WARN,
        finding=f"kernel {release} lacks {option}",
        why=f"it is needed for {need or WANTED.get(option, 'containers')}",
        remedy=f"install the full kernel of the distribution or its package of further modules, "
        f"or build one with CONFIG_{option}",
    )


def _no_nftables(facts: Facts) -> Finding:
    relays = facts.plan.proxy_mode != "nftables"
    return Finding(
        check=NAME,
        level=Level.WARN if relays else Level.FAIL,
        finding=f"nftables can't be used: {facts.nftables_fault}",
        why="services are then relayed by the agent, slower and with the node's address as source"
        if relays
        else "--proxy-mode nftables has been asked for",
        remedy="install nftables (`apt install nftables`), and run as root",
    )
