"""Nodes that fall silent: conditions to Unknown, taints on, their pods no longer ready.

A node lives while its Lease is renewed or its status is posted. We measure with our own clock
from when we *saw* the last sign of life, so clocks of nodes need not agree with ours, and after a
restart of the master every node has a fresh period of grace. Deleting pods from dead nodes is
`evictions.py`; it goes by the taints set here.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from appliance.api import taints
from appliance.api.errors import NotFound
from appliance.api.kinds.coordination.lease import LEASE, Lease
from appliance.api.kinds.core.node import NODE, Node, Taint
from appliance.api.kinds.core.pod.kind import POD
from appliance.api.objects import condition, is_true
from appliance.client.base import Client, PatchType
from appliance.client.cache import key_of
from appliance.client.controller import DONE, Result, Watch
from appliance.client.events import NORMAL, WARNING, Recorder, reference
from appliance.client.informer import Informers
from appliance.control.controllers import podstate
from appliance.kit.clock import Clock, rfc3339

GRACE_S = 40.0
"""Four renewals of a Lease (10 s): three may be lost."""

LEASES = "kube-node-lease"
WATCHED = ("Ready", "MemoryPressure", "DiskPressure", "PIDPressure")

_BY_CONDITION = {
    "MemoryPressure": "node.kubernetes.io/memory-pressure",
    "DiskPressure": "node.kubernetes.io/disk-pressure",
    "PIDPressure": "node.kubernetes.io/pid-pressure",
    "NetworkUnavailable": "node.kubernetes.io/network-unavailable",
}
_OURS = {
    taints.NOT_READY,
    taints.UNREACHABLE,
    taints.UNSCHEDULABLE,
    *_BY_CONDITION.values(),
}


@dataclass(slots=True)
class _Seen:
    """The last sign of life: what it was, and when we saw it change."""

    sign: tuple[str, str]
    since: float


class NodeLife:
    """Judges nodes by their signs of life."""

    name = "nodelife"

    def __init__(
        self, client: Client, informers: Informers, *, clock: Clock, recorder: Recorder
    ) -> None:
        self._client = client
        self._clock = clock
        self._recorder = recorder
        self._nodes = informers.of(NODE)
        self._leases = informers.of(LEASE)
        self._pods = informers.of(POD)
        self._pods.add_indexers({podstate.BY_NODE: podstate.by_node})
        self._seen: dict[str, _Seen] = {}

    def watches(self) -> Sequence[Watch]:
        """Nodes and their Leases."""
        return [
            Watch(self._nodes, lambda node: [key_of(node)]),
            Watch(self._leases, _node_of_lease),
        ]

    async def reconcile(self, key: str) -> Result:
        """Judge one node and mark it; comes back when its grace would end."""
        node = self._nodes.cache.get(key)
        if node is None:
            self._seen.pop(key, None)
            return DONE
        silent_s = self._silent_s(node)
        silent = silent_s >= GRACE_S
        if silent and condition(node.status.conditions, "Ready") is not None:
            await self._mark_unknown(node)
        await self._set_taints(node, silent=silent)
        if silent or not is_true(node.status.conditions, "Ready"):
            await self._mark_pods(key)
        return DONE if silent else Result(again_in_s=GRACE_S - silent_s)

    def _silent_s(self, node: Node) -> float:
        """Seconds since we saw a new sign of life."""
        name = node.metadata.name
        lease = self._leases.cache.get(f"{LEASES}/{name}")
        ready = condition(node.status.conditions, "Ready")
        posted = ready.lastHeartbeatTime if ready and ready.status != "Unknown" else ""
        sign = ((lease.spec.renewTime if lease else "") or "", posted or "")
        now = self._clock.monotonic()
        seen = self._seen.get(name)
        # Going Unknown is our own doing and no sign of life.
        if seen is None or (sign != seen.sign and sign != (seen.sign[0], "")):
            seen = self._seen[name] = _Seen(sign, now)
        return now - seen.since

    async def _mark_unknown(self, node: Node) -> None:
        now = rfc3339(self._clock.wall())
        changed = []
        for kind in WATCHED:
            before = condition(node.status.conditions, kind)
            if before is None or before.status == "Unknown":
                continue
            changed.append(
                {
                    "type": kind,
                    "status": "Unknown",
                    "reason": "NodeStatusUnknown",
                    "message": "Kubelet stopped posting node status.",
                    "lastHeartbeatTime": before.lastHeartbeatTime,
                    "lastTransitionTime": now,
                }
            )
        if not changed:
            return
        await self._patch_node(node, {"status": {"conditions": changed}}, subresource="status")
        self._note(node, "NodeNotReady", f"Node {key_of(node)} status is now: NodeNotReady")

    async def _set_taints(self, node: Node, *, silent: bool) -> None:
        kept = [t for t in node.spec.taints if t.key not in _OURS]
        wanted = kept + [self._taint(node, *mark) for mark in marks(node, silent=silent)]
        if wanted != node.spec.taints:
            body = {
                "metadata": {"resourceVersion": node.metadata.resourceVersion},
                "spec": {"taints": msgspec.to_builtins(wanted) or None},
            }
            await self._patch_node(node, body)

    def _taint(self, node: Node, key: str, effect: str) -> Taint:
        """The taint as it is, or new: when it was added counts for eviction."""
        for taint in node.spec.taints:
            if (taint.key, taint.effect) == (key, effect):
                return taint
        added = rfc3339(self._clock.wall()) if effect == taints.NO_EXECUTE else None
        return Taint(key=key, effect=effect, timeAdded=added)

    async def _mark_pods(self, node: str) -> None:
        """Nobody vouches for these pods any more: services must not send traffic there."""
        for pod in self._pods.cache.by_index(podstate.BY_NODE, node):
            ready = condition(pod.status.conditions, "Ready")
            if ready is None or ready.status != "True" or podstate.has_ended(pod):
                continue
            unready = {
                "type": "Ready",
                "status": "False",
                "lastTransitionTime": rfc3339(self._clock.wall()),
            }
            try:
                await self._client.patch(
                    POD,
                    pod.metadata.name,
                    {"status": {"conditions": [unready]}},
                    namespace=pod.metadata.namespace,
                    how=PatchType.STRATEGIC,
                    subresource="status",
                )
            except NotFound:
                continue
            self._recorder.record(reference(POD, pod), WARNING, "NodeNotReady", "Node is not ready")

    async def _patch_node(self, node: Node, body: Any, subresource: str = "") -> None:
        how = PatchType.STRATEGIC if subresource else PatchType.MERGE
        try:
            await self._client.patch(
                NODE, node.metadata.name, body, how=how, subresource=subresource
            )
        except NotFound:
            return

    def _note(self, node: Node, reason: str, message: str) -> None:
        self._recorder.record(reference(NODE, node), NORMAL, reason, message)


def marks(node: Node, *, silent: bool) -> Iterator[tuple[str, str]]:
    """Key and effect of each taint that a node should have from us."""
    ready = condition(node.status.conditions, "Ready")
    if silent or (ready is not None and ready.status == "Unknown"):
        yield taints.UNREACHABLE, taints.NO_SCHEDULE
        yield taints.UNREACHABLE, taints.NO_EXECUTE
    elif ready is None or ready.status != "True":
        yield taints.NOT_READY, taints.NO_SCHEDULE
        yield taints.NOT_READY, taints.NO_EXECUTE
    for kind, key in _BY_CONDITION.items():
        if is_true(node.status.conditions, kind):
            yield key, taints.NO_SCHEDULE
    if node.spec.unschedulable:
        yield taints.UNSCHEDULABLE, taints.NO_SCHEDULE


def _node_of_lease(lease: Lease) -> Iterable[str]:
    return (lease.metadata.name,) if lease.metadata.namespace == LEASES else ()
