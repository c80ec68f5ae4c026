"""The scheduler's extension for volumes: reads claims from caches, and writes what was chosen.

A claim that waits for its pod is given its volume by writing its name into a free one, or the
node into the claim for whoever makes one; the binder does the rest. The pod keeps its room
meanwhile, for `wait_s`: our own provisioner takes milliseconds. A slower one has the pod parked
until the claim changes, so that it holds up nobody. Bound: what pods hold that are being bound.
"""

import asyncio
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import msgspec

from appliance.api import volumebinding as binding
from appliance.api.errors import Timeout
from appliance.api.kind import Kind
from appliance.api.kinds.core.node import NODE
from appliance.api.kinds.core.persistentvolume import PERSISTENT_VOLUME
from appliance.api.kinds.core.persistentvolumeclaim import (
    PERSISTENT_VOLUME_CLAIM,
    PersistentVolumeClaim,
)
from appliance.api.kinds.core.pod.kind import POD, Pod
from appliance.api.kinds.storage.storageclass import STORAGE_CLASS
from appliance.client.base import Client
from appliance.client.cache import key_of
from appliance.client.events import reference
from appliance.client.informer import Informer, Informers
from appliance.control.scheduler import volumes as needs_of
from appliance.control.scheduler.base import (
    Change,
    Check,
    Filter,
    NodeChanged,
    OtherChanged,
    PodLeft,
    Refusal,
)
from appliance.control.scheduler.podinfo import PodInfo, has_ended
from appliance.control.scheduler.snapshot import NodeView, Snapshot
from appliance.control.scheduler.volumes import Choice, VolumeNeeds, choices, claim_names

WAIT_S = 5.0
_BY_CLAIM = "scheduler-claim"


