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
        return [BEST * (1.0 - _used(info, view, weights)) for view in nodes]

    return Score("NodeResourcesFit", rate)


def most_allocated(weights: Mapping[str, int] = EVEN) -> Score:
    """Prefer nodes with little left: packs, so that others can be switched off."""

    def rate(info: PodInfo, _snapshot: Snapshot, nodes: Sequence[NodeView]) -> list[float]:
        return [BEST * _used(info, view, weights) for view in nodes]

    return Score("NodeResourcesFit", rate)


def by_shape(shape: Sequence[tuple[int, int]], weights: Mapping[str, int] = EVEN) -> Score:
    """Prefer nodes by a curve: points of (percent used, 0 to 10), straight lines between."""

    def rate(info: PodInfo, _snapshot: Snapshot, nodes: Sequence[NodeView]) -> list[float]:
        return [_on_curve(shape, 100.0 * _used(info, view, weights)) for view in nodes]

    return Score("NodeResourcesFit", rate)


def balanced(info: PodInfo, _snapshot: Snapshot, nodes: Sequence[NodeView]) -> list[float]:
    """Prefer nodes whose CPU and memory would be used to the same share."""
    sums = []
    for view in nodes:
        cpu = _share(view.cpu + info.cpu, view.allocatable.get(CPU, 0))
        memory = _share(view.memory + info.memory, view.allocatable.get(MEMORY, 0))
        sums.append(BEST * (1.0 - abs(cpu - memory) / 2))
    return sums


def liked(info: PodInfo, _snapshot: Snapshot, nodes: Sequence[NodeView]) -> list[float] | None:
    """Preferred node affinity."""
    affinity = info.pod.spec.affinity
    if affinity is None or affinity.nodeAffinity is None:
        return None
    if not affinity.nodeAffinity.preferredDuringSchedulingIgnoredDuringExecution:
        return None
    return by_most([nodeaffinity.preference(info.pod.spec, view.node) for view in nodes])


def untainted(info: PodInfo, _snapshot: Snapshot, nodes: Sequence[NodeView]) -> list[float] | None:
    """Avoid PreferNoSchedule taints."""
    effects, tolerations = (taints.PREFER_NO_SCHEDULE,), info.pod.spec.tolerations
    return by_fewest(
        [
            len(taints.untolerated(view.node.spec.taints, tolerations, effects))
            if view.node.spec.taints
            else 0
            for view in nodes
        ]
    )


def has_images(info: PodInfo, _snapshot: Snapshot, nodes: Sequence[NodeView]) -> list[float] | None:
    """Prefer nodes that need not pull much."""
    there = [
        sum(view.images.get(image, 0) for image in info.images) if view.images else 0
        for view in nodes
    ]
    if not any(there):
        return None
    most = IMAGE_MAX * len(info.images)
    span = most - IMAGE_MIN
    return [BEST * (min(max(size, IMAGE_MIN), most) - IMAGE_MIN) / span for size in there]


def _used(info: PodInfo, view: NodeView, weights: Mapping[str, int]) -> float:
    """The share of its room that a node would use with this pod, over some resources."""
    if weights is EVEN:  # the usual case, without a loop: it is asked for each candidate
        room = view.allocatable
        cpu = _share(view.cpu + info.cpu, room.get(CPU, 0))
        return (cpu + _share(view.memory + info.memory, room.get(MEMORY, 0))) / 2
    total = 0.0
    for name, weight in weights.items():
        presumed = {CPU: view.cpu + info.cpu, MEMORY: view.memory + info.memory}.get(name)
        if presumed is None:
            presumed = view.requested.get(name, 0) + info.requests.get(name, 0)
        total += weight * _share(presumed, view.allocatable.get(name, 0))
    return total / sum(weights.values())


def _share(used: int, room: int) -> float:
    return used / room if 0 < used < room else float(used > 0)


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
