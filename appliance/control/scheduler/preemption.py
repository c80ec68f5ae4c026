"""Which pods must go so that a more important one fits: pure choices over a snapshot.

On each node that more room could help, all pods of lower priority are taken out in thought; if
the pod fits then, they are let back in one by one, the most important first and those whose
disruption budget would be broken before all others, as long as the pod still fits. What stays out
are that node's victims: none of them could stay. Of the nodes the one with the least harm is
taken. Sources: Kubernetes documentation, "Pod Priority and Preemption"; upstream's order of harm.

    free 0; low-1 (prio 1), low-2 (prio 2), each half a node; the pod needs half a node
    out: both → fits; low-2 back → fits; low-1 back → does not: low-1 is the victim
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from appliance.api.kinds.core.pod.kind import Pod
from appliance.control.scheduler.algorithm import Chooser, Unfit, explain
from appliance.control.scheduler.base import Refusal
from appliance.control.scheduler.podinfo import PodInfo
from appliance.control.scheduler.snapshot import NodeView, Snapshot

NO_HELP = Refusal(("Preemption is not helpful for scheduling",))
NO_VICTIMS = Refusal(("No preemption victims found for incoming pod",))
NOT_ALLOWED = "not eligible due to preemptionPolicy=Never."
ON_ITS_WAY = "not eligible due to a terminating pod on the nominated node."

CANDIDATES_MIN = 100
"""So many nodes with victims are compared, or a tenth of all nodes if that is more."""

Allowed = Callable[[Pod], Sequence[str]]
"""Names of the disruption budgets that a pod counts against."""


@dataclass(frozen=True, slots=True)
class Budgets:
    """Disruptions that are still allowed, by budget, and which budgets are about a pod."""

    left: Mapping[str, int]
    about: Allowed


NO_BUDGETS = Budgets({}, lambda _: ())


@dataclass(frozen=True, slots=True)
class Plan:
    """Who goes where, so that the pod can come there."""

    node: str
    victims: tuple[PodInfo, ...]
    broken: int = 0
    """How many of them break a disruption budget."""


@dataclass(frozen=True, slots=True)
class NoPlan:
    """Nobody can be pushed out; `message` goes behind the scheduler's words."""

    message: str
    is_under_way: bool = False
    """Whether victims of an earlier round are still leaving."""


def plan(
    info: PodInfo,
    unfit: Unfit,
    chooser: Chooser,
    snapshot: Snapshot,
    *,
    budgets: Budgets = NO_BUDGETS,
) -> Plan | NoPlan:
    """Find the node and the victims with the least harm."""
    if info.pod.spec.preemptionPolicy == "Never":
        return NoPlan(NOT_ALLOWED)
    if _is_under_way(info, snapshot):
        return NoPlan(ON_ITS_WAY, is_under_way=True)
    words: list[Refusal] = []
    plans: list[Plan] = []
    enough = max(CANDIDATES_MIN, len(snapshot.nodes) // 10)
    is_anybody_lower = any(priority < info.priority for priority in snapshot.priorities)
    for view in snapshot.order:
        refusal = unfit.refusals.get(view.name)
        if refusal is None or refusal.is_final:
            words.append(NO_HELP)
            continue
        found = None
        if is_anybody_lower:
            found = victims(info, view, chooser, snapshot, budgets=budgets)
        if found is None:
            words.append(NO_VICTIMS)
            continue
        plans.append(found)
        if len(plans) >= enough:
            break
    if not plans:
        return NoPlan(explain(len(snapshot.nodes), words))
    return min(plans, key=_harm)


def victims(
    info: PodInfo,
    view: NodeView,
    chooser: Chooser,
    snapshot: Snapshot,
    *,
    budgets: Budgets = NO_BUDGETS,
) -> Plan | None:
    """Who must leave one node; None if it does not help, or nobody is less important."""
    lower = [other for other in view.pods.values() if other.priority < info.priority]
    if not lower:
        return None
    lower.sort(key=_importance)
    breaking, others = _by_budget(lower, budgets)
    out = dict.fromkeys(lower)
    with snapshot.trying(view.name, without=lower):
        if chooser.why_not(info, snapshot, view) is not None:
            return None
        broken = 0
        for other in (*breaking, *others):
            snapshot.place(other, view.name)
            if chooser.why_not(info, snapshot, view) is None:
                del out[other]
                continue
            snapshot.remove(other.uid)
            broken += other in breaking
    return Plan(view.name, tuple(out), broken) if out else None


def _is_under_way(info: PodInfo, snapshot: Snapshot) -> bool:
    """Whether victims of an earlier round are still leaving."""
    view = snapshot.nodes.get(snapshot.nomination(info.uid))
    return view is not None and any(
        other.priority < info.priority and other.pod.metadata.deletionTimestamp is not None
        for other in view.pods.values()
    )


def _importance(info: PodInfo) -> tuple[int, str]:
    """The most important first: by priority, then those that have run longest."""
    return -info.priority, _since(info)


def _since(info: PodInfo) -> str:
    return info.pod.status.startTime or "9"  # one that has not started is the youngest


def _by_budget(lower: Sequence[PodInfo], budgets: Budgets) -> tuple[list[PodInfo], list[PodInfo]]:
    """Those that would break a budget, if all went in this order, and the others."""
    left = dict(budgets.left)
    breaking: list[PodInfo] = []
    others: list[PodInfo] = []
    for info in lower:
        about = budgets.about(info.pod)
        for name in about:
            left[name] = left.get(name, 0) - 1
        (breaking if any(left[name] < 0 for name in about) else others).append(info)
    return breaking, others


def _harm(plan: Plan) -> tuple[object, ...]:
    """Less is better: budgets broken, highest priority, sum, number, then the latest start."""
    priorities = [victim.priority for victim in plan.victims]
    most = max(priorities)
    # Priorities may be negative: shifted, that more victims of low priority are never less harm.
    shifted = sum(priority + 2**31 for priority in priorities)
    oldest = min(_since(victim) for victim in plan.victims if victim.priority == most)
    later_first = tuple(-ord(letter) for letter in oldest)
    return plan.broken, most, shifted, len(priorities), later_first
