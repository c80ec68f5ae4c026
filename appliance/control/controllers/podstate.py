"""What controllers ask of a pod: is it active, ready, available, whose is it.

Pure functions of the pod (and of the time); every controller reads pods through them.
"""

from collections.abc import Iterable

from appliance.api.kinds.core.pod.kind import Pod
from appliance.api.meta import KubeObject
from appliance.api.objects import condition, controller_of, is_true
from appliance.kit.clock import parse_rfc3339

ORPHANS = "orphans of "
"""Index value for pods of a namespace that nobody controls."""

BY_NODE = "node"
"""Name of the index made with `by_node`."""

BY_CONTROLLER = "controller"
"""Name of the index made with `controller_index`."""


def has_ended(pod: Pod) -> bool:
    """Whether its containers have ended for good."""
    return pod.status.phase in {"Succeeded", "Failed"}


def is_active(pod: Pod) -> bool:
    """Whether it counts as a replica: neither ended nor on its way out."""
    return not has_ended(pod) and pod.metadata.deletionTimestamp is None


def is_ready(pod: Pod) -> bool:
    """Whether it may serve."""
    return is_true(pod.status.conditions, "Ready")


def ready_since(pod: Pod) -> float | None:
    """When it became ready, None while it is not."""
    ready = condition(pod.status.conditions, "Ready")
    if ready is None or ready.status != "True" or not ready.lastTransitionTime:
        return None
    return parse_rfc3339(ready.lastTransitionTime)


def available_in(pod: Pod, min_ready_s: int, now: float) -> float | None:
    """Seconds until it counts as available: 0 it does, None it is not ready."""
    if not is_ready(pod):
        return None
    if min_ready_s <= 0:
        return 0.0
    since = ready_since(pod)
    return None if since is None else max(0.0, since + min_ready_s - now)


def restarts(pod: Pod) -> int:
    """Most restarts of any of its containers."""
    return max((c.restartCount for c in pod.status.containerStatuses), default=0)


def created_at(obj: KubeObject) -> float:
    """Seconds since 1970, 0 where it is not known."""
    return parse_rfc3339(obj.metadata.creationTimestamp) if obj.metadata.creationTimestamp else 0.0


def controller_index(obj: KubeObject) -> Iterable[str]:
    """Index pods by the uid of their controller; those without one by namespace."""
    ref = controller_of(obj)
    return (ref.uid if ref else ORPHANS + obj.metadata.namespace,)


def matches(selector: dict[str, str], labels: dict[str, str]) -> bool:
    """Whether labels have all pairs of a plain selector; an empty one matches nothing here."""
    return bool(selector) and selector.items() <= labels.items()


def by_node(pod: Pod) -> Iterable[str]:
    """Index pods by the node they are bound to."""
    return (pod.spec.nodeName,) if pod.spec.nodeName else ()
