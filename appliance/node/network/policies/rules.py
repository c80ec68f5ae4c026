"""A Firewall as nft text: the whole table at first, then only what changed. Pure.

One text is one transaction of the kernel. The table hangs on the host's forwarding: each packet
of a pod passes there, also between pods of one node (ADR 10), after a service's address was
replaced by an endpoint's and before any source is hidden. Between host and pod nothing is
forwarded, so probes always pass. Connections that are open go on: only their first packet is
judged.
"""

from collections.abc import Iterable, Mapping

from appliance.node.network.policies.firewall import MAPS, SELVES, Firewall

_BATCH = 500  # elements per statement: nft's parser is quadratic in very long lists
_ADDRESS = {"4": "ipv4_addr", "6": "ipv6_addr"}
_FORWARD = """
  chain forward {
    type filter hook forward priority -5; policy accept;
    ct state established,related accept
    ip saddr . ip daddr @selves4 accept
    ip6 saddr . ip6 daddr @selves6 accept
    ip saddr vmap @egress4
    ip6 saddr vmap @egress6
    ip daddr vmap @ingress4
    ip6 daddr vmap @ingress6
  }"""
NOTHING = Firewall()
_NONE: frozenset[str] = frozenset()


def whole(table: str, wanted: Firewall) -> str:
    """Text that replaces our table, whatever was in it."""
    frame = "\n".join(
        [f"  map {name} {{ type {_ADDRESS[name[-1]]} : verdict; }}" for name in MAPS]
        + [f"  set {name} {{ type {_set_type(name)}; }}" for name in SELVES]
    )
    return f"""table inet {table} {{}}
delete table inet {table}
table inet {table} {{
{frame}{_FORWARD}
}}
{change(table, NOTHING, wanted)}"""


def removal(table: str) -> str:
    """Text that removes it, whether it is there or not."""
    return f"table inet {table} {{}}\ndelete table inet {table}"


def change(table: str, old: Firewall, new: Firewall) -> str:
    """Text that turns one state into another; "" when nothing changed.

    What is new comes first, then addresses are sent there, then what nobody uses any more goes.
    """
    at = f"inet {table}"
    come = [f"add set {at} {name} {{ type {_set_type(name)}; }}" for name in _new(old, new)]
    for name, elements in new.sets.items():
        come += _statements("add", f"{at} {name}", elements - old.sets.get(name, _NONE))
    for name in sorted(set(new.chains) - set(old.chains)):
        rules = "".join(f"    {rule}\n" for rule in new.chains[name])
        come.append(f"table {at} {{\n  chain {name} {{\n{rules}    drop\n  }}\n}}")
    for name in MAPS:
        come += _moved(f"{at} {name}", old.maps.get(name, {}), new.maps.get(name, {}))
    for name in sorted(set(old.chains) - set(new.chains)):
        come.append(f"delete chain {at} {name}")
    for name, elements in old.sets.items():
        if name in new.sets or name in SELVES:
            come += _statements("delete", f"{at} {name}", elements - new.sets.get(name, _NONE))
    come += [f"delete set {at} {name}" for name in _new(new, old)]
    return "\n".join(come)


def _new(old: Firewall, new: Firewall) -> list[str]:
    """Sets that only `new` has; those of the frame are always there."""
    return sorted(set(new.sets) - set(old.sets) - set(SELVES))


def _moved(at: str, old: Mapping[str, str], new: Mapping[str, str]) -> list[str]:
    gone = [address for address, chain in old.items() if new.get(address) != chain]
    come = [f"{a} : {chain}" for a, chain in new.items() if old.get(a) != chain]
    return [*_statements("delete", at, gone), *_statements("add", at, come)]


def _statements(verb: str, at: str, elements: Iterable[str]) -> list[str]:
    listed = sorted(elements)
    return [
        f"{verb} element {at} {{ {', '.join(listed[i : i + _BATCH])} }}"
        for i in range(0, len(listed), _BATCH)
    ]


def _set_type(name: str) -> str:
    kind, version = name.partition("_")[0][:-1], name.partition("_")[0][-1]
    address = _ADDRESS[version]
    if kind == "selves":
        return f"{address} . {address}"
    return f"{address} . inet_proto . inet_service" if kind == "ends" else address
