"""Pure decisions about daemon pods: which nodes should have one, which pods go and come now.

`daemonsets.py` carries them out.

Source: kubernetes `pkg/controller/daemon/{daemon_controller,update}.go`, `util/daemonset_util.go`.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from appliance.api import nodeaffinity, taints
from appliance.api.kinds.apps.daemonset import DaemonSet, DaemonSetStatus
from appliance.api.kinds.core.node import Node, Taint
from appliance.api.kinds.core.pod.affinity import Affinity, NodeAffinity, Toleration
from appliance.api.kinds.core.pod.kind import Pod
from appliance.api.kinds.core.pod.spec import PodSpec
from appliance.api.kinds.core.references import (
    NodeSelector,
    NodeSelectorRequirement,
    NodeSelectorTerm,
)
from appliance.api.schema import IntOrString
from appliance.control.controllers import podstate
from appliance.control.controllers.revisions import HASH_LABEL

_NAME = "metadata.name"
_STAY = (taints.NOT_READY, taints.UNREACHABLE)
_COME = (
    "node.kubernetes.io/disk-pressure",
    "node.kubernetes.io/memory-pressure",
    "node.kubernetes.io/pid-pressure",
    taints.UNSCHEDULABLE,
)
_NETWORK = "node.kubernetes.io/network-unavailable"


def bind_to(spec: PodSpec, node_name: str) -> None:
    """Let the scheduler put the pod on this node only, and on it although it is in trouble."""
    here = NodeSelectorRequirement(key=_NAME, operator="In", values=[node_name])
    affinity = spec.affinity or Affinity()
    node_affinity = affinity.nodeAffinity or NodeAffinity()
    node_affinity.requiredDuringSchedulingIgnoredDuringExecution = NodeSelector(
        nodeSelectorTerms=[NodeSelectorTerm(matchFields=[here])]
    )
    affinity.nodeAffinity = node_affinity
    spec.affinity = affinity
    spec.tolerations = [*spec.tolerations, *_more_tolerations(spec)]


def _more_tolerations(spec: PodSpec) -> list[Toleration]:
    come = (*_COME, _NETWORK) if spec.hostNetwork else _COME
    wanted = [(key, taints.NO_EXECUTE) for key in _STAY]
    wanted += [(key, taints.NO_SCHEDULE) for key in come]
    return [Toleration(key=key, operator="Exists", effect=effect) for key, effect in wanted]


def node_of(pod: Pod) -> str:
    """The node it runs on or is meant for."""
    if pod.spec.nodeName:
        return pod.spec.nodeName
    affinity = pod.spec.affinity.nodeAffinity if pod.spec.affinity else None
    required = affinity.requiredDuringSchedulingIgnoredDuringExecution if affinity else None
    for term in required.nodeSelectorTerms if required else ():
        for requirement in term.matchFields:
            if requirement.key == _NAME and requirement.values:
                return requirement.values[0]
    return ""


@dataclass(frozen=True, slots=True)
class Fit:
    """Whether a node should get a pod, and whether one that is there may stay."""

    come: bool
    stay: bool


def fits(spec: PodSpec, node: Node) -> Fit:
    """Judge a node by the template's own words."""
    if spec.nodeName and spec.nodeName != node.metadata.name:
        return Fit(come=False, stay=False)
    if not nodeaffinity.allows(spec, node):
        return Fit(come=False, stay=False)
    tolerations = [*spec.tolerations, *_more_tolerations(spec)]
    found: list[Taint] = [*node.spec.taints]
    if node.spec.unschedulable:
        found.append(Taint(key=taints.UNSCHEDULABLE, effect=taints.NO_SCHEDULE))
    if taints.untolerated(found, tolerations, (taints.NO_EXECUTE,)):
        return Fit(come=False, stay=False)
    refused = taints.untolerated(found, tolerations, (taints.NO_SCHEDULE,))
    return Fit(come=not refused, stay=True)


@dataclass(slots=True)
class Work:
    """Nodes that get a pod, and pods that go; `failed` ones go, too, and are told about."""

    create: list[str] = field(default_factory=list)
    delete: list[Pod] = field(default_factory=list)
    failed: list[Pod] = field(default_factory=list)


def by_node(pods: Iterable[Pod]) -> dict[str, list[Pod]]:
    """Pods of each node, the oldest first."""
    found: dict[str, list[Pod]] = {}
    for pod in sorted(pods, key=lambda p: (podstate.created_at(p), p.metadata.name)):
        found.setdefault(node_of(pod), []).append(pod)
    return found


