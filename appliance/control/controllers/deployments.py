"""Deployment: roll pods from one template to the next by growing and shrinking replica sets.

One pass: claim the replica sets, find or make that of the template, then one step of what
`rollouts` decides (a change of size, a rolling step, a recreation, or tidying up), then the
status. A size is written on the condition that the set has not changed, so a cache that is behind
makes a conflict and not a second step.

Source: kubernetes `pkg/controller/deployment`.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from appliance.api import labels
from appliance.api.errors import AlreadyExists, Conflict
from appliance.api.kinds.apps.deployment import DEPLOYMENT, Deployment
from appliance.api.kinds.apps.replicaset import REPLICA_SET, ReplicaSet, ReplicaSetSpec
from appliance.api.meta import ObjectMeta, OwnerReference
from appliance.api.objects import controller_of, controller_ref
from appliance.client.base import Client, DeleteOptions, clone
from appliance.client.cache import key_of, split_key
from appliance.client.controller import DONE, Result, Watch
from appliance.client.events import NORMAL, Recorder, reference
from appliance.client.informer import Informers
from appliance.control.controllers import podstate, rollouts
from appliance.control.controllers.ownedpods import whole
from appliance.control.controllers.progress import Progress
from appliance.kit.clock import Clock

_KEPT_BACK = {
    "kubectl.kubernetes.io/last-applied-configuration",
    rollouts.REVISION,
    rollouts.HISTORY,
    rollouts.DESIRED,
    rollouts.MAXIMUM,
}
"""Annotations that are about one object and are not handed down."""


@dataclass(slots=True)
class _Pass:
    """What one pass works on."""

    deployment: Deployment
    limits: rollouts.Bounds
    sets: list[ReplicaSet]
    new: ReplicaSet | None

    @property
    def old(self) -> list[ReplicaSet]:
        """All but the newest template's."""
        return [one for one in self.sets if one is not self.new]

    def put(self, changed: ReplicaSet) -> None:
        """Work on with a set as it is now."""
        name = changed.metadata.name
        if self.new is not None and self.new.metadata.name == name:
            self.new = changed
        self.sets = [changed if one.metadata.name == name else one for one in self.sets]


