"""What a plugin of the scheduler is: a filter, a score, and a hint when to ask a filter again.

A filter's `prepare` looks at the pod once and gives a check that is then asked for each node, or
None where the pod does not concern it. A score's `rate` sees all candidates at once, because most
preferences compare nodes with each other. Both are pure over the snapshot. To add a rule, write
such a value and put it into the lists of `profile.py`.

    Filter("NodePorts", prepare=ports_free, helped_by=node_fits_now)
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from appliance.api.kinds.core.node import Node
from appliance.api.kinds.core.pod.kind import Pod
from appliance.control.scheduler.podinfo import PodInfo
from appliance.control.scheduler.snapshot import NodeView, Snapshot

BEST = 100.0
"""What the best node gets from a score before weights."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a node won't do, in upstream's words: users search for them."""

    reasons: tuple[str, ...]
    is_final: bool = False
    """Whether no pod that leaves the node could change it."""
    is_general: bool = False
    """Whether it is about the pod, whichever the node: said once, without a count."""


Check = Callable[[NodeView], Refusal | None]


@dataclass(frozen=True, slots=True)
class NodeChanged:
    """A node came (old is None) or changed in what can matter."""

    old: Node | None
    view: NodeView


@dataclass(frozen=True, slots=True)
class PodLeft:
    """A pod holds its room no longer, or is about to leave it for good."""

    pod: Pod
    node: str


@dataclass(frozen=True, slots=True)
class PodCame:
    """A pod is on a node, or has other labels there."""

    pod: Pod
    node: str


@dataclass(frozen=True, slots=True)
class OtherChanged:
    """An object of another kind, such as a claim or a volume, by its kind's name."""

    kind: str
    key: str


Prepare = Callable[[PodInfo, Snapshot], Check | None]
Change = NodeChanged | PodLeft | PodCame | OtherChanged
Hint = Callable[[PodInfo, Snapshot, Change], bool]


@dataclass(frozen=True, slots=True)
class Filter:
    """One rule that can keep a pod off a node."""

    name: str
    prepare: Prepare
    helped_by: Hint
    """Whether a change can make the rule let a pod pass that it refused. When in doubt: yes."""
    heeds: tuple[type[Change], ...] = (NodeChanged, PodLeft, PodCame, OtherChanged)
    """Kinds of changes for which the hint needs to be asked at all."""
    is_static: bool = False
    """Whether the answer hangs on `PodInfo.signature` and the node object alone, so that it can
    be kept until the node changes."""


@dataclass(frozen=True, slots=True)
class Score:
    """One preference: 0 to BEST for each candidate, or None where it likes all the same."""

    name: str
    rate: Callable[[PodInfo, Snapshot, Sequence[NodeView]], list[float] | None]


def always(_info: PodInfo, _snapshot: Snapshot, _change: Change) -> bool:
    """The hint of a rule that can't tell."""
    return True


def by_most(numbers: Sequence[float]) -> list[float] | None:
    """The most gets BEST, nothing gets 0."""
    most = max(numbers, default=0)
    return [BEST * number / most for number in numbers] if most > 0 else None


def by_fewest(numbers: Sequence[float]) -> list[float] | None:
    """Nothing gets BEST, the most gets 0."""
    most = max(numbers, default=0)
    return [BEST * (most - number) / most for number in numbers] if most > 0 else None


def between(numbers: Sequence[float]) -> list[float] | None:
    """The most gets BEST, the least gets 0."""
    least, most = min(numbers, default=0), max(numbers, default=0)
    if most <= least:
        return None
    return [BEST * (number - least) / (most - least) for number in numbers]
