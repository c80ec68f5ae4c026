"""Which UDP flows a change of rules has made wrong. Pure.

The kernel goes on sending a flow where its first packet went. UDP has no end of its own: a client
that keeps asking from one port (as DNS resolvers do) would never come away from an endpoint that
is gone, nor from "nobody there", which it met before there was an endpoint.
"""

from collections.abc import Callable, Iterable, Mapping

from appliance.kit.conntrack import Flow
from appliance.proxy.backends.nft_elements import Elements

Of = Mapping[str, Mapping[str, str]]


def touches_udp(old: Of, new: Of) -> bool:
    """Whether a change takes an endpoint from a UDP port, or opens a port that had none."""
    gone = (old[n].items() - new[n].items() for n in ("endpoints", "nodeends"))
    come = (new[n].keys() - old[n].keys() for n in ("services", "nodeports"))
    keys = [*(key for items in gone for key, _ in items), *(key for keys in come for key in keys)]
    return any("udp" in key for key in keys)


def stale(flows: Iterable[Flow], wanted: Elements) -> list[Flow]:
    """Flows to service ports that lead to none of their endpoints."""
    ends = _ends(wanted)
    is_service = wanted.of["services"].keys() | wanted.of["refused"].keys()
    is_port = wanted.of["nodeports"].keys() | wanted.of["refused_nodeports"].keys()
    return [flow for flow in flows if _is_stale(flow, ends, (is_service | is_port).__contains__)]


def _is_stale(flow: Flow, ends: Mapping[str, set[str]], known: Callable[[str], bool]) -> bool:
    for key in (f"{flow.target} . udp . {flow.target_port}", f"udp . {flow.target_port}"):
        if known(key):
            return f"{flow.answers} . {flow.answers_port}" not in ends.get(key, ())
    return False


def _ends(wanted: Elements) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for name in ("endpoints", "nodeends"):
        for slot, endpoint in wanted.of[name].items():
            if "udp" in slot:
                found.setdefault(slot.partition(" . ")[2], set()).add(endpoint)
    return found
