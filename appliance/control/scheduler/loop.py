"""The scheduling loop: a pod without a node → choose → bind.

A pod that was given a node is assumed there until the cache shows it, so that the next choice
counts it. A pod that fits nowhere gets a condition and an event, and is tried again when a node
changes or a pod leaves room: never by a timer alone. Pods that name another scheduler, or are
gated, are none of our business. One view per node is kept and made anew only when it changed.

Several workers bind at once, which lets the store commit bindings together; a choice itself has
no await in it, so two choices never see the same room.
"""

import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import structlog

from appliance.api.errors import NotFound
from appliance.api.kinds.core.namespace import NAMESPACE
from appliance.api.kinds.core.node import NODE, Node
from appliance.api.kinds.core.pod.kind import POD, Binding, Pod
from appliance.api.kinds.core.references import ObjectReference
from appliance.api.meta import ObjectMeta
from appliance.client.base import Client, PatchType
from appliance.client.cache import key_of
from appliance.client.controller import DONE, Result, Runner, Watch
from appliance.client.events import NORMAL, WARNING, Recorder, reference
from appliance.client.informer import Informers
from appliance.control.scheduler.algorithm import Unfit, choose
from appliance.control.scheduler.snapshot import NodeView, view
from appliance.kit.backoff import Backoff
from appliance.kit.clock import Clock, rfc3339

log = structlog.get_logger(__name__)

NAME = "default-scheduler"
WORKERS = 8
"""Bindings in flight at once; more would not make a group commit cheaper."""

RETRY = Backoff(base_s=1.0, maximum_s=10.0)
"""Least time between two tries of a pod that fits nowhere, however often nodes change."""

_BY_NODE = "node"


@dataclass(slots=True)
class _Waiting:
    """A pod that fits nowhere for now."""

    tries: int
    not_before: float


