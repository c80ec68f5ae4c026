"""The cluster as the scheduler sees it: frozen values made from nodes and their pods.

The loop makes a `NodeView` anew when the node or one of its pods changed, and keeps it otherwise.
Amounts are whole numbers: milli-CPUs, bytes, counts.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from appliance.api import quantity
from appliance.api.hostports import HostPort, host_ports
from appliance.api.kinds.core.node import Node
from appliance.api.kinds.core.pod.container import Container
from appliance.api.kinds.core.pod.kind import Pod

CPU = "cpu"
MEMORY = "memory"
PODS = "pods"

Amounts = Mapping[str, int]


@dataclass(frozen=True, slots=True)
class NodeView:
    """A node with what is on it."""

    node: Node
    allocatable: Amounts
    requested: Amounts
    pods: tuple[Pod, ...]
    host_ports: tuple[HostPort, ...]
    images: Mapping[str, int] = field(default_factory=dict)
    """Image name -> size in bytes."""
    repelling: tuple[Pod, ...] = ()
    """Those of `pods` that require others to stay away."""

    @property
    def name(self) -> str:
        """The node's name."""
        return self.node.metadata.name


def view(node: Node, pods: Iterable[Pod]) -> NodeView:
    """Sum up a node; pods that have ended hold nothing."""
    living = tuple(p for p in pods if p.status.phase not in {"Succeeded", "Failed"})
    requested: Counter[str] = Counter()
    for pod in living:
        requested.update(requests(pod))
    return NodeView(
        node=node,
        allocatable=amounts(node.status.allocatable or node.status.capacity),
        requested=requested,
        pods=living,
        host_ports=tuple(port for pod in living for port in host_ports(pod)),
        repelling=tuple(filter(_repels, living)),
        images={name: i.sizeBytes for i in node.status.images for name in i.names or ()},
    )


def amounts(resources: Mapping[str, str | int | float]) -> dict[str, int]:
    """Quantities as whole numbers."""
    return {
        name: quantity.milli(value) if name == CPU else quantity.value(value)
        for name, value in resources.items()
    }


def requests(pod: Pod) -> Amounts:
    """What a pod takes: its containers together, or its dearest moment of initialisation.

    Init containers run one after the other before the others; those that restart always
    (sidecars) stay, and count beside everything that starts after them.
    """
    spec = pod.spec
    running: Counter[str] = Counter()
    for container in spec.containers:
        running.update(_requests_of(container))
    sidecars: Counter[str] = Counter()
    peak: dict[str, int] = {}
    for container in spec.initContainers:
        if container.restartPolicy == "Always":
            sidecars.update(_requests_of(container))
            moment = sidecars
        else:
            moment = sidecars + Counter(_requests_of(container))
        _raise_to(peak, moment)
    total = dict(running + sidecars)
    _raise_to(total, peak)
    if spec.resources is not None and spec.resources.requests:
        total.update(amounts(spec.resources.requests))
    for name, more in amounts(spec.overhead).items():
        total[name] = total.get(name, 0) + more
    total[PODS] = 1
    return total


def _repels(pod: Pod) -> bool:
    rules = pod.spec.affinity.podAntiAffinity if pod.spec.affinity else None
    return bool(rules and rules.requiredDuringSchedulingIgnoredDuringExecution)


def _requests_of(container: Container) -> dict[str, int]:
    # A limit without a request is a request; the API server fills it in, static pods may not.
    return amounts({**container.resources.limits, **container.resources.requests})


def _raise_to(peak: dict[str, int], other: Mapping[str, int]) -> None:
    for name, amount in other.items():
        peak[name] = max(peak.get(name, 0), amount)
