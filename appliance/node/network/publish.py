"""Ports of the host that lead to pods, as nft text; pure.

`bridge.py` applies it. Two maps in the table of the bridge's rules: what comes for an address of
this host is looked up by address, protocol and port, then by protocol and port alone. The maps
live through a restart of the agent, and each entry names its pod's address, so nothing is
remembered elsewhere.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

MAPS = ("hostports_at", "hostports")
SELVES = "hostports_self"
"""Pods with published ports, as (address, address)."""
_TYPES = {
    "hostports_at": "typeof ip daddr . meta l4proto . th dport : ip daddr . tcp dport",
    "hostports": "typeof meta l4proto . th dport : ip daddr . tcp dport",
}
_KEYS = {"hostports_at": "ip daddr . meta l4proto", "hostports": "meta l4proto"}
_PROTOCOLS = ("tcp", "udp", "sctp")
_NUMBERS = {"6": "tcp", "17": "udp", "132": "sctp"}

Key = tuple[str, ...]
"""(protocol, port) or (address, protocol, port)."""
Entries = dict[Key, tuple[str, str]]
"""Key → (pod's address, port)."""


@dataclass(frozen=True, slots=True)
class Published:
    """A port of the host ("" as address: of all its addresses) that leads to a pod's port."""

    host_ip: str
    protocol: str
    host_port: int
    port: int


def frame(table: str, bridge: str) -> str:
    """Maps and chains; what is in the maps stays.

    Whoever calls from 127.0.0.1 has to get another address, or answers would stay in the pod; so
    has a pod that reaches itself by way of the host.
    """
    maps = "".join(f"add map inet {table} {name} {{ {_TYPES[name]}; }}\n" for name in MAPS)
    go = "\n".join(
        f"meta l4proto {proto} dnat ip to {_KEYS[name]} . {proto} dport map @{name}"
        for name in MAPS
        for proto in _PROTOCOLS
    )
    local = "fib daddr type local jump hostports_go"
    back = f"""oifname "{bridge}" ip saddr 127.0.0.0/8 ct status dnat masquerade fully-random
    ct status dnat ip saddr . ip daddr @{SELVES} masquerade fully-random"""
    chains = (
        ("hostports_go", "", go),
        ("hostports_in", "type nat hook prerouting priority dstnat;", local),
        ("hostports_out", "type nat hook output priority -100;", local),
        ("hostports_back", "type nat hook postrouting priority srcnat;", back),
    )
    return "".join(
        [
            maps,
            f"add set inet {table} {SELVES} {{ type ipv4_addr . ipv4_addr; }}\n",
            *(chain(table, name, hook, rules) for name, hook, rules in chains),
        ]
    )


def chain(table: str, name: str, hook: str, rules: str) -> str:
    """A chain with just these rules, whether it is there or not."""
    kind = f" {{ {hook} policy accept; }}" if hook else ""
    return f"""add chain inet {table} {name}{kind}
flush chain inet {table} {name}
table inet {table} {{
  chain {name} {{
    {rules}
  }}
}}
"""


def entries(listed: Sequence[Mapping[str, Any]]) -> Entries:
    """What `list map` says of both maps."""
    found: Entries = {}
    for one in listed:
        for key, value in one.get("map", {}).get("elem", ()):
            to, port = (str(part) for part in value["concat"])
            *address, protocol, number = (str(part) for part in key["concat"])
            found[*address, _NUMBERS.get(protocol, protocol), number] = (to, port)
    return found


def wanted(address: str, ports: Iterable[Published]) -> Entries:
    """The entries of a pod."""
    made: Entries = {}
    for port in ports:
        key = (port.protocol.lower(), str(port.host_port))
        made[(port.host_ip, *key) if port.host_ip else key] = (address, str(port.port))
    return made


def change(table: str, have: Entries, pod: Entries, address: str) -> str:
    """Text that leaves a pod just its entries; "" when it has them."""
    gone = [k for k, v in have.items() if v != pod.get(k) and (v[0] == address or k in pod)]
    come = [k for k, v in pod.items() if have.get(k) != v]
    lines = [f"delete element inet {table} {_map_of(k)} {{ {' . '.join(k)} }}" for k in gone]
    lines += [
        f"add element inet {table} {_map_of(k)} {{ {' . '.join(k)} : {' . '.join(pod[k])} }}"
        for k in come
    ]
    itself = f"element inet {table} {SELVES} {{ {address} . {address} }}"
    if pod or gone:
        lines.append(f"add {itself}")
    if gone and not pod:
        lines.append(f"delete {itself}")
    return "\n".join(lines)


def _map_of(key: Key) -> str:
    return MAPS[0] if len(key) == 3 else MAPS[1]
