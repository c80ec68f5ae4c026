"""Pure: what a container may learn about its own pod (the downward API).

Called by `env` for variables and by `volumes/projected.py` for files.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from appliance.api.kinds.core.pod.container import Container as ContainerWish
from appliance.api.kinds.core.pod.kind import Pod
from appliance.api.kinds.core.references import ResourceFieldSelector
from appliance.api.quantity import QuantityError, milli

_SUBSCRIPT = re.compile(r"^metadata\.(labels|annotations)\['(.+)'\]$")


@dataclass(frozen=True, slots=True)
class PodFacts:
    """What the node knows about a pod beyond its spec: addresses and its own size."""

    pod_ip: str = ""
    host_ip: str = ""
    node_cpus: int = 1
    node_memory_bytes: int = 0


def pod_field(pod: Pod, path: str, facts: PodFacts) -> str:
    """The text of a `fieldRef`; "" for a path that does not exist (the API refuses those)."""
    subscript = _SUBSCRIPT.match(path)
    if subscript is not None:
        table: Mapping[str, str] = getattr(pod.metadata, subscript.group(1))
        return table.get(subscript.group(2), "")
    plain = {
        "metadata.name": pod.metadata.name,
        "metadata.namespace": pod.metadata.namespace,
        "metadata.uid": pod.metadata.uid,
        "spec.nodeName": pod.spec.nodeName,
        "spec.serviceAccountName": pod.spec.serviceAccountName,
        "status.hostIP": facts.host_ip,
        "status.hostIPs": facts.host_ip,
        "status.podIP": facts.pod_ip,
        "status.podIPs": facts.pod_ip,
    }
    if path in plain:
        return plain[path]
    if path == "metadata.labels":
        return _lines(pod.metadata.labels)
    if path == "metadata.annotations":
        return _lines(pod.metadata.annotations)
    return ""


def container_field(
    pod: Pod, wish: ContainerWish, ref: ResourceFieldSelector, facts: PodFacts
) -> str:
    """The number of a `resourceFieldRef`, divided by its divisor and rounded up.

    A limit that is not set is the node's whole size, as kubelets have it.
    """
    named = next((c for c in _all(pod) if c.name == ref.containerName), wish)
    kind, _, resource = ref.resource.partition(".")
    table = named.resources.limits if kind == "limits" else named.resources.requests
    amount = table.get(resource)
    if amount is not None:
        thousandths = milli(amount)
    elif kind == "limits":
        thousandths = {
            "cpu": facts.node_cpus * 1000,
            "memory": facts.node_memory_bytes * 1000,
        }.get(resource, 0)
    else:
        thousandths = 0
    return str(-(-thousandths // _divisor(ref)))


def _divisor(ref: ResourceFieldSelector) -> int:
    try:
        return milli(ref.divisor) or 1000
    except QuantityError:
        return 1000


def _all(pod: Pod) -> list[ContainerWish]:
    return [*pod.spec.initContainers, *pod.spec.containers]


def _lines(table: Mapping[str, str]) -> str:
    """`key="value"` lines, sorted, as files of labels have always looked."""
    return "\n".join(f"{key}={_quoted(table[key])}" for key in sorted(table))


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'
