"""What policies ask of the kernel, as one frozen value.

`compile.py` makes it, `rules.py` writes it as nft text, and finds the text that turns one into
another. Names follow from content, so the same rule of two policies stands there once, and a
change of a policy is a new chain beside the old one.

    chains  in_5c1f…   ip saddr @pods4_9ab0… tcp dport { 80, 443 } return
                       ip saddr { 192.0.2.0/24 } return                     (then: drop)
    sets    pods4_9ab0…   10.42.0.7, 10.42.3.9
    maps    ingress4   10.42.0.5 : jump in_5c1f…        (a pod of this node that is guarded)
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

MAPS = ("ingress4", "ingress6", "egress4", "egress6")
SELVES = ("selves4", "selves6")
"""Guarded pods, as (address, address): nobody is kept from himself."""


@dataclass(frozen=True, slots=True)
class Firewall:
    """Rules for the guarded pods of a node."""

    sets: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """Elements by set: `pods4_`, `pods6_` addresses, `ends4_`, `ends6_` addresses with ports, and
    SELVES.
    """
    chains: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Rules that let pass; what none of them lets pass is dropped."""
    maps: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """Chain by address, for each of MAPS."""

    @property
    def guards(self) -> bool:
        """Whether there is anything to guard."""
        return any(self.maps.values())
