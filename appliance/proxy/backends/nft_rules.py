"""Elements become nft ruleset text: the whole table at start, then only what changed. Pure.

One call's text is one transaction of the kernel: packets see the old table or the new one.
"""

from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet

from appliance.proxy.backends.nft_affinity import CLIENTS_MAX
from appliance.proxy.backends.nft_chains import MASQUERADE_BIT, PROTOCOLS, chain
from appliance.proxy.backends.nft_elements import MAPS, SETS, Elements

# A tunnel hands its packet's mark on to the one around it, which must keep its own address.
_UNMARK = f"meta mark set meta mark ^ {MASQUERADE_BIT}"
_BATCH = 500  # elements per statement: nft's parser is quadratic in very long lists

_SLOT = "typeof numgen random mod 65536"
_TYPES = {
    "services": "type ipv4_addr . inet_proto . inet_service : verdict",
    "endpoints": f"{_SLOT} . ip daddr . meta l4proto . th dport : ip daddr . tcp dport",
    "nodeports": "type inet_proto . inet_service : verdict",
    "nodeends": f"{_SLOT} . meta l4proto . th dport : ip daddr . tcp dport",
    "sticky": "type ipv4_addr . inet_proto . inet_service : verdict",
    "sticky_nodeports": "type inet_proto . inet_service : verdict",
    "refused": "type ipv4_addr . inet_proto . inet_service",
    "refused_nodeports": "type inet_proto . inet_service",
    "hairpins": "type ipv4_addr . ipv4_addr",
    "fenced": "type ipv4_addr . inet_proto . inet_service",
    "welcome": "type ipv4_addr . inet_proto . inet_service . ipv4_addr; flags interval",
}
_DISPATCH = """
    ip daddr . meta l4proto . th dport vmap @services
    fib daddr type local meta l4proto . th dport vmap @nodeports"""
# TCP clients hear of it by a reset at once; an ICMP message may be lost or limited on its way.
_REFUSE = """
    ct state new ip daddr . meta l4proto . th dport @refused jump refuse
    ct state new fib daddr type local meta l4proto . th dport @refused_nodeports jump refuse"""
# Before the address is replaced, and for the first packet of a connection alone.
_FENCE = """
    ct state new ip daddr . meta l4proto . th dport @fenced jump fence"""
_FENCE_CHAIN = """
  chain fence {
    ip daddr . meta l4proto . th dport . ip saddr @welcome return
    drop
  }"""
_REFUSE_CHAIN = """
  chain refuse {
    meta l4proto tcp reject with tcp reset
    reject
  }"""

# Where a new connection went is known after it was sent on: then it is learned, for as long as the
# service says. A client that is known already is sent where the map says, and its time starts anew.
_LEARN = "".join(
    f"\n    meta l4proto {protocol} {key} . ct original proto-dst vmap @{kind}"
    for kind, key in (
        ("sticky", "ct original ip daddr . meta l4proto"),
        ("sticky_nodeports", "meta l4proto"),
    )
    for protocol in PROTOCOLS
)
_AFFINITY = f"""
  map affinity {{
    type ipv4_addr . ipv4_addr . inet_proto . inet_service : ipv4_addr . inet_service;
    size {CLIENTS_MAX}; flags dynamic,timeout;
  }}"""
_LEARN_CHAINS = f"""
  chain learn {{{_LEARN}
  }}
  chain learn_output {{
    type filter hook postrouting priority -150; policy accept;
    ct state new ct status dnat jump learn
  }}
  chain learn_input {{
    type filter hook input priority -150; policy accept;
    ct state new ct status dnat jump learn
  }}"""


def whole(table: str, wanted: Elements, inside: str = "") -> str:
    """Text that replaces our table, whatever was in it, in one transaction.

    `inside` is the network of the pods: their traffic is the cluster's own.
    """
    named = "\n".join(
        [f"  map {name} {{ {_TYPES[name]}; }}" for name in MAPS]
        + [f"  set {name} {{ {_TYPES[name]}; }}" for name in SETS]
    )
    chains = "\n".join(chain(name, inside) for name in sorted(wanted.chains))
    return f"""table ip {table}
delete table ip {table}
table ip {table} {{
{named}{_AFFINITY}
{chains}{_REFUSE_CHAIN}{_FENCE_CHAIN}{_LEARN_CHAINS}
  chain guard {{
    type filter hook prerouting priority -150; policy accept;
    iifname != "lo" ip daddr 127.0.0.0/8 drop{_FENCE}
  }}
  chain guard_output {{
    type filter hook output priority -150; policy accept;{_FENCE}
  }}
  chain prerouting {{
    type nat hook prerouting priority dstnat; policy accept;{_DISPATCH}
  }}
  chain output {{
    type nat hook output priority -100; policy accept;{_DISPATCH}
  }}
  chain postrouting {{
    type nat hook postrouting priority srcnat; policy accept;
    meta mark & {MASQUERADE_BIT} == {MASQUERADE_BIT} {_UNMARK} masquerade fully-random
    ct status dnat ip saddr . ip daddr @hairpins masquerade fully-random
    oifname != "lo" ip saddr 127.0.0.0/8 ct status dnat masquerade fully-random
  }}
  chain refuse_forward {{
    type filter hook forward priority filter; policy accept;{_REFUSE}
  }}
  chain refuse_output {{
    type filter hook output priority filter; policy accept;{_REFUSE}
  }}
  chain refuse_input {{
    type filter hook input priority filter; policy accept;{_REFUSE}
  }}
}}
{_adds(table, wanted.of)}"""


def change(
    table: str, old: Elements, new: Elements, *, have: AbstractSet[str], inside: str = ""
) -> str:
    """Text that turns one state into another; "" when nothing changed.

    Deletes come first: an element whose value changes is taken out and put in again within the
    one transaction. Balancing chains are only ever added, to those that the table has; an unused
    one costs nothing.
    """
    gone = {n: {k: v for k, v in old.of[n].items() if new.of[n].get(k) != v} for n in old.of}
    come = {n: {k: v for k, v in new.of[n].items() if old.of[n].get(k) != v} for n in new.of}
    chains = [
        f"table ip {table} {{\n{chain(name, inside)}\n}}" for name in sorted(new.chains - have)
    ]
    deletes = [
        f"delete element ip {table} {name} {{ {', '.join(part)} }}"
        for name, items in gone.items()
        for part in _batches(list(items))
    ]
    parts = [*chains, *deletes, _adds(table, come)]
    return "\n".join(p for p in parts if p)


def _adds(table: str, items: Mapping[str, Mapping[str, str]]) -> str:
    lines = []
    for name, entries in items.items():
        texts = [f"{key} : {value}" if value else key for key, value in entries.items()]
        lines += [
            f"add element ip {table} {name} {{ {', '.join(part)} }}" for part in _batches(texts)
        ]
    return "\n".join(lines)


def _batches(texts: list[str]) -> Iterable[list[str]]:
    return (texts[i : i + _BATCH] for i in range(0, len(texts), _BATCH))
