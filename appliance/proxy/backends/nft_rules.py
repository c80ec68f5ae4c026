"""Elements become nft ruleset text: the whole table at start, then only what changed. Pure.

One call's text is one transaction of the kernel: packets see the old table or the new one.
"""

from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet

from appliance.proxy.backends.nft_affinity import CLIENTS_MAX
from appliance.proxy.backends.nft_chains import MASQUERADE_BIT, chain
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
# Of each connection only the first packet is looked at here; the many others pass one comparison.
_FIRST = "ct state established,related accept"
# TCP clients hear of it by a reset at once; an ICMP message may be lost or limited on its way.
_REFUSE = f"""
    {_FIRST}
    ip daddr . meta l4proto . th dport @refused jump refuse
    fib daddr type local meta l4proto . th dport @refused_nodeports jump refuse"""
_REFUSE_CHAIN = """
  chain refuse {
    meta l4proto tcp reject with tcp reset
    reject
  }"""
_AFFINITY = f"""
  map affinity {{
    type ipv4_addr . ipv4_addr . inet_proto . inet_service : ipv4_addr . inet_service;
    size {CLIENTS_MAX}; flags dynamic,timeout;
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
{chains}{_REFUSE_CHAIN}
  chain guard {{
    type filter hook prerouting priority -150; policy accept;
    {_FIRST}
    iifname != "lo" ip daddr 127.0.0.0/8 drop
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
