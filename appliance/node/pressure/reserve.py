"""`--kube-reserved` and `--system-reserved`: what of the host is not the pods'; pure.

    allocatable = capacity - both - the hard thresholds of memory and the node's disk

Only the scheduler is held to it: cgroups for all pods together are not made.
Source: Kubernetes documentation, "Reserve Compute Resources for System Daemons".
"""

from collections.abc import Iterable, Mapping

from appliance.api import quantity
from appliance.node.pressure.levels import MEMORY, NODE_DISK
from appliance.node.pressure.thresholds import Threshold

RESERVABLE = ("cpu", "memory", "ephemeral-storage", "pid")
_BY_THRESHOLD = {MEMORY: "memory", NODE_DISK: "ephemeral-storage"}

Amounts = Mapping[str, str | int | float]


def parse_reserved(text: str) -> dict[str, str]:
    """`cpu=100m,memory=200Mi` as a table.

    Raises:
        ValueError: an unknown resource or no quantity.
    """
    found = {}
    for part in filter(None, (p.strip() for p in text.split(","))):
        name, there, amount = part.partition("=")
        if not there or name not in RESERVABLE:
            raise ValueError(f"{part!r} is not like cpu=100m, of {RESERVABLE}")
        quantity.parse(amount)
        found[name] = amount
    return found


def allocatable(
    capacity: Amounts, reserved: Iterable[Mapping[str, str]], thresholds: Iterable[Threshold]
) -> dict[str, str | int | float]:
    """What pods may ask for, in all; never below 0."""
    left = {name: quantity.read(amount) for name, amount in capacity.items()}
    for table in reserved:
        for name, amount in table.items():
            if name in left:
                left[name] -= quantity.read(amount)
    for threshold in thresholds:
        name = _BY_THRESHOLD.get(threshold.signal, "")
        if threshold.hard and name in left:
            whole = quantity.value(str(quantity.read(capacity[name])))
            left[name] -= quantity.read(threshold.amount.of(whole))
    return {name: str(max(amount, quantity.ZERO)) for name, amount in left.items()}
