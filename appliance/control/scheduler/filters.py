"""Rules about a node by itself and about the room on it. Those about company: `company.py`.

Called by `algorithm.py` in the order of `profile.py`; the first that objects speaks for the node.
"""

from appliance.api import nodeaffinity, taints
from appliance.api.kinds.core.node import Taint
from appliance.control.scheduler.base import (
    Change,
    Check,
    Filter,
    Hint,
    NodeChanged,
    PodLeft,
    Prepare,
    Refusal,
)
from appliance.control.scheduler.podinfo import PODS, PodInfo
from appliance.control.scheduler.snapshot import NodeView, Snapshot

_CORDON = Taint(key=taints.UNSCHEDULABLE, effect=taints.NO_SCHEDULE)
_FORBIDDING = (taints.NO_SCHEDULE, taints.NO_EXECUTE)

UNSCHEDULABLE = Refusal(("node(s) were unschedulable",), is_final=True)
UNTOLERATED = Refusal(("node(s) had untolerated taint(s)",), is_final=True)
NO_AFFINITY = Refusal(("node(s) didn't match Pod's node affinity/selector",), is_final=True)
NO_PORTS = Refusal(("node(s) didn't have free ports for the requested pod ports",))


def schedulable(info: PodInfo, _snapshot: Snapshot) -> Check | None:
    """`kubectl cordon` keeps new pods away."""
    if taints.is_tolerated(_CORDON, info.pod.spec.tolerations):
        return None
    return lambda view: UNSCHEDULABLE if view.node.spec.unschedulable else None


def tolerated(info: PodInfo, _snapshot: Snapshot) -> Check:
    """Taints that forbid need a toleration."""
    tolerations = info.pod.spec.tolerations

    def check(view: NodeView) -> Refusal | None:
        left = taints.untolerated(view.node.spec.taints, tolerations, _FORBIDDING)
        return UNTOLERATED if left else None

    return check


def affine(info: PodInfo, _snapshot: Snapshot) -> Check | None:
    """NodeSelector and required node affinity."""
    spec = info.pod.spec
    if not spec.nodeSelector and spec.affinity is None:
        return None
    return lambda view: None if nodeaffinity.allows(spec, view.node) else NO_AFFINITY


def ports_free(info: PodInfo, _snapshot: Snapshot) -> Check | None:
    """Two pods never share a host port."""
    wanted = info.ports
    if not wanted:
        return None

    def check(view: NodeView) -> Refusal | None:
        clash = any(port.clashes(taken) for port in wanted for taken in view.ports)
        return NO_PORTS if clash else None

    return check


def room(info: PodInfo, _snapshot: Snapshot) -> Check:
    """Requests must fit into what is allocatable; a node that names no amount has none."""
    wanted = tuple(info.requests.items())

    def check(view: NodeView) -> Refusal | None:
        free = view.free
        for name, amount in wanted:
            if amount > free.get(name, 0):
                return _short(info, view)
        return None

    return check


def _short(info: PodInfo, view: NodeView) -> Refusal:
    reasons = []
    is_final = False
    for name, amount in info.requests.items():
        total = view.allocatable.get(name, 0)
        if amount > view.free.get(name, 0):
            reasons.append("Too many pods" if name == PODS else f"Insufficient {name}")
            is_final = is_final or (amount > total and name != PODS)
    return Refusal(tuple(reasons), is_final)


def _node_passes(prepare: Prepare) -> Hint:
    """Help comes from a node that changed and that the rule lets the pod onto now."""

    def helps(info: PodInfo, snapshot: Snapshot, change: Change) -> bool:
        if not isinstance(change, NodeChanged):
            return False
        check = prepare(info, snapshot)
        return check is None or check(change.view) is None

    return helps


def _node_or_leaver(prepare: Prepare) -> Hint:
    """The same, and from a pod that leaves room behind on a node."""
    by_node = _node_passes(prepare)

    def helps(info: PodInfo, snapshot: Snapshot, change: Change) -> bool:
        if isinstance(change, PodLeft):
            view = snapshot.nodes.get(change.node)
            return view is not None and by_node(info, snapshot, NodeChanged(view.node, view))
        return by_node(info, snapshot, change)

    return helps


def _static(name: str, prepare: Prepare) -> Filter:
    return Filter(name, prepare, _node_passes(prepare), heeds=(NodeChanged,), is_static=True)


def _by_room(name: str, prepare: Prepare) -> Filter:
    return Filter(name, prepare, _node_or_leaver(prepare), heeds=(NodeChanged, PodLeft))


NODE_UNSCHEDULABLE = _static("NodeUnschedulable", schedulable)
TAINT_TOLERATION = _static("TaintToleration", tolerated)
NODE_AFFINITY = _static("NodeAffinity", affine)
NODE_PORTS = _by_room("NodePorts", ports_free)
NODE_RESOURCES_FIT = _by_room("NodeResourcesFit", room)