class VolumeBinding:
    """See `extension.Extension`."""

    def __init__(self, client: Client, informers: Informers, *, wait_s: float = WAIT_S) -> None:
        self._client = client
        self._wait_s = wait_s
        self._pods = informers.of(POD)
        self._nodes = informers.of(NODE)
        self._claims = informers.of(PERSISTENT_VOLUME_CLAIM)
        self._volumes = informers.of(PERSISTENT_VOLUME)
        self._classes = informers.of(STORAGE_CLASS)
        self._pods.add_indexers({_BY_CLAIM: _claim_keys})
        self._held: dict[str, list[Choice]] = {}
        """By uid of the pod: what is being written for it."""
        self._waiters: set[asyncio.Event] = set()
        self.informers: Sequence[Informer[Any]] = (self._claims, self._volumes, self._classes)
        self.filters = (
            Filter(
                "VolumeBinding",
                self._prepare,
                self._helped_by,
                heeds=(NodeChanged, OtherChanged, PodLeft),
            ),
        )

    def listen(self, tell: Callable[[Change], None]) -> None:
        """Tell of claims, volumes and classes."""
        for informer in self.informers:
            informer.on_change(self._listener(informer.kind.kind, tell))

    def assume(self, info: PodInfo, node: str) -> None:
        """Hold what the pod gets there: the next choice gives it to nobody else."""
        found = self._nodes.cache.get(node)
        if _has_claims(info) and found is not None:
            self._held[info.uid] = choices(self._needs(info.pod), found) or []

    def forget(self, info: PodInfo) -> None:
        """The pod was not bound."""
        self._held.pop(info.uid, None)

    async def before_bind(self, info: PodInfo, node: str) -> None:
        """Write what its claims get, and wait until they are bound.

        Raises:
            Timeout: that takes longer; the pod is tried again when its claims change.
            Conflict: somebody was faster.
        """
        given = self._held.get(info.uid, [])
        try:
            for choice in given:
                await self._give(choice, node)
            if given:
                await self._wait_bound(info)
        finally:
            self._held.pop(info.uid, None)

    # the rule

    def _prepare(self, info: PodInfo, _snapshot: Snapshot) -> Check | None:
        if not _has_claims(info):
            return None
        wanted = self._needs(info.pod)
        if wanted.fault:
            refusal = Refusal((wanted.fault,), is_final=True, is_general=True)
            return lambda _view: refusal
        if needs_of.are_decided(wanted):
            pending = Refusal((needs_of.BEING_MADE,), is_final=True)
            return lambda _view: pending

        def check(view: NodeView) -> Refusal | None:
            why = needs_of.objection(wanted, view.node)
            return Refusal((why,), is_final=True) if why else None

        return check

    def _helped_by(self, info: PodInfo, snapshot: Snapshot, change: Change) -> bool:
        match change:
            case OtherChanged(PERSISTENT_VOLUME_CLAIM.kind, key):
                return key in _claim_keys(info.pod)
            case OtherChanged(kind):
                return kind in {PERSISTENT_VOLUME.kind, STORAGE_CLASS.kind}
            case PodLeft(pod):
                return bool(set(_claim_keys(pod)) & set(_claim_keys(info.pod)))
            case NodeChanged(_, view):
                check = self._prepare(info, snapshot)
                return check is None or check(view) is None
            case _:
                return False

    def _needs(self, pod: Pod) -> VolumeNeeds:
        claims = {}
        for name in claim_names(pod):
            claim = self._claims.cache.get(f"{pod.metadata.namespace}/{name}")
            if claim is not None:
                claims[name] = claim
        promised = {
            choice.volume.metadata.name
            for uid, given in self._held.items()
            for choice in given
            if choice.volume is not None and uid != pod.metadata.uid
        }
        volumes = {
            v.metadata.name: v
            for v in self._volumes.cache.list()
            if v.metadata.name not in promised or v.spec.claimRef is not None
        }
        classes = {c.metadata.name: c for c in self._classes.cache.list()}
        found = needs_of.needs(pod, claims, volumes, classes)
        if any(self._is_taken(claim, pod) for claim in claims.values()):
            return replace(found, refusal=needs_of.TAKEN)
        return found

    def _is_taken(self, claim: PersistentVolumeClaim, pod: Pod) -> bool:
        """Whether another pod uses a claim that is for one pod only."""
        if binding.ONE_POD not in claim.spec.accessModes:
            return False
        return any(
            other.metadata.uid != pod.metadata.uid
            and bool(other.spec.nodeName)
            and not has_ended(other)
            for other in self._pods.cache.by_index(_BY_CLAIM, key_of(claim))
        )

    # the writes

    async def _give(self, choice: Choice, node: str) -> None:
        claim, volume = choice.claim, choice.volume
        if volume is None:
            if binding.SELECTED_NODE not in claim.metadata.annotations:
                body = {"metadata": {"annotations": {binding.SELECTED_NODE: node}}}
                await self._patch(PERSISTENT_VOLUME_CLAIM, claim, body)
        elif volume.spec.claimRef is None:
            wanted = reference(PERSISTENT_VOLUME_CLAIM, claim)
            body = {
                "metadata": {"annotations": {binding.BOUND_BY_CONTROLLER: "yes"}},
                "spec": {"claimRef": msgspec.to_builtins(wanted)},
            }
            await self._patch(PERSISTENT_VOLUME, volume, body)

    async def _patch(self, kind: Kind[Any], obj: Any, body: dict[str, Any]) -> None:
        """Change an object unless somebody has since it was looked at."""
        meta = obj.metadata
        body.setdefault("metadata", {}).update(uid=meta.uid, resourceVersion=meta.resourceVersion)
        await self._client.patch(kind, meta.name, body, namespace=meta.namespace)

    async def _wait_bound(self, info: PodInfo) -> None:
        with self._waiter() as changed:
            try:
                async with asyncio.timeout(self._wait_s):
                    while not self._are_bound(info.pod):
                        changed.clear()
                        _ = await changed.wait()
            except TimeoutError:
                raise Timeout(f"volumes of {info.key} are not bound yet") from None

    def _are_bound(self, pod: Pod) -> bool:
        """Whether every claim has its volume, and both are known here."""
        for key in _claim_keys(pod):
            claim = self._claims.cache.get(key)
            if claim is None or not binding.is_bound(claim):
                return False
            if self._volumes.cache.get(claim.spec.volumeName) is None:
                return False
        return True

    @contextmanager
    def _waiter(self) -> Iterator[asyncio.Event]:
        event = asyncio.Event()
        self._waiters.add(event)
        try:
            yield event
        finally:
            self._waiters.discard(event)

    def _listener(
        self, kind: str, tell: Callable[[Change], None]
    ) -> Callable[[Any | None, Any | None], None]:
        def changed(old: Any | None, new: Any | None) -> None:
            for event in self._waiters:
                event.set()
            obj = new if new is not None else old
            if obj is not None:
                tell(OtherChanged(kind, key_of(obj)))

        return changed


def _has_claims(info: PodInfo) -> bool:
    return any(v.persistentVolumeClaim or v.ephemeral for v in info.pod.spec.volumes)


def _claim_keys(pod: Pod) -> Iterable[str]:
    return [f"{pod.metadata.namespace}/{name}" for name in claim_names(pod)]