class Scheduler:
    """Binds pods to nodes; run it with `run`."""

    name = "scheduler"

    def __init__(
        self,
        client: Client,
        informers: Informers,
        *,
        clock: Clock,
        recorder: Recorder,
        rng: random.Random,
    ) -> None:
        self._client = client
        self._clock = clock
        self._recorder = recorder
        self._rng = rng
        self._pods = informers.of(POD)
        self._nodes = informers.of(NODE)
        self._namespaces = informers.of(NAMESPACE)
        self._pods.add_indexers({_BY_NODE: lambda pod: (pod.spec.nodeName,)})
        self._views: dict[str, NodeView] = {}
        self._assumed: dict[str, Pod] = {}
        self._assumed_on: dict[str, dict[str, Pod]] = {}
        self._waiting: dict[str, _Waiting] = {}
        self._pods.on_change(self._pod_changed)
        self._nodes.on_change(self._node_changed)
        self._runner = Runner(self, clock=clock, workers=WORKERS, backoff=RETRY)

    async def run(self) -> None:
        """Schedule until cancelled."""
        await self._runner.run()

    @property
    def idle(self) -> bool:
        """Whether nothing is being scheduled; pods that fit nowhere do not count."""
        return self._runner.idle

    def watches(self) -> Sequence[Watch]:
        """Pods that want a node. What may free pods that wait is heard directly (see below)."""
        return [
            Watch(self._pods, self._own_keys),
            Watch(self._nodes, lambda _: ()),
            Watch(self._namespaces, lambda _: ()),
        ]

    async def reconcile(self, key: str) -> Result:
        """Find a node for a pod and bind it."""
        pod = self._pods.cache.get(key)
        if pod is None or not _wants_node(pod) or pod.metadata.uid in self._assumed:
            self._waiting.pop(key, None)
            return DONE
        waiting = self._waiting.get(key)
        if waiting is not None and self._clock.monotonic() < waiting.not_before:
            return Result(again_in_s=waiting.not_before - self._clock.monotonic())
        namespaces = {n.metadata.name: n.metadata.labels for n in self._namespaces.cache.list()}
        choice = choose(pod, self._all_views(), self._rng, namespaces=namespaces)
        if isinstance(choice, Unfit):
            tries = waiting.tries + 1 if waiting else 1
            later = self._clock.monotonic() + RETRY.delay(tries)
            self._waiting[key] = _Waiting(tries, later)
            await self._report_unfit(pod, choice.message)
            return DONE
        self._waiting.pop(key, None)
        self._assume(pod, choice.node)
        await self._bind(pod, choice.node)
        return DONE

    async def _bind(self, pod: Pod, node: str) -> None:
        meta = pod.metadata
        # A sub-resource's body is of another kind than its resource; the protocol's type can't say.
        binding: Any = Binding(
            kind="Binding",
            apiVersion="v1",
            metadata=ObjectMeta(name=meta.name, namespace=meta.namespace, uid=meta.uid),
            target=ObjectReference(kind="Node", name=node),
        )
        try:
            await self._client.create(
                POD, binding, namespace=meta.namespace, name=meta.name, subresource="binding"
            )
        except NotFound:
            self._unassume(meta.uid)  # the pod went meanwhile
            return
        except BaseException:
            self._unassume(meta.uid)
            raise
        log.info("pod bound", pod=key_of(pod), node=node)
        self._recorder.record(
            reference(POD, pod),
            NORMAL,
            "Scheduled",
            f"Successfully assigned {meta.namespace}/{meta.name} to {node}",
        )

    async def _report_unfit(self, pod: Pod, message: str) -> None:
        self._recorder.record(reference(POD, pod), WARNING, "FailedScheduling", message)
        before = next((c for c in pod.status.conditions if c.type == "PodScheduled"), None)
        if before is not None and (before.status, before.message) == ("False", message):
            return
        since = before.lastTransitionTime if before and before.status == "False" else None
        condition = {
            "type": "PodScheduled",
            "status": "False",
            "reason": "Unschedulable",
            "message": message,
            "lastTransitionTime": since or rfc3339(self._clock.wall()),
        }
        try:
            await self._client.patch(
                POD,
                pod.metadata.name,
                {"status": {"conditions": [condition]}},
                namespace=pod.metadata.namespace,
                how=PatchType.STRATEGIC,
                subresource="status",
            )
        except NotFound:
            return  # it went meanwhile

    def _own_keys(self, pod: Pod) -> Iterable[str]:
        return (key_of(pod),) if _wants_node(pod) else ()

    def _pod_changed(self, old: Pod | None, new: Pod | None) -> None:
        for state in (old, new):
            if state is not None and state.spec.nodeName:
                self._views.pop(state.spec.nodeName, None)
                self._unassume(state.metadata.uid)
        if old is not None and new is None:
            self._unassume(old.metadata.uid)
            self._waiting.pop(key_of(old), None)
        if old is not None and _holds_room(old) and (new is None or not _holds_room(new)):
            self._try_waiting()
        elif new is not None and _comes_near(old, new):
            self._try_waiting(only=_minds_company)

    def _node_changed(self, old: Node | None, new: Node | None) -> None:
        for state in (old, new):
            if state is not None:
                self._views.pop(state.metadata.name, None)
        if new is not None and (old is None or _matters(old) != _matters(new)):
            self._try_waiting()

    def _try_waiting(self, only: Callable[[Pod], bool] | None = None) -> None:
        for key in self._waiting:
            pod = self._pods.cache.get(key)
            if pod is not None and (only is None or only(pod)):
                self._runner.poke(key)

    def _all_views(self) -> list[NodeView]:
        return [self._view(node) for node in self._nodes.cache.list()]

    def _view(self, node: Node) -> NodeView:
        name = node.metadata.name
        known = self._views.get(name)
        if known is None:
            pods = {p.metadata.uid: p for p in self._pods.cache.by_index(_BY_NODE, name)}
            pods.update(self._assumed_on.get(name, {}))
            known = self._views[name] = view(node, pods.values())
        return known

    def _assume(self, pod: Pod, node: str) -> None:
        self._assumed[pod.metadata.uid] = pod
        self._assumed_on.setdefault(node, {})[pod.metadata.uid] = pod
        self._views.pop(node, None)

    def _unassume(self, uid: str) -> None:
        if self._assumed.pop(uid, None) is None:
            return
        for node, pods in self._assumed_on.items():
            if pods.pop(uid, None) is not None:
                self._views.pop(node, None)


def _wants_node(pod: Pod) -> bool:
    spec = pod.spec
    return (
        not spec.nodeName
        and (spec.schedulerName or NAME) == NAME
        and not spec.schedulingGates
        and pod.metadata.deletionTimestamp is None
        and not _has_ended(pod)
    )


def _comes_near(old: Pod | None, new: Pod) -> bool:
    """Whether a pod on a node is new there or changed its labels."""
    before = (old.spec.nodeName, old.metadata.labels) if old is not None else ("", {})
    return bool(new.spec.nodeName) and before != (new.spec.nodeName, new.metadata.labels)


def _minds_company(pod: Pod) -> bool:
    """Whether other pods decide where it may go."""
    affinity = pod.spec.affinity
    near = affinity is not None and (affinity.podAffinity or affinity.podAntiAffinity)
    return bool(near or pod.spec.topologySpreadConstraints)


def _holds_room(pod: Pod) -> bool:
    return bool(pod.spec.nodeName) and not _has_ended(pod)


def _has_ended(pod: Pod) -> bool:
    return pod.status.phase in {"Succeeded", "Failed"}


def _matters(node: Node) -> tuple[object, ...]:
    """What of a node can make a pod fit: heartbeats do not."""
    spec, status = node.spec, node.status
    return (node.metadata.labels, spec.taints, spec.unschedulable, status.allocatable)
