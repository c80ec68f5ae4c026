"""Preferences about a node by itself: room, affinity, taints, images.

Each sees all candidates at once and gives 0 to BEST; weights stand in `profile.py`.
"""

from collections.abc import Mapping, Sequence

from appliance.api import nodeaffinity, taints
from appliance.control.scheduler.base import BEST, Score, by_fewest, by_most
from appliance.control.scheduler.podinfo import CPU, MEMORY, PodInfo
from appliance.control.scheduler.snapshot import NodeView, Snapshot

# Image sizes below the first are not worth a detour, those above the second count as one.
IMAGE_MIN, IMAGE_MAX = 23 * 1024 * 1024, 1000 * 1024 * 1024

EVEN: Mapping[str, int] = {CPU: 1, MEMORY: 1}
"""Which resources count, and how much."""


def least_allocated(weights: Mapping[str, int] = EVEN) -> Score:
    """Prefer nodes with much left: spreads the load."""

    def rate(info: PodInfo, _snapshot: Snapshot, nodes: Sequence[NodeView]) -> list[float]:
        return [BEST - BEST * used for used in _used(info, nodes, weights)]

    return Score("NodeResourcesFit", rate)


def most_allocated(weights: Mapping[str, int] = EVEN) -> Score:
    """Prefer nodes with little left: packs, so that others can be switched off."""

    def rate(info: PodInfo, _snapshot: Snapshot, nodes: Sequence[NodeView]) -> list[float]:
        return [BEST * used for used in _used(info, nodes, weights)]

    return Score("NodeResourcesFit", rate)


def by_shape(shape: Sequence[tuple[int, int]], weights: Mapping[str, int] = EVEN) -> Score:
    """Prefer nodes by a curve: points of (percent used, 0 to 10), straight lines between."""

    def rate(info: PodInfo, _snapshot: Snapshot, nodes: Sequence[NodeView]) -> list[float]:
        return [_on_curve(shape, 100.0 * used) for used in _used(info, nodes, weights)]

    return Score("NodeResourcesFit", rate)


def balanced(info: PodInfo, _snapshot: Snapshot, nodes: Sequence[NodeView]) -> list[float]:
    """Prefer nodes whose CPU and memory would be used to the same share."""
    cpu, memory, half = info.cpu, info.memory, BEST / 2
    return [
        BEST - half * abs((v.cpu + cpu) * v.cpu_scale - (v.memory + memory) * v.memory_scale)
        for v in nodes
    ]


def liked(info: PodInfo, _snapshot: Snapshot, nodes: Sequence[NodeView]) -> list[float] | None:
    """Preferred node affinity."""
    affinity = info.pod.spec.affinity
    if affinity is None or affinity.nodeAffinity is None:
        return None
    if not affinity.nodeAffinity.preferredDuringSchedulingIgnoredDuringExecution:
        return None
    return by_most([nodeaffinity.preference(info.pod.spec, view.node) for view in nodes])


def untainted(info: PodInfo, snapshot: Snapshot, nodes: Sequence[NodeView]) -> list[float] | None:
    """Avoid PreferNoSchedule taints."""
    if not snapshot.shunned:
        return None
    effects, tolerations = (taints.PREFER_NO_SCHEDULE,), info.pod.spec.tolerations
    return by_fewest(
        [
            len(taints.untolerated(view.node.spec.taints, tolerations, effects))
            if view.name in snapshot.shunned
            else 0
            for view in nodes
        ]
    )


def has_images(info: PodInfo, snapshot: Snapshot, nodes: Sequence[NodeView]) -> list[float] | None:
    """Prefer nodes that need not pull much; an image that few have counts less.

    Else all pods would go to the one node that pulled first.
    """
    known = [
        (snapshot.images[i], len(snapshot.images[i])) for i in info.images if i in snapshot.images
    ]
    if not known:
        return None
    most = IMAGE_MAX * len(info.images)
    span = most - IMAGE_MIN
    total = len(snapshot.nodes)
    sums = [sum(sizes.get(v.name, 0) * spread for sizes, spread in known) // total for v in nodes]
    return [BEST * (min(max(size, IMAGE_MIN), most) - IMAGE_MIN) / span for size in sums]


def _used(info: PodInfo, nodes: Sequence[NodeView], weights: Mapping[str, int]) -> list[float]:
    """The share of its room that each node would use with this pod, over some resources.

    Over 1 where containers that ask for nothing are taken to use more than there is.
    """
    cpu, memory = info.cpu, info.memory
    if weights == EVEN:  # the usual case, written out: it is worked out for each candidate
        return [
            ((v.cpu + cpu) * v.cpu_scale + (v.memory + memory) * v.memory_scale) / 2 for v in nodes
        ]
    all_ = sum(weights.values())
    return [sum(w * _share(info, v, name) for name, w in weights.items()) / all_ for v in nodes]


def _share(info: PodInfo, view: NodeView, name: str) -> float:
    if name == CPU:
        return (view.cpu + info.cpu) * view.cpu_scale
    if name == MEMORY:
        return (view.memory + info.memory) * view.memory_scale
    total = view.allocatable.get(name, 0)
    used = total - view.free.get(name, 0) + info.requests.get(name, 0)
    return used / (total or max(used, 1))


def _on_curve(shape: Sequence[tuple[int, int]], used: float) -> float:
    left_at, left = shape[0]
    if used <= left_at:
        return 10.0 * left
    for at, points in shape[1:]:
        if used <= at:
            return 10.0 * (left + (points - left) * (used - left_at) / (at - left_at))
        left_at, left = at, points
    return 10.0 * left


NODE_AFFINITY = Score("NodeAffinity", liked)
TAINT_TOLERATION = Score("TaintToleration", untainted)
IMAGE_LOCALITY = Score("ImageLocality", has_images)
BALANCED = Score("NodeResourcesBalancedAllocation", balanced)
