"""Pods that nobody will ever look after: of nodes that are gone, and going without a node.

A node that is missing gets QUARANTINE_S to come (it may be registering anew), then the server is
asked, then its pods are deleted without grace: no agent is left to give any.
"""

from collections.abc import Iterable, Sequence

from appliance.api.errors import NotFound
from appliance.api.kinds.core.node import NODE, Node
from appliance.api.kinds.core.pod.kind import POD, Pod
from appliance.client.base import Client, DeleteOptions, PatchType
from appliance.client.cache import key_of
from appliance.client.controller import DONE, Result, Watch
from appliance.client.informer import Informers
from appliance.control.controllers import podstate
from appliance.kit.clock import Clock, rfc3339

QUARANTINE_S = 40.0


class PodCollector:
    """Deletes orphaned pods; the key is the pod."""

    name = "podgc"

    def __init__(self, client: Client, informers: Informers, *, clock: Clock) -> None:
        self._client = client
        self._clock = clock
        self._nodes = informers.of(NODE)
        self._pods = informers.of(POD)
        self._pods.add_indexers({podstate.BY_NODE: podstate.by_node})
        self._missing_since: dict[str, float] = {}

    def watches(self) -> Sequence[Watch]:
        """Pods that are bound or begin to go, and all pods of a node that comes or goes."""
        return [
            Watch(self._pods, lambda pod: [key_of(pod)], only=_bound_or_going),
            Watch(self._nodes, self._pods_of, only=lambda old, new: old is None or new is None),
        ]

    async def reconcile(self, key: str) -> Result:
        """Delete the pod if it is an orphan."""
        pod = self._pods.cache.get(key)
        if pod is None:
            return DONE
        node = pod.spec.nodeName
        if not node:
            if pod.metadata.deletionTimestamp is not None:
                await self._remove(pod)
            return DONE
        if self._nodes.cache.get(node) is not None:
            self._missing_since.pop(node, None)
            return DONE
        now = self._clock.monotonic()
        left = self._missing_since.setdefault(node, now) + QUARANTINE_S - now
        if left > 0:
            return Result(again_in_s=left)
        if await self._exists(node):
            return DONE
        await self._fail(pod)
        await self._remove(pod)
        if not self._pods.cache.by_index(podstate.BY_NODE, node)[1:]:
            self._missing_since.pop(node, None)
        return DONE

    def _pods_of(self, node: Node) -> Iterable[str]:
        name = node.metadata.name
        return (key_of(pod) for pod in self._pods.cache.by_index(podstate.BY_NODE, name))

    async def _exists(self, node: str) -> bool:
        try:
            await self._client.get(NODE, node)
        except NotFound:
            return False
        return True

    async def _fail(self, pod: Pod) -> None:
        """Say why before it goes, for those who keep pods (finalizers, jobs)."""
        if podstate.has_ended(pod):
            return
        condition = {
            "type": "DisruptionTarget",
            "status": "True",
            "reason": "DeletionByPodGC",
            "message": "PodGC: node no longer exists",
            "lastTransitionTime": rfc3339(self._clock.wall()),
        }
        try:
            await self._client.patch(
                POD,
                pod.metadata.name,
                {"status": {"phase": "Failed", "conditions": [condition]}},
                namespace=pod.metadata.namespace,
                how=PatchType.STRATEGIC,
                subresource="status",
            )
        except NotFound:
            return

    async def _remove(self, pod: Pod) -> None:
        meta = pod.metadata
        options = DeleteOptions(uid=meta.uid, grace_period_s=0)
        try:
            await self._client.delete(POD, meta.name, namespace=meta.namespace, options=options)
        except NotFound:
            return


def _bound_or_going(old: Pod | None, new: Pod | None) -> bool:
    if new is None:
        return False
    if old is None:
        return True
    return (old.spec.nodeName, old.metadata.deletionTimestamp) != (
        new.spec.nodeName,
        new.metadata.deletionTimestamp,
    )
