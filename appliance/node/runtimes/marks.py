"""Labels and names by which our containers are found again.

Written by `node/pods/spec.py` when a container is made, read by the pod workers when they look,
and by `appliance reset`, which removes whatever carries the cluster's id. The four
`io.kubernetes.*` labels are a contract with users' scripts; the `appliance.*` ones hold what the
agent must still know after a restart of itself: nothing else about a container is kept anywhere.
"""

from collections.abc import Mapping
from dataclasses import dataclass

POD_NAME = "io.kubernetes.pod.name"
POD_NAMESPACE = "io.kubernetes.pod.namespace"
POD_UID = "io.kubernetes.pod.uid"
CONTAINER_NAME = "io.kubernetes.container.name"

CLUSTER = "appliance.cluster"
"""Id of the cluster that the container belongs to: several may share a host."""
ROLE = "appliance.role"
"""One of the ROLE_* words."""
HASH = "appliance.container.hash"
"""Hash of the container's spec; another hash means: make it anew."""
RESTART_COUNT = "appliance.restart-count"
"""How many containers of this name the pod had before this one."""
STREAK = "appliance.streak"
"""How many quick ends in a row came before this container: the back-off's whole memory."""
SANDBOX = "appliance.sandbox"
"""Id of the sandbox container whose namespaces this one joined."""
GRACE_S = "appliance.grace-s"
"""The pod's grace period, for a pod that nobody remembers when it has to go."""

ROLE_SANDBOX = "sandbox"
ROLE_INIT = "init"
ROLE_APP = "container"
ROLE_DEBUG = "ephemeral"

SANDBOX_NAME = "POD"
"""Container name of every sandbox, as kubelets have always called it."""


@dataclass(frozen=True, slots=True)
class PodRef:
    """Which pod a container belongs to."""

    namespace: str
    name: str
    uid: str


def of_cluster(cluster_id: str) -> dict[str, str]:
    """Marks that every container of a cluster carries."""
    return {CLUSTER: cluster_id}


def of_pod(cluster_id: str, pod_uid: str) -> dict[str, str]:
    """Marks that every container of one pod carries."""
    return {CLUSTER: cluster_id, POD_UID: pod_uid}


def pod_of(marks: Mapping[str, str]) -> PodRef | None:
    """The pod that a container's marks name, if they name one."""
    uid = marks.get(POD_UID, "")
    if not uid:
        return None
    return PodRef(marks.get(POD_NAMESPACE, ""), marks.get(POD_NAME, ""), uid)


def container_name(container: str, pod: PodRef, attempt: int) -> str:
    """Name in the engine: `k8s_<container>_<pod>_<namespace>_<uid>_<attempt>`.

    `k8s_POD_web_default_5f1c…_0` is the sandbox of pod default/web.
    """
    return f"k8s_{container}_{pod.name}_{pod.namespace}_{pod.uid}_{attempt}"


def restart_count(marks: Mapping[str, str]) -> int:
    """The restart count of a container; 0 if the mark is missing or spoilt."""
    return number(marks, RESTART_COUNT)


def number(marks: Mapping[str, str], mark: str) -> int:
    """A mark that holds a number; 0 if it is missing or spoilt."""
    text = marks.get(mark, "")
    return int(text) if text.isdecimal() else 0
