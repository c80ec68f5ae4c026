"""One pure function per preference: how much each of the fitting nodes is liked, 0 to 100.

Each sees all candidates at once, because most preferences compare nodes with each other.
`SCORES` is the list with weights; weights follow upstream's defaults.
"""

from collections.abc import Callable, Sequence

from appliance.api import nodeaffinity, taints
from appliance.api.kinds.core.pod.kind import Pod
from appliance.control.scheduler.filters import Wanted
from appliance.control.scheduler.snapshot import CPU, MEMORY, NodeView

BEST = 100.0

# What a container that asks for nothing is taken to use, so that such pods spread too.
ASSUMED = {CPU: 100, MEMORY: 200 * 1024 * 1024}

# Image sizes below the first are not worth a detour, those above the second count as one.
IMAGE_MIN, IMAGE_MAX = 23 * 1024 * 1024, 1000 * 1024 * 1024


def least_allocated(wanted: Wanted, nodes: Sequence[NodeView]) -> list[float]:
    """Prefer nodes with much CPU and memory left."""
    return [sum(_free_share(wanted, node, name) for name in (CPU, MEMORY)) / 2 for node in nodes]


def spread(wanted: Wanted, nodes: Sequence[NodeView]) -> list[float]:
    """Prefer nodes with few pods of the same owner, or of the same labels if nobody owns it."""
    twins = [sum(_are_twins(wanted.pod, other) for other in node.pods) for node in nodes]
    return _fewest(twins)


def liked(wanted: Wanted, nodes: Sequence[NodeView]) -> list[float]:
    """Preferred node affinity."""
    weights = [nodeaffinity.preference(wanted.pod.spec, node.node) for node in nodes]
    most = max(weights, default=0)
    return [BEST * weight / most if most else 0.0 for weight in weights]


def untainted(wanted: Wanted, nodes: Sequence[NodeView]) -> list[float]:
    """Avoid PreferNoSchedule taints."""
    effects = (taints.PREFER_NO_SCHEDULE,)
    tolerations = wanted.pod.spec.tolerations
    return _fewest(
        [len(taints.untolerated(n.node.spec.taints, tolerations, effects)) for n in nodes]
    )


def in_liked_company(wanted: Wanted, nodes: Sequence[NodeView]) -> list[float]:
    """Preferred affinity and anti-affinity between pods."""
    pulls = wanted.survey.pulls
    sums = [
        sum(
            pull for (key, value), pull in pulls.items() if n.node.metadata.labels.get(key) == value
        )
        for n in nodes
    ]
    least, most = min(sums, default=0), max(sums, default=0)
    return [BEST * (s - least) / (most - least) if most > least else 0.0 for s in sums]


def evenly(wanted: Wanted, nodes: Sequence[NodeView]) -> list[float]:
    """Topology spread constraints that only wish."""
    soft = [spread for spread in wanted.survey.spreads if not spread.is_hard]
    if not soft:
        return [0.0] * len(nodes)
    # A node outside all domains counts as the fullest: it would not spread anything.
    worst = [max(spread.counts.values(), default=0) for spread in soft]
    return _fewest(
        [
            sum(
                spread.counts.get(n.node.metadata.labels.get(spread.key, ""), full)
                for spread, full in zip(soft, worst, strict=True)
            )
            for n in nodes
        ]
    )


def has_images(wanted: Wanted, nodes: Sequence[NodeView]) -> list[float]:
    """Prefer nodes that need not pull much."""
    images = [_normalised(container.image) for container in wanted.pod.spec.containers]
    scores = []
    for node in nodes:
        there = sum(node.images.get(image, 0) for image in images)
        bounded = min(max(there, IMAGE_MIN), IMAGE_MAX * len(images))
        span = IMAGE_MAX * len(images) - IMAGE_MIN
        scores.append(BEST * (bounded - IMAGE_MIN) / span if span > 0 else 0.0)
    return scores


SCORES: tuple[tuple[float, Callable[[Wanted, Sequence[NodeView]], list[float]]], ...] = (
    (1.0, least_allocated),
    (2.0, spread),
    (2.0, liked),
    (3.0, untainted),
    (2.0, in_liked_company),
    (2.0, evenly),
    (1.0, has_images),
)


def totals(wanted: Wanted, nodes: Sequence[NodeView]) -> list[float]:
    """Weighted sum of all preferences for each node."""
    sums = [0.0] * len(nodes)
    for weight, score in SCORES:
        for position, points in enumerate(score(wanted, nodes)):
            sums[position] += weight * points
    return sums


def _free_share(wanted: Wanted, node: NodeView, name: str) -> float:
    total = node.allocatable.get(name, 0)
    if total <= 0:
        return 0.0
    asked = wanted.requests.get(name) or ASSUMED[name] * len(wanted.pod.spec.containers)
    used = max(node.requested.get(name, 0), ASSUMED[name] * len(node.pods))
    return BEST * max(0, total - used - asked) / total


def _are_twins(pod: Pod, other: Pod) -> bool:
    mine, its = pod.metadata, other.metadata
    if mine.namespace != its.namespace or its.deletionTimestamp is not None:
        return False
    owner = next((r.uid for r in mine.ownerReferences if r.controller), None)
    if owner is not None:
        return any(r.uid == owner for r in its.ownerReferences)
    return bool(mine.labels) and mine.labels == its.labels


def _fewest(counts: Sequence[int]) -> list[float]:
    most = max(counts, default=0)
    return [BEST * (most - count) / most if most else BEST for count in counts]


def _normalised(image: str) -> str:
    """Images without a tag are :latest."""
    last = image.rsplit("/", 1)[-1]
    return image if ":" in last or "@" in image else f"{image}:latest"
