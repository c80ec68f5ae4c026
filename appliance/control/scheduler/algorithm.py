"""Filters, then scores, then pick: the whole choice as one pure function.

The result says why: the loop logs it, the event and the pod's condition carry it.
"""

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from appliance.api.hostports import host_ports
from appliance.api.kinds.core.pod.kind import Pod
from appliance.control.scheduler import scores
from appliance.control.scheduler.filters import Wanted, why_not
from appliance.control.scheduler.snapshot import NodeView, requests
from appliance.control.scheduler.topology import Namespaces, survey

NOWHERE: Namespaces = {}


@dataclass(frozen=True, slots=True)
class Chosen:
    """The node to bind to."""

    node: str


@dataclass(frozen=True, slots=True)
class Unfit:
    """No node will do; `message` says why in upstream's words."""

    message: str


def choose(
    pod: Pod,
    nodes: Sequence[NodeView],
    rng: random.Random,
    *,
    namespaces: Namespaces = NOWHERE,
) -> Chosen | Unfit:
    """Find the best node for a pod; of equals any."""
    wanted = Wanted(pod, requests(pod), tuple(host_ports(pod)), survey(pod, nodes, namespaces))
    fitting = []
    objections: Counter[str] = Counter()
    for node in nodes:
        if reasons := why_not(wanted, node):
            objections.update(reasons)
        else:
            fitting.append(node)
    if not fitting:
        return Unfit(explain(len(nodes), objections))
    if len(fitting) == 1:
        return Chosen(fitting[0].name)
    points = scores.totals(wanted, fitting)
    most = max(points)
    best = [node for node, sum_ in zip(fitting, points, strict=True) if sum_ == most]
    return Chosen(rng.choice(best).name)


def explain(nodes: int, objections: Counter[str]) -> str:
    """`0/3 nodes are available: 1 Insufficient cpu, 2 Too many pods.`"""
    if not nodes:
        return "no nodes available to schedule pods"
    listed = ", ".join(sorted(f"{count} {reason}" for reason, count in objections.items()))
    return f"0/{nodes} nodes are available: {listed}."
