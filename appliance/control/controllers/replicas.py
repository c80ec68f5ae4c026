"""Pure decisions about replicas: which pods are mine, which go first, what the status says.

`replicating.py` carries them out. Order of deletion and status fields follow upstream
(`pkg/controller/controller_utils.go`, `replicaset`).
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

from appliance.api.kinds.core.pod.kind import Pod
from appliance.api.labels import Selector
from appliance.api.objects import controller_of
from appliance.control.controllers import podstate

BURST = 500
"""Most pods created or deleted in one pass; the rest follows when the cache shows these."""

_PHASES = {"Pending": 0, "Unknown": 1, "Running": 2}
_COST = "controller.kubernetes.io/pod-deletion-cost"


@dataclass(frozen=True, slots=True)
class Claims:
    """Which pods an owner has, should take, and should let go."""

    mine: tuple[Pod, ...]
    adopt: tuple[Pod, ...]
    release: tuple[Pod, ...]


def claims(uid: str, selector: Selector, pods: Iterable[Pod]) -> Claims:
    """Sort active pods into mine, to adopt and to release; pods of other owners are left out."""
    mine: list[Pod] = []
    adopt: list[Pod] = []
    release: list[Pod] = []
    for pod in filter(podstate.is_active, pods):
        ref = controller_of(pod)
        fits = selector.matches(pod.metadata.labels)
        if ref is not None and ref.uid == uid:
            (mine if fits else release).append(pod)
        elif ref is None and fits:
            adopt.append(pod)
    return Claims(tuple(mine), tuple(adopt), tuple(release))


def victims(pods: Sequence[Pod], count: int) -> list[Pod]:
    """The `count` pods whose loss costs least, those to delete first in front.

    Unscheduled before scheduled, pending before running, unready before ready, cheap before dear,
    crowded nodes before others, then the shorter ready, the oftener restarted, the younger.
    """
    crowd = Counter(pod.spec.nodeName for pod in pods)

    def order(pod: Pod) -> tuple[float, ...]:
        return (
            1 if pod.spec.nodeName else 0,
            _PHASES.get(pod.status.phase, 0),
            1 if podstate.is_ready(pod) else 0,
            _deletion_cost(pod),
            -crowd[pod.spec.nodeName],
            -(podstate.ready_since(pod) or 0.0),
            -podstate.restarts(pod),
            -podstate.created_at(pod),
        )

    return sorted(pods, key=order)[:count]


def batches(total: int) -> Iterator[int]:
    """Sizes 1, 2, 4, … that add up to `total`: where creation fails, it fails few times."""
    size = 1
    while total > 0:
        yield min(size, total)
        total -= size
        size *= 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """What a status says, and when it will say something else by time alone."""

    replicas: int
    labelled: int
    ready: int
    available: int
    changes_in_s: float | None


def counts(
    pods: Sequence[Pod], template_labels: dict[str, str], *, min_ready_s: int, now: float
) -> Counts:
    """Count replicas as the status shows them."""
    waits = [podstate.available_in(pod, min_ready_s, now) for pod in pods]
    pending = [wait for wait in waits if wait]
    return Counts(
        replicas=len(pods),
        labelled=sum(template_labels.items() <= pod.metadata.labels.items() for pod in pods),
        ready=sum(map(podstate.is_ready, pods)),
        available=sum(wait == 0.0 for wait in waits),
        changes_in_s=min(pending) if pending else None,
    )


def together(*groups: Iterable[Pod]) -> list[Pod]:
    """All pods of several groups, each once."""
    return list({pod.metadata.uid: pod for pod in chain(*groups)}.values())


def _deletion_cost(pod: Pod) -> int:
    try:
        return int(pod.metadata.annotations.get(_COST, "0"))
    except ValueError:
        return 0
