"""What the scheduler knows of one pod: worked out once, used against every node.

`PodInfo` is made when a pod is seen first and kept until it goes or is changed in what matters;
filters, scores, the snapshot and preemption read it. Pods made from one template have the same
`signature`: what is found for one of them about a node holds for all (see `algorithm.py`).
"""

from collections import Counter
from collections.abc import Mapping
from typing import Any

import msgspec

from appliance.api import quantity
from appliance.api.hostports import HostPort, host_ports
from appliance.api.kinds.core.pod.container import Container
from appliance.api.kinds.core.pod.kind import Pod
from appliance.api.objects import key_of
from appliance.control.scheduler.terms import Constraint, Term, constraints_of, terms_of

CPU = "cpu"
MEMORY = "memory"
PODS = "pods"

ASSUMED = {CPU: 100, MEMORY: 200 * 1024 * 1024}
"""What a container that asks for nothing is taken to use, so that such pods spread too."""

Amounts = Mapping[str, int]

_encode = msgspec.json.Encoder(enc_hook=str).encode


class PodInfo:
    """A pod with what is worked out of it once, not once per node."""

    __slots__ = (
        "apart",
        "cpu",
        "group",
        "images",
        "key",
        "likes",
        "memory",
        "near",
        "node",
        "pod",
        "ports",
        "priority",
        "requests",
        "signature",
        "spreads",
        "uid",
    )

    def __init__(self, pod: Pod) -> None:
        spec = pod.spec
        self.pod = pod
        self.key = key_of(pod)
        self.uid = pod.metadata.uid
        self.node = spec.nodeName
        self.priority = spec.priority or 0
        self.requests = requests(pod)
        self.ports: tuple[HostPort, ...] = tuple(host_ports(pod))
        self.cpu, self.memory = _presumed(pod, CPU), _presumed(pod, MEMORY)
        self.near: tuple[Term, ...] = ()
        self.apart: tuple[Term, ...] = ()
        self.likes: tuple[Term, ...] = ()
        if spec.affinity is not None:
            self.near, self.apart, self.likes = terms_of(pod)
        self.spreads: tuple[Constraint, ...] = constraints_of(pod)
        self.images = tuple(_normalised(container.image) for container in spec.containers)
        self.signature = _signature(pod, self.images)
        self.group = _group(pod)


def has_ended(pod: Pod) -> bool:
    """Whether it holds nothing any more."""
    return pod.status.phase in {"Succeeded", "Failed"}


def amounts(resources: Mapping[str, str | int | float]) -> dict[str, int]:
    """Quantities as whole numbers: milli-CPUs, bytes, counts."""
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
    total = {name: amount for name, amount in total.items() if amount}
    total[PODS] = 1
    return total


def _presumed(pod: Pod, name: str) -> int:
    """What of a resource the pod is taken to use when nodes are compared."""
    return sum(
        _requests_of(container).get(name) or ASSUMED[name] for container in pod.spec.containers
    )


def _requests_of(container: Container) -> dict[str, int]:
    # A limit without a request is a request; the API server fills it in, static pods may not.
    return amounts({**container.resources.limits, **container.resources.requests})


def _raise_to(peak: dict[str, int], other: Mapping[str, int]) -> None:
    for name, amount in other.items():
        peak[name] = max(peak.get(name, 0), amount)


def _signature(pod: Pod, images: tuple[str, ...]) -> bytes:
    """Equal for pods about which a node by itself, whatever runs on it, says the same."""
    spec = pod.spec
    affinity = spec.affinity.nodeAffinity if spec.affinity else None
    says: list[Any] = [spec.nodeSelector, affinity, spec.tolerations, images]
    return _encode(says)


def _group(pod: Pod) -> str:
    """Pods that stand in for each other: of one controller, or of the same labels."""
    meta = pod.metadata
    owner = next((r.uid for r in meta.ownerReferences if r.controller), "")
    if owner or not meta.labels:
        return owner
    return f"{meta.namespace}/{sorted(meta.labels.items())}"


def _normalised(image: str) -> str:
    """Images without a tag are :latest."""
    last = image.rsplit("/", 1)[-1]
    return image if ":" in last or "@" in image else f"{image}:latest"
