"""Which rules a scheduler of some name applies, in order, and how much it heeds each preference.

A `Profile()` has upstream's defaults; `settings.py` makes others from a file.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from appliance.control.scheduler import scores
from appliance.control.scheduler.base import Filter, Score
from appliance.control.scheduler.company import INTER_POD_AFFINITY, liked_company
from appliance.control.scheduler.disks import VOLUME_RESTRICTIONS
from appliance.control.scheduler.filters import (
    NODE_AFFINITY,
    NODE_PORTS,
    NODE_RESOURCES_FIT,
    NODE_UNSCHEDULABLE,
    TAINT_TOLERATION,
)
from appliance.control.scheduler.spread import EVENLY, POD_TOPOLOGY_SPREAD

NAME = "default-scheduler"

FILTERS: tuple[Filter, ...] = (
    NODE_UNSCHEDULABLE,
    TAINT_TOLERATION,
    NODE_AFFINITY,
    NODE_PORTS,
    NODE_RESOURCES_FIT,
    VOLUME_RESTRICTIONS,
    POD_TOPOLOGY_SPREAD,
    INTER_POD_AFFINITY,
)

SCORES: tuple[tuple[Score, int], ...] = (
    (scores.TAINT_TOLERATION, 3),
    (scores.NODE_AFFINITY, 2),
    (EVENLY, 2),
    (liked_company(), 2),
    (scores.least_allocated(), 1),
    (scores.BALANCED, 1),
    (scores.IMAGE_LOCALITY, 1),
)

MANY_NODES = 100
"""Up to so many nodes all are looked at; of more a sample, that cost does not grow with them."""


@dataclass(frozen=True, slots=True)
class Profile:
    """One scheduler by name: pods choose it by spec.schedulerName."""

    name: str = NAME
    filters: tuple[Filter, ...] = FILTERS
    scores: tuple[tuple[Score, int], ...] = SCORES
    preempts: bool = True
    """Whether pods may push out others of lower priority."""
    percent: int = 0
    """Share of the nodes that are to fit before the search ends; 0 is adaptive, as upstream's
    percentageOfNodesToScore: half of 100 nodes, less of more, 5 % at the least."""
    static: tuple[Filter, ...] = field(init=False)
    dynamic: tuple[Filter, ...] = field(init=False)

    def __post_init__(self) -> None:
        """Sort the rules out by what their answers hang on."""
        object.__setattr__(self, "static", tuple(f for f in self.filters if f.is_static))
        object.__setattr__(self, "dynamic", tuple(f for f in self.filters if not f.is_static))

    def enough(self, nodes: int) -> int:
        """After how many fitting nodes the search may end."""
        if nodes < MANY_NODES or self.percent >= 100:
            return nodes
        percent = self.percent or max(5, 50 - nodes // 125)
        return max(MANY_NODES, nodes * percent // 100)

    def plus(self, more: Sequence[Filter]) -> "Profile":
        """The same with rules that need more than the snapshot (volumes)."""
        return replace(self, filters=(*self.filters, *more)) if more else self
