"""Which pod has which address: a pure choice, and the file that remembers.

Used by `bridge.py`. The table holds one lease per pod of this node, at most as many as the
node's range has addresses; it is written at each change and read once, so addresses in use
survive a restart of the agent.
"""

import ipaddress
import json
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from pathlib import Path

from appliance.kit.atomicfile import write_atomic
from appliance.node.network.base import NoAddressLeft


def gateway_of(pod_cidr: str) -> str:
    """The bridge's own address: the first of the range."""
    return str(ipaddress.IPv4Network(pod_cidr)[1])


def next_address(pod_cidr: str, used: AbstractSet[str], last: str) -> str:
    """The first free address after the last one given, around the range.

    An address that was just freed comes last: whoever still talks to its old owner should meet
    silence, not a stranger.

    >>> next_address("10.42.0.0/29", {"10.42.0.2", "10.42.0.4"}, "10.42.0.3")
    '10.42.0.5'

    Raises:
        NoAddressLeft: every address has an owner.
    """
    network = ipaddress.IPv4Network(pod_cidr)
    first, count = int(network[2]), network.num_addresses - 3  # not network, gateway, broadcast
    start = int(ipaddress.IPv4Address(last)) + 1 - first if last else 0
    for step in range(max(0, count)):
        candidate = str(ipaddress.IPv4Address(first + (start + step) % count))
        if candidate not in used:
            return candidate
    raise NoAddressLeft(f"all {count} addresses of {pod_cidr} are in use; delete pods of this node")


@dataclass(frozen=True, slots=True)
class Leases:
    """The table: pods' uids and their addresses."""

    pod_cidr: str
    last: str = ""
    addresses: Mapping[str, str] = field(default_factory=dict)

    def with_pod(self, pod_uid: str) -> "Leases":
        """The table in which this pod has an address."""
        if pod_uid in self.addresses:
            return self
        new = next_address(self.pod_cidr, set(self.addresses.values()), self.last)
        return replace(self, last=new, addresses={**self.addresses, pod_uid: new})

    def without(self, pod_uids: AbstractSet[str]) -> "Leases":
        """The table in which these pods have none."""
        kept = {uid: address for uid, address in self.addresses.items() if uid not in pod_uids}
        return replace(self, addresses=kept)


def read_leases(path: Path, pod_cidr: str) -> Leases:
    """What the file says; an empty table if there is none or it speaks of another range."""
    try:
        kept = Leases(**json.loads(path.read_text()))
    except FileNotFoundError:
        return Leases(pod_cidr)
    except (ValueError, TypeError):
        # Half a file can't be (it is written whole); a foreign one is as good as none.
        return Leases(pod_cidr)
    return kept if kept.pod_cidr == pod_cidr else Leases(pod_cidr)


def write_leases(path: Path, leases: Leases) -> None:
    """Replace the file."""
    text = {
        "pod_cidr": leases.pod_cidr,
        "last": leases.last,
        "addresses": dict(leases.addresses),
    }
    write_atomic(path, json.dumps(text).encode())
