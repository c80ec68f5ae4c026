"""`--eviction-hard` and its kin as values; pure.

    memory.available<100Mi,nodefs.available<5%      thresholds
    memory.available=1m30s                          how long a soft one must have been met
    nodefs.available=500Mi                          how much more than the threshold must be freed

Source: Kubernetes documentation, "Node-pressure Eviction"; defaults as k3s has them, whose hosts
are like ours: a small disk that is nine tenths full is no emergency.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from appliance.api import quantity
from appliance.kit.durations import seconds
from appliance.node.pressure.levels import SIGNALS

HARD = "memory.available<100Mi,nodefs.available<5%,nodefs.inodesFree<5%,imagefs.available<5%"
MINIMUM_RECLAIM = "nodefs.available=10%,imagefs.available=10%"


@dataclass(frozen=True, slots=True)
class Amount:
    """A quantity, or a part of what there is."""

    text: str
    fixed: int = 0
    share: float | None = None

    def of(self, capacity: int) -> int:
        """In bytes (inodes, processes)."""
        return self.fixed if self.share is None else int(capacity * self.share)


@dataclass(frozen=True, slots=True)
class Threshold:
    """Something is to be done once less than `amount` is left, for `grace_s` (None: hard)."""

    signal: str
    amount: Amount
    grace_s: float | None = None

    @property
    def hard(self) -> bool:
        """Whether pods get no time to end."""
        return self.grace_s is None


def parse_thresholds(hard: str, soft: str = "", graces: str = "") -> tuple[Threshold, ...]:
    """All thresholds of a node.

    Raises:
        ValueError: one can't be read, or a soft one lacks its period; says which.
    """
    periods = {name: seconds(text) for name, text in _pairs(graces, "=")}
    found = [Threshold(signal, amount_of(text)) for signal, text in _pairs(hard, "<")]
    for signal, text in _pairs(soft, "<"):
        if signal not in periods:
            raise ValueError(f"{signal} needs its eviction-soft-grace-period")
        found.append(Threshold(signal, amount_of(text), periods[signal]))
    return tuple(found)


def parse_reclaim(text: str) -> Mapping[str, Amount]:
    """How much beyond its threshold each signal has to come.

    Raises:
        ValueError: it can't be read.
    """
    return {signal: amount_of(amount) for signal, amount in _pairs(text, "=")}


def amount_of(text: str) -> Amount:
    """`100Mi` or `5%`.

    Raises:
        ValueError: neither.
    """
    if text.endswith("%"):
        share = float(text[:-1]) / 100
        if not 0 <= share <= 1:
            raise ValueError(f"{text} is no part of a whole")
        return Amount(text, share=share)
    return Amount(text, fixed=quantity.value(text))


def _pairs(text: str, between: str) -> list[tuple[str, str]]:
    found = []
    for part in filter(None, (p.strip() for p in text.split(","))):
        signal, there, value = part.partition(between)
        if not there or signal not in SIGNALS:
            raise ValueError(f"{part!r} is not like {SIGNALS[0]}{between}…, one of {SIGNALS}")
        found.append((signal, value))
    return found
