"""Pods as policies see them: labels, addresses, named ports. Pure.

Only pods with an address of their own count: those on the host's network are the host, and a pod
that has ended gives its address back.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from appliance.api.kinds.core.pod.kind import Pod
from appliance.client.cache import key_of

_ENDED = {"Succeeded", "Failed"}
Labels = Mapping[str, str]
PortName = tuple[str, str]
"""(protocol in small letters, name)."""


@dataclass(frozen=True, slots=True)
class Member:
    """One pod."""

    namespace: str
    labels: Labels
    addresses: tuple[str, ...]
    ports: Mapping[PortName, int]
    local: bool = False
    """On this node: it is for us to guard."""


@dataclass(frozen=True, slots=True)
class Scene:
    """All pods of the cluster, and the labels of its namespaces by name."""

    members: Sequence[Member]
    namespaces: Mapping[str, Labels]
    _by_namespace: dict[str, list[Member]] = field(default_factory=dict)

    def in_namespace(self, name: str) -> Sequence[Member]:
        """The pods of a namespace."""
        if not self._by_namespace:
            for member in self.members:
                self._by_namespace.setdefault(member.namespace, []).append(member)
        return self._by_namespace.get(name, ())


def digest(*texts: str) -> str:
    """A short name for some texts: 60 bits, so that two never meet."""
    return hashlib.sha256("\n".join(texts).encode()).hexdigest()[:15]


@dataclass(frozen=True, slots=True)
class Attached:
    """A pod of this node that has got its address just now; the API may not know yet."""

    pod: Pod
    address: str


def members(pods: Iterable[Pod], node_name: str, attached: Mapping[str, Attached]) -> list[Member]:
    """Give all pods, `attached` (by namespace/name) as this node knows them."""
    known = {key_of(pod): pod for pod in pods}
    found = []
    for key, pod in known.items():
        if key in attached or pod.spec.hostNetwork or pod.status.phase in _ENDED:
            continue
        addresses = tuple(ip.ip for ip in pod.status.podIPs if ip.ip)
        if addresses:
            found.append(_member(pod, addresses, local=pod.spec.nodeName == node_name))
    for key, one in attached.items():
        # Labels may have changed since; what has the same name and is not this pod is a mirror of
        # a pod from a file, or about to be replaced: its labels are the pod's.
        pod = known.get(key, one.pod)
        found.append(_member(pod, (one.address,), local=True))
    return found


def _member(pod: Pod, addresses: tuple[str, ...], *, local: bool) -> Member:
    spec = pod.spec
    # Sidecars that go on running are init containers.
    ports = {
        ((port.protocol or "TCP").lower(), port.name): port.containerPort
        for container in (*spec.initContainers, *spec.containers)
        for port in container.ports
        if port.name
    }
    return Member(pod.metadata.namespace, pod.metadata.labels, addresses, ports, local)
