"""The balancing chains: texts that follow from a name alone. Pure.

    lb_3            pick one of 3 endpoints of a service's address
    aff_3           the same, but a known client goes where it went before
    hide_lb_3       the same as lb_3, with this node's address as the sender's
    near_lb_2       one of the 2 endpoints on this node
    split_lb_3_2    near_lb_2 for those outside; lb_3 for pods, hide_lb_3 for this node
    np_…            each of them for a node port
    stick_10800     learn where a client went, for so long

A chain exists once per number of endpoints, not per service, so there are few. What hangs on the
path of every packet is there only when a service needs it: LEARNING where a client went, and
FENCING what may come in to a load balancer.
"""

import re

from appliance.proxy.backends.nft_elements import NEAR

MASQUERADE_BIT = "0x4000"  # the bit kube-proxy uses, so that other tools know to leave it alone
PROTOCOLS = ("tcp", "udp", "sctp")
_NAME = re.compile(r"(np_)?(hide_|near_|split_)?(lb|aff)_(\d+)(?:_(\d+))?")
_HIDE = f"\n    meta mark set meta mark | {MASQUERADE_BIT}"


_STATIC = {
    # Where a new connection went is known after it was sent on: then it is learned, for as long as
    # the service says. A client that is known already is sent where the map says, and its time
    # starts anew.
    "learn": "".join(
        f"\n    meta l4proto {protocol} {key} . ct original proto-dst vmap @{kind}"
        for kind, key in (
            ("sticky", "ct original ip daddr . meta l4proto"),
            ("sticky_nodeports", "meta l4proto"),
        )
        for protocol in PROTOCOLS
    ),
    "learn_input": """
    type filter hook input priority -150; policy accept;
    ct state new ct status dnat jump learn""",
    "learn_output": """
    type filter hook postrouting priority -150; policy accept;
    ct state new ct status dnat jump learn""",
    "fence": """
    ip daddr . meta l4proto . th dport . ip saddr @welcome return
    drop""",
    # Before the address is replaced.
    "fence_coming": """
    type filter hook prerouting priority -140; policy accept;
    ct state new ip daddr . meta l4proto . th dport @fenced jump fence""",
    "fence_output": """
    type filter hook output priority -140; policy accept;
    ct state new ip daddr . meta l4proto . th dport @fenced jump fence""",
}


def chain(name: str, inside: str) -> str:
    """The text of a chain; `inside` is the pods' network, "" if there is none."""
    if name in _STATIC:
        return f"  chain {name} {{{_STATIC[name]}\n  }}"
    if stick := re.fullmatch(r"stick_(\d+)", name):
        return f"  chain {name} {{{_learning(int(stick[1]))}\n  }}"
    found = _NAME.fullmatch(name)
    if found is None:
        raise ValueError(f"{name} is not one of our chains")
    place, role, how = found[1] or "", found[2] or "", found[3]
    count, near = int(found[4]), int(found[5] or 0)
    if role == "split_":
        body = _splitting(place, how, (count, near), inside)
    else:
        hide = _HIDE if role == "hide_" else ""
        body = hide + _picking(place, how, count, NEAR if role == "near_" else 0)
    return f"  chain {name} {{{body}\n  }}"


def _splitting(place: str, how: str, counts: tuple[int, int], inside: str) -> str:
    """By who asks: pods use all endpoints as they are, this node all with its own address."""
    every, near = counts
    pods = f"ip saddr {inside}"
    far = _picking(place, how, every, 0)
    return "".join(
        [
            _only(pods, far) if inside else "",
            f"\n    fib saddr type local meta mark set meta mark | {MASQUERADE_BIT}",
            _only("fib saddr type local", far),
            _picking(place, how, near, NEAR) if near else "\n    drop",
        ]
    )


def _only(condition: str, rules: str) -> str:
    return rules.replace("\n    ", f"\n    {condition} ")


def _picking(place: str, how: str, count: int, first: int) -> str:
    """Rules that end with a new address: the client's known one, or one by chance."""
    known = _sending("ip saddr . ip daddr . meta l4proto . th dport map @affinity")
    key = "meta l4proto . th dport map @nodeends"
    if not place:
        key = "ip daddr . meta l4proto . th dport map @endpoints"
    offset = f" offset {first}" if first else ""
    picked = _sending(f"numgen random mod {count}{offset} . {key}")
    return known + picked if how == "aff" else picked


def _sending(to: str) -> str:
    return "".join(
        f"\n    meta l4proto {name} dnat ip to {to.replace('th dport', f'{name} dport')}"
        for name in PROTOCOLS
    )


def _learning(timeout_s: int) -> str:
    key = "ct original ip saddr . ct original ip daddr . meta l4proto . ct original proto-dst"
    return "".join(
        f"\n    meta l4proto {name} update @affinity "
        f"{{ {key} timeout {timeout_s}s : ip daddr . {name} dport }}"
        for name in PROTOCOLS
    )
