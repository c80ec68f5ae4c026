"""Pure: how many pods a disruption budget wants healthy, and how many may go.

    minAvailable 2, 3 pods, all healthy            -> 1 may go
    maxUnavailable 25% of a deployment of 4        -> 3 must be healthy, 1 may go
    minAvailable 50% of 5                          -> 3 must be healthy (rounded up)

A number counts the pods that are there; a percentage, and maxUnavailable, what their controllers
want. Used by `disruptions.py`.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

from appliance.api.kinds.policy.poddisruptionbudget import PodDisruptionBudgetSpec

Scale = Callable[[], int]
"""How many pods the controllers of the pods want together."""


class Unscalable(Exception):
    """A pod's controller does not say how many pods it wants."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Pods that there should be, and how many of them healthy."""

    pods: int
    healthy: int


def wanted(spec: PodDisruptionBudgetSpec, pods: int, scale: Scale) -> Wanted:
    """What a budget asks for.

    Raises:
        Unscalable: it would have to know a size that nobody says.
    """
    if spec.maxUnavailable is not None:
        expected = scale()
        return Wanted(expected, max(0, expected - _of(spec.maxUnavailable, expected)))
    least = spec.minAvailable
    if least is None:
        return Wanted(pods, 0)
    if isinstance(least, int):
        return Wanted(pods, least)
    expected = scale()
    return Wanted(expected, _of(least, expected))


def allowed(wanted: Wanted, healthy: int) -> int:
    """How many may be evicted now."""
    return max(0, healthy - wanted.healthy) if wanted.pods > 0 else 0


def _of(value: int | str, total: int) -> int:
    """Percentages are rounded up."""
    if isinstance(value, int):
        return value
    return math.ceil(total * int(value.rstrip("%")) / 100)
