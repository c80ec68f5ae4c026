"""Do packets that fit a pod's link fit the way out, too?"""

from appliance.host.checks.base import Finding, Level, ok, unknown
from appliance.host.checks.facts import Facts

NAME = "mtu"
_OURS = "apl"  # bridges of pods are named so
_SMALLEST = 1280


def judge(facts: Facts) -> list[Finding]:
    """Compare the pods' bridges with the link of the default route."""
    out = [link for link in facts.links if link.default_route]
    if not out:
        return unknown(NAME, "there is no default route", "connect the host to its network")
    way = min(out, key=lambda link: link.mtu)
    found = [
        Finding(
            check=NAME,
            level=Level.WARN,
            finding=f"{link.name} has MTU {link.mtu}, the way out ({way.name}) {way.mtu}",
            why="large packets of pods get stuck where the hint to make them smaller is filtered: "
            "connections open, then hang",
            remedy=f"`ip link set {link.name} mtu {way.mtu}`, or give {way.name} a larger one",
        )
        for link in facts.links
        if link.name.startswith(_OURS) and link.mtu > way.mtu
    ]
    if way.mtu < _SMALLEST:
        found.append(
            Finding(
                check=NAME,
                level=Level.FAIL,
                finding=f"{way.name} has MTU {way.mtu}",
                why="a tunnel to other nodes takes 50 bytes of each packet, and IPv6 needs 1280",
                remedy=f"`ip link set {way.name} mtu 1500` if its network carries that",
            )
        )
    return found or ok(NAME, f"pods' links fit {way.name} (MTU {way.mtu})")
