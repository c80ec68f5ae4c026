"""Pods that may not stay on their node: NoExecute taints, and tolerations that run out.

Works on any taint; those of dead nodes are set by `nodelife.py`. Safe on few nodes: while no node
at all is ready, nobody is evicted for a dead node (it is more likely that we can't see than that
all died), and after a restart of the master every node gets RESTART_GRACE_S to speak first.
"""

from collections.abc import Iterable, Sequence

from appliance.api import taints
from appliance.api.errors import NotFound
from appliance.api.kinds.core.node import NODE, Node, Taint
from appliance.api.kinds.core.pod.kind import POD, Pod
from appliance.api.objects import is_true
from appliance.client.base import Client, DeleteOptions
from appliance.client.cache import key_of
from appliance.client.controller import DONE, Result, Watch
from appliance.client.events import NORMAL, Recorder, reference
from appliance.client.informer import Informers
from appliance.control.controllers import podstate
from appliance.kit.clock import Clock, parse_rfc3339

RESTART_GRACE_S = 60.0
"""The 40 s after which a node counts as silent, and two Lease renewals for word to reach us."""

_DEAD = {taints.NOT_READY, taints.UNREACHABLE}


class Evictions:
    """Deletes pods that do not tolerate their node's taints; the key is the node."""

    name = "evictions"

    def __init__(
        self, client: Client, informers: Informers, *, clock: Clock, recorder: Recorder
    ) -> None:
        self._client = client
        self._clock = clock
        self._recorder = recorder
        self._nodes = informers.of(NODE)
        self._pods = informers.of(POD)
        self._pods.add_indexers({podstate.BY_NODE: podstate.by_node})
        self._started = clock.wall()

    def watches(self) -> Sequence[Watch]:
        """Nodes whose taints or readiness change, and pods that come to a node."""
        return [
            Watch(self._nodes, self._tainted, only=_taints_or_readiness_changed),
            Watch(self._pods, podstate.by_node, only=_comes_to_node),
        ]

    async def reconcile(self, key: str) -> Result:
        """Delete what may stay no longer; comes back when the next toleration runs out."""
        node = self._nodes.cache.get(key)
        if node is None:
            return DONE
        bad = self._effective(node)
        if not bad:
            return DONE
        next_s: float | None = None
        for pod in self._pods.cache.by_index(podstate.BY_NODE, key):
            left = self._left_s(pod, bad)
            if left is None:
                continue
            if left <= 0:
                await self._evict(pod)
            elif next_s is None or left < next_s:
                next_s = left
        return Result(again_in_s=next_s)

    def _effective(self, node: Node) -> list[Taint]:
        """Taints that count now."""
        found = [t for t in node.spec.taints if t.effect == taints.NO_EXECUTE]
        if any(is_true(n.status.conditions, "Ready") for n in self._nodes.cache.list()):
            return found
        return [t for t in found if t.key not in _DEAD]

    def _left_s(self, pod: Pod, bad: Sequence[Taint]) -> float | None:
        """Seconds until the pod must go; None if it may stay."""
        if not podstate.is_active(pod):
            return None
        stay = taints.may_stay_s(bad, pod.spec.tolerations)
        if stay is None:
            return None
        since = [parse_rfc3339(t.timeAdded) for t in bad if t.timeAdded]
        due = min(since, default=self._clock.wall()) + stay
        if any(t.key in _DEAD for t in bad):
            due = max(due, self._started + RESTART_GRACE_S)
        return due - self._clock.wall()

    async def _evict(self, pod: Pod) -> None:
        meta = pod.metadata
        message = f"Marking for deletion Pod {key_of(pod)}"
        self._recorder.record(reference(POD, pod), NORMAL, "TaintManagerEviction", message)
        try:
            await self._client.delete(
                POD, meta.name, namespace=meta.namespace, options=DeleteOptions(uid=meta.uid)
            )
        except NotFound:
            return

    def _tainted(self, _node: Node) -> Iterable[str]:
        # One node's recovery changes what counts for all others: look at every tainted one.
        return (key_of(n) for n in self._nodes.cache.list() if n.spec.taints)


def _taints_or_readiness_changed(old: Node | None, new: Node | None) -> bool:
    if old is None or new is None:
        return True
    return old.spec.taints != new.spec.taints or is_true(old.status.conditions, "Ready") != is_true(
        new.status.conditions, "Ready"
    )


def _comes_to_node(old: Pod | None, new: Pod | None) -> bool:
    if new is None:
        return False
    return old is None or (old.spec.nodeName, old.spec.tolerations) != (
        new.spec.nodeName,
        new.spec.tolerations,
    )
