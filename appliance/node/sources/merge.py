"""Pure: snapshots by source → the pods that this node takes, and those it refuses.

Called by the agent after each snapshot. A pod that cannot be taken is refused with a reason that
its status will bear; a refusal is found again each time, so nothing is remembered.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from appliance.api.hostports import HostPort, host_ports
from appliance.api.kinds.core.pod.kind import Pod

ORDER = ("file", "http", "etcd", "push", "api")
"""Manifests of the host come first: they must work without a master."""
TERMINAL = ("Succeeded", "Failed")


@dataclass(frozen=True, slots=True)
class Refusal:
    """A pod that is not taken; reason and message go into its status."""

    pod: Pod
    reason: str
    message: str


@dataclass(slots=True)
class Merged:
    """What the node shall run."""

    accepted: list[Pod] = field(default_factory=list)
    refused: list[Refusal] = field(default_factory=list)


def merge(snapshots: Mapping[str, Sequence[Pod]]) -> Merged:
    """Put all sources together, the more trusted and the older pods first."""
    result = Merged()
    names: dict[tuple[str, str], str] = {}
    ports: dict[HostPort, str] = {}
    for source in sorted(snapshots, key=_rank):
        for pod in sorted(snapshots[source], key=_age):
            meta = pod.metadata
            key = (meta.namespace, meta.name)
            holder = names.get(key)
            if holder not in {None, source} and not _is_passing(pod):
                text = f"a pod of this name already comes from source {holder}"
                result.refused.append(Refusal(pod, "NameConflict", text))
                continue
            wanted = () if _is_passing(pod) else tuple(host_ports(pod))
            taken = next((p for p in ports for mine in wanted if p.clashes(mine)), None)
            if taken is not None:
                text = f"host port {taken.port}/{taken.protocol} is taken by pod {ports[taken]}"
                result.refused.append(Refusal(pod, "HostPortConflict", text))
                continue
            names[key] = source
            ports.update(dict.fromkeys(wanted, f"{meta.namespace}/{meta.name}"))
            result.accepted.append(pod)
    return result


def _is_passing(pod: Pod) -> bool:
    """A pod that ended or is being deleted leaves its ports to others."""
    return pod.status.phase in TERMINAL or pod.metadata.deletionTimestamp is not None


def _rank(source: str) -> int:
    return ORDER.index(source) if source in ORDER else len(ORDER)


def _age(pod: Pod) -> tuple[str, str, str]:
    meta = pod.metadata
    return meta.creationTimestamp or "", meta.namespace, meta.name