class Deployments:
    """Rolls replica sets."""

    name = "deployment"

    def __init__(
        self, client: Client, informers: Informers, *, clock: Clock, recorder: Recorder
    ) -> None:
        self._client = client
        self._recorder = recorder
        self._progress = Progress(clock)
        self._owners = informers.of(DEPLOYMENT)
        self._sets = informers.of(REPLICA_SET)
        self._sets.add_indexers({podstate.BY_CONTROLLER: podstate.controller_index})

    def watches(self) -> Sequence[Watch]:
        """Deployments, and those of replica sets or who might take them."""
        return [
            Watch(self._owners, lambda one: [key_of(one)]),
            Watch(self._sets, self._owners_of),
        ]

    async def reconcile(self, key: str) -> Result:
        """One step of the rollout, and the status."""
        deployment = self._owners.cache.get(key)
        if deployment is None:
            return DONE
        work = _Pass(deployment, rollouts.bounds(deployment), [], None)
        if deployment.metadata.deletionTimestamp is not None:
            work.sets = self._mine(deployment)
            work.new = rollouts.of_template(deployment.spec.template, work.sets)
            return await self._report(work)
        work.sets = await self._claimed(key, deployment)
        work.new = rollouts.of_template(deployment.spec.template, work.sets)
        if deployment.spec.paused or rollouts.is_scaled(deployment, work.sets):
            await self._sync_new(work, make=False)
            await self._resize(work, rollouts.proportional(work.limits, work.new, work.sets))
        elif deployment.spec.strategy.type == "Recreate":
            await self._recreate(work)
        else:
            await self._roll(work)
        await self._tidy(work)
        return await self._report(work)

    # Which replica sets

    def _owners_of(self, one: ReplicaSet) -> Iterable[str]:
        ref = controller_of(one)
        if ref is not None:
            if ref.kind == DEPLOYMENT.kind and ref.apiVersion == DEPLOYMENT.api_version:
                yield f"{one.metadata.namespace}/{ref.name}"
            return
        for owner in self._owners.cache.list(one.metadata.namespace):
            if _selector(owner).matches(one.metadata.labels):
                yield key_of(owner)

    def _mine(self, deployment: Deployment) -> list[ReplicaSet]:
        found = self._sets.cache.by_index(podstate.BY_CONTROLLER, deployment.metadata.uid)
        return sorted(found, key=lambda one: (podstate.created_at(one), one.metadata.name))

    async def _claimed(self, key: str, deployment: Deployment) -> list[ReplicaSet]:
        """Adopt and release; returns what is then its own, oldest first."""
        selector = _selector(deployment)
        mine: list[ReplicaSet] = []
        for one in self._mine(deployment):
            if selector.matches(one.metadata.labels):
                mine.append(one)
            elif one.metadata.deletionTimestamp is None:
                refs = [r for r in one.metadata.ownerReferences if r.uid != deployment.metadata.uid]
                await self._set_owners(one, refs)
        orphans = podstate.ORPHANS + deployment.metadata.namespace
        for one in self._sets.cache.by_index(podstate.BY_CONTROLLER, orphans):
            if selector.matches(one.metadata.labels) and one.metadata.deletionTimestamp is None:
                await self._check_alive(key, deployment)
                refs = [*one.metadata.ownerReferences, controller_ref(DEPLOYMENT, deployment)]
                mine.append(await self._set_owners(one, refs))
        return sorted(mine, key=lambda one: (podstate.created_at(one), one.metadata.name))

    async def _check_alive(self, key: str, deployment: Deployment) -> None:
        namespace, name = split_key(key)
        fresh = await self._client.get(DEPLOYMENT, name, namespace)
        same = fresh.metadata.uid == deployment.metadata.uid
        if not same or fresh.metadata.deletionTimestamp is not None:
            raise Conflict(f"{key} has been deleted meanwhile; its replica sets are not adopted")

    async def _set_owners(self, one: ReplicaSet, refs: list[OwnerReference]) -> ReplicaSet:
        owners = msgspec.to_builtins(refs) or None
        return await self._patch(one, {"metadata": {"ownerReferences": owners}})

    # Steps

    async def _roll(self, work: _Pass) -> None:
        await self._sync_new(work, make=True)
        if work.new is None:
            return
        size = rollouts.new_size(work.limits, work.new, work.sets)
        if size != rollouts.replicas_of(work.new):
            await self._resize(work, {work.new.metadata.name: size})
            return
        await self._resize(work, rollouts.old_sizes(work.limits, work.new, work.old))

    async def _recreate(self, work: _Pass) -> None:
        """All old pods go before the first new one comes."""
        old = [one for one in work.old if rollouts.replicas_of(one)]
        if old:
            await self._resize(work, {one.metadata.name: 0 for one in old})
            return
        if any(one.status.replicas for one in work.old):
            return
        await self._sync_new(work, make=True)
        if work.new is not None:
            await self._resize(work, {work.new.metadata.name: work.limits.replicas})

    async def _sync_new(self, work: _Pass, *, make: bool) -> None:
        """Number the template's set and hand annotations down; make it if it is not there."""
        revision = max((rollouts.revision_of(one) for one in work.old), default=0) + 1
        if work.new is None:
            if not make:
                return
            work.new = await self._create_new(work, revision)
            work.sets = [*work.sets, work.new]
        else:
            await self._hand_down(work, work.new, revision)
        await self._number(work.deployment, rollouts.revision_of(work.new))

    async def _create_new(self, work: _Pass, revision: int) -> ReplicaSet:
        deployment = work.deployment
        meta = deployment.metadata
        mark = rollouts.template_hash(
            deployment.spec.template, deployment.status.collisionCount or 0
        )
        template = clone(deployment.spec.template)
        template.metadata.labels = {**template.metadata.labels, rollouts.HASH_LABEL: mark}
        selector = clone(deployment.spec.selector) if deployment.spec.selector else None
        if selector is not None:
            selector.matchLabels = {**selector.matchLabels, rollouts.HASH_LABEL: mark}
        made = ReplicaSet(
            metadata=ObjectMeta(
                name=f"{meta.name}-{mark}",
                namespace=meta.namespace,
                labels=template.metadata.labels,
                annotations={
                    **_handed_down(deployment),
                    rollouts.REVISION: str(revision),
                    **_sizes(work.limits),
                },
                ownerReferences=[controller_ref(DEPLOYMENT, deployment)],
            ),
            spec=ReplicaSetSpec(
                replicas=rollouts.new_size(work.limits, None, work.sets),
                minReadySeconds=deployment.spec.minReadySeconds,
                selector=selector,
                template=template,
            ),
        )
        try:
            created = await self._client.create(REPLICA_SET, made, namespace=meta.namespace)
        except AlreadyExists as error:
            await self._collided(deployment, made, error)
            raise
        if size := rollouts.replicas_of(created):
            self._note(deployment, NORMAL, "ScalingReplicaSet", _scaled(created, 0, size))
        return created

    async def _collided(
        self, deployment: Deployment, made: ReplicaSet, error: AlreadyExists
    ) -> None:
        """Somebody has the name: ourselves, and our cache is behind; or another template."""
        meta = made.metadata
        there = await self._client.get(REPLICA_SET, meta.name, meta.namespace)
        ref = controller_of(there)
        ours = ref is not None and ref.uid == deployment.metadata.uid
        if ours and rollouts.of_template(made.spec.template, [there]) is not None:
            raise Conflict(f"replica set {meta.name} is not in our cache yet") from error
        count = (deployment.status.collisionCount or 0) + 1
        await self._client.patch(
            DEPLOYMENT,
            deployment.metadata.name,
            {"status": {"collisionCount": count}},
            namespace=meta.namespace,
            subresource="status",
        )

    async def _hand_down(self, work: _Pass, new: ReplicaSet, revision: int) -> None:
        """Annotations of the deployment are its newest set's, too; a template that returns is
        renumbered, and its old number remembered."""
        wanted = _handed_down(work.deployment)
        before = rollouts.revision_of(new)
        if before < revision:
            wanted[rollouts.REVISION] = str(revision)
            if before:
                history = new.metadata.annotations.get(rollouts.HISTORY, "")
                wanted[rollouts.HISTORY] = f"{history},{before}" if history else str(before)
        changes = {k: v for k, v in wanted.items() if new.metadata.annotations.get(k) != v}
        body: dict[str, Any] = {"metadata": {"annotations": changes}} if changes else {}
        ready = work.deployment.spec.minReadySeconds
        if new.spec.minReadySeconds != ready:
            body["spec"] = {"minReadySeconds": ready}
        if body:
            work.put(await self._patch(new, body))

    async def _number(self, deployment: Deployment, revision: int) -> None:
        if rollouts.revision_of(deployment) != revision and revision:
            body = {"metadata": {"annotations": {rollouts.REVISION: str(revision)}}}
            meta = deployment.metadata
            await self._client.patch(DEPLOYMENT, meta.name, body, namespace=meta.namespace)

    async def _resize(self, work: _Pass, sizes: Mapping[str, int]) -> None:
        """Write sizes, and on every set that has pods by which numbers it was sized."""
        for one in list(work.sets):
            before = rollouts.replicas_of(one)
            size = sizes.get(one.metadata.name, before)
            marks = _sizes(work.limits) if size else {}
            stale = {k: v for k, v in marks.items() if one.metadata.annotations.get(k) != v}
            if size == before and not stale:
                continue
            body = {"metadata": {"annotations": stale}, "spec": {"replicas": size}}
            work.put(await self._patch(one, body))
            if size != before:
                text = _scaled(one, before, size)
                self._note(work.deployment, NORMAL, "ScalingReplicaSet", text)

    async def _tidy(self, work: _Pass) -> None:
        """When all is done, forget the oldest history."""
        deployment = work.deployment
        status = rollouts.counted(deployment, work.new, work.sets)
        if not deployment.spec.paused and not rollouts.is_complete(deployment, status):
            return
        for one in rollouts.surplus_history(work.old, deployment.spec.revisionHistoryLimit):
            meta = one.metadata
            options = DeleteOptions(uid=meta.uid)
            await self._client.delete(
                REPLICA_SET, meta.name, namespace=meta.namespace, options=options
            )

    async def _report(self, work: _Pass) -> Result:
        deployment = work.deployment
        status, again = self._progress.status(
            deployment, limits=work.limits, new=work.new, sets=work.sets
        )
        if status != deployment.status:
            await self._client.patch(
                DEPLOYMENT,
                deployment.metadata.name,
                {"status": whole(status)},
                namespace=deployment.metadata.namespace,
                subresource="status",
            )
        return Result(again_in_s=again)

    async def _patch(self, one: ReplicaSet, body: dict[str, Any]) -> ReplicaSet:
        meta = one.metadata
        # The resourceVersion makes it a compare-and-set: see the module.
        checked = {
            **body,
            "metadata": {**body.get("metadata", {}), "resourceVersion": meta.resourceVersion},
        }
        return await self._client.patch(REPLICA_SET, meta.name, checked, namespace=meta.namespace)

    def _note(self, deployment: Deployment, kind: str, reason: str, message: str) -> None:
        self._recorder.record(reference(DEPLOYMENT, deployment), kind, reason, message)


def _selector(deployment: Deployment) -> labels.Selector:
    return labels.from_label_selector(deployment.spec.selector)


def _handed_down(deployment: Deployment) -> dict[str, str]:
    return {k: v for k, v in deployment.metadata.annotations.items() if k not in _KEPT_BACK}


def _sizes(limits: rollouts.Bounds) -> dict[str, str]:
    return {
        rollouts.DESIRED: str(limits.replicas),
        rollouts.MAXIMUM: str(limits.replicas + limits.surge),
    }


def _scaled(one: ReplicaSet, before: int, size: int) -> str:
    way = "up" if size > before else "down"
    return f"Scaled {way} replica set {one.metadata.name} from {before} to {size}"
