"""Pure: who has to go first when the node runs short, and what it is told.

As upstream has it: those that use more than they asked for before those that don't, of these the
less important before the more important, of these the ones that exceed by most. Critical pods
(static ones, and those of system priority) are never put out: nobody would do their work.

Source: Kubernetes documentation, "Pod selection for kubelet eviction".
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from appliance.api.kinds.core.pod.kind import Pod
from appliance.api.quantity import value
from appliance.node.pressure.judge import RESOURCES
from appliance.node.pressure.levels import Level
from appliance.node.pressure.thresholds import Threshold
from appliance.node.sources.base import is_static

SYSTEM_CRITICAL = 2_000_000_000


@dataclass(frozen=True, slots=True)
class Use:
    """What one pod takes of the thing that is short, by container, and what it asked for."""

    pod: Pod
    used: Mapping[str, int]
    asked: int = 0

    @property
    def total(self) -> int:
        """All containers together."""
        return sum(self.used.values())


def is_critical(pod: Pod) -> bool:
    """Whether a pod stays whatever happens."""
    return is_static(pod) or (pod.spec.priority or 0) >= SYSTEM_CRITICAL


def ranked(uses: Iterable[Use]) -> list[Use]:
    """Those that may be put out, the first to go first."""
    candidates = [use for use in uses if not is_critical(use.pod)]
    return sorted(
        candidates,
        key=lambda use: (
            use.total <= use.asked,
            use.pod.spec.priority or 0,
            use.asked - use.total,
        ),
    )


def message(use: Use, threshold: Threshold, level: Level) -> str:
    """What stands in the pod's status."""
    resource = RESOURCES[threshold.signal]
    text = (
        f"The node was low on resource: {resource}. "
        f"Threshold quantity: {threshold.amount.text}, available: {_shown(level.available)}. "
    )
    for container in use.pod.spec.containers:
        used = use.used.get(container.name, 0)
        asked = value(container.resources.requests.get(resource, 0))
        if used > asked:
            text += (
                f"Container {container.name} was using {_shown(used)}, request is "
                f"{_shown(asked)}, has larger consumption of {resource}. "
            )
    return text


def _shown(number: int) -> str:
    return f"{number // 1024}Ki" if number >= 1024 else str(number)