def manage(nodes: Mapping[str, Fit], pods: Mapping[str, Sequence[Pod]], *, surge: bool) -> Work:
    """One pod on each node that should have one, none elsewhere; the template's age is no matter.

    With `surge` an old and a new one may be side by side, which `roll` sees to.
    """
    work = Work()
    for name, fit in nodes.items():
        there = [p for p in pods.get(name, ()) if p.metadata.deletionTimestamp is None]
        ended = [p for p in there if podstate.has_ended(p)]
        running = [p for p in there if p not in ended]
        if not fit.stay:
            work.delete += there
            continue
        work.failed += ended
        if not running and not ended and fit.come and not pods.get(name):
            work.create.append(name)
        work.delete += running[_allowed(running, surge=surge) :]
    for name, some in pods.items():  # nodes that are gone
        if name and name not in nodes:
            work.delete += [p for p in some if p.metadata.deletionTimestamp is None]
    return work


def _allowed(running: Sequence[Pod], *, surge: bool) -> int:
    hashes = {p.metadata.labels.get(HASH_LABEL) for p in running}
    return 2 if surge and len(hashes) > 1 else 1


def roll(
    daemons: DaemonSet,
    nodes: Mapping[str, Fit],
    pods: Mapping[str, Sequence[Pod]],
    *,
    mark: str,
    now: float,
) -> Work:
    """One step of replacing pods that do not bear `mark`."""
    strategy = daemons.spec.updateStrategy
    if strategy.type != "RollingUpdate":
        return Work()
    places = [
        _Place.of(daemons, name, pods.get(name, ()), mark=mark, now=now)
        for name, fit in nodes.items()
        if fit.come
    ]
    rolling = strategy.rollingUpdate
    surge = _resolve(rolling.maxSurge if rolling else 0, len(places))
    if surge:
        return _surge(places, surge)
    return _replace(places, _resolve(rolling.maxUnavailable if rolling else 1, len(places)) or 1)


@dataclass(frozen=True, slots=True)
class _Place:
    """A node's daemon pods: of the new template and of older ones, and whether one is available."""

    name: str
    new: list[Pod]
    old: list[Pod]
    new_serves: bool
    old_serves: bool

    @classmethod
    def of(
        cls, daemons: DaemonSet, name: str, pods: Sequence[Pod], *, mark: str, now: float
    ) -> "_Place":
        alive = [p for p in pods if podstate.is_active(p)]
        new = [p for p in alive if p.metadata.labels.get(HASH_LABEL) == mark]
        old = [p for p in alive if p not in new]
        min_ready_s = daemons.spec.minReadySeconds

        def serve(some: Sequence[Pod]) -> bool:
            return any(podstate.available_in(p, min_ready_s, now) == 0.0 for p in some)

        return cls(name, new, old, serve(new), serve(old))


def _replace(places: Sequence[_Place], missing: int) -> Work:
    """Old pods go first; at most `missing` nodes are without one that serves."""
    waiting = sum(not place.new_serves and not place.old_serves for place in places)
    free = [p for place in places if place.old and not place.old_serves for p in place.old]
    candidates = [p for place in places if place.old and place.old_serves for p in place.old]
    return Work(delete=free + candidates[: max(0, missing - waiting)])


def _surge(places: Sequence[_Place], surge: int) -> Work:
    """New pods come first, on at most `surge` nodes at a time; old ones go when the new serves."""
    coming = sum(bool(place.new) and not place.new_serves for place in places)
    replaced = [p for place in places if place.new_serves for p in place.old]
    without = [place for place in places if place.old and not place.new]
    free = [place.name for place in without if not place.old_serves]
    candidates = [place.name for place in without if place.old_serves]
    return Work(create=free + candidates[: max(0, surge - coming)], delete=replaced)


def counted(
    daemons: DaemonSet,
    nodes: Mapping[str, Fit],
    pods: Mapping[str, Sequence[Pod]],
    *,
    mark: str,
    now: float,
) -> tuple[DaemonSetStatus, float | None]:
    """The status, and when it changes by time alone."""
    status = DaemonSetStatus(
        currentNumberScheduled=0,
        numberMisscheduled=0,
        desiredNumberScheduled=0,
        numberReady=0,
        observedGeneration=daemons.metadata.generation,
        collisionCount=daemons.status.collisionCount,
        conditions=daemons.status.conditions,
    )
    waits: list[float] = []
    for name, fit in nodes.items():
        there = [p for p in pods.get(name, ()) if not podstate.has_ended(p)]
        if not fit.come:
            status.numberMisscheduled += bool(there)
            continue
        status.desiredNumberScheduled += 1
        if not there:
            continue
        status.currentNumberScheduled += 1
        pod = next((p for p in there if podstate.is_ready(p)), there[0])
        status.numberReady += podstate.is_ready(pod)
        status.updatedNumberScheduled += any(
            p.metadata.labels.get(HASH_LABEL) == mark for p in there
        )
        wait = podstate.available_in(pod, daemons.spec.minReadySeconds, now)
        status.numberAvailable += wait == 0.0
        waits += [wait] if wait else []
    status.numberUnavailable = status.desiredNumberScheduled - status.numberAvailable
    return status, min(waits, default=None)


def _resolve(value: IntOrString | None, total: int) -> int:
    if isinstance(value, str):
        return math.ceil(total * int(value.rstrip("%")) / 100)
    return value or 0
