"""Picks free cluster addresses and node ports. Pure: what is taken is passed in.

Nothing is kept: the Services themselves say what is taken, so a crash can neither leak nor
double an address. Each range has a low band for addresses that people choose by hand (such as
the DNS service's) and a high band for those drawn here; the low one is used when the high one
is full (KEP-3070, KEP-3668).
"""

import ipaddress
import random
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

_DRAWS = 32
"""Tries by chance before looking at every candidate; enough while the range is not nearly full."""


@dataclass(frozen=True, slots=True)
class Band:
    """Candidates first to last; `split` is the first of the high band."""

    first: int
    last: int
    split: int

    def __contains__(self, number: int) -> bool:
        return self.first <= number <= self.last

    def pick(self, taken: AbstractSet[int], rng: random.Random | None) -> int | None:
        """A free number, None when all are taken; without `rng` the first (for dry runs)."""
        if rng is not None and self.split <= self.last:
            for _ in range(_DRAWS):
                number = rng.randint(self.split, self.last)
                if number not in taken:
                    return number
        candidates = (*range(self.split, self.last + 1), *range(self.first, self.split))
        return next((n for n in candidates if n not in taken), None)


def address_band(cidr: str) -> Band:
    """Addresses of a service range, without the network's own and the broadcast address."""
    network = ipaddress.ip_network(cidr)
    first, last = int(network.network_address) + 1, int(network.broadcast_address) - 1
    by_hand = min(max(16, network.num_addresses // 16), 256)
    return Band(first, last, min(first + by_hand - 1, last + 1))


def port_band(first: int, last: int) -> Band:
    """Node ports."""
    by_hand = min(max(16, (last - first + 1) // 32), 128)
    return Band(first, last, min(first + by_hand, last + 1))


def first_address(cidr: str) -> str:
    """The address of the API server's own service."""
    return str(ipaddress.ip_network(cidr)[1])
