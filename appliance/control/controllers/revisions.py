"""Past templates of daemon sets and stateful sets: `kubectl rollout history` and `undo` read them.

A revision is named after the hash of its template, and pods bear the same hash as a label: that
tells old pods from new ones. A template that returns takes the highest number again.

Source: kubernetes `pkg/controller/history`.
"""

from collections.abc import Iterable
from typing import Any, Generic

import msgspec

from appliance.api.errors import AlreadyExists, Conflict
from appliance.api.kind import Kind, T
from appliance.api.kinds.apps.controllerrevision import CONTROLLER_REVISION, ControllerRevision
from appliance.api.kinds.core.pod.spec import PodTemplateSpec
from appliance.api.meta import ObjectMeta
from appliance.api.objects import controller_of, controller_ref
from appliance.client.base import Client, DeleteOptions
from appliance.client.cache import key_of
from appliance.client.informer import Informers
from appliance.control.controllers import podstate, rollouts

HASH_LABEL = "controller-revision-hash"


class Revisions(Generic[T]):
    """Revisions of all owners of one kind."""

    def __init__(self, client: Client, informers: Informers, kind: Kind[T]) -> None:
        self._client = client
        self._kind = kind
        self.informer = informers.of(CONTROLLER_REVISION)
        self.informer.add_indexers({podstate.BY_CONTROLLER: podstate.controller_index})

    def owner_of(self, one: ControllerRevision) -> Iterable[str]:
        """Key of the owner of a revision."""
        ref = controller_of(one)
        if ref is not None and ref.kind == self._kind.kind:
            yield f"{one.metadata.namespace}/{ref.name}"

    def of(self, owner: T) -> list[ControllerRevision]:
        """Its revisions, oldest first."""
        found = self.informer.cache.by_index(podstate.BY_CONTROLLER, owner.metadata.uid)
        return sorted(found, key=lambda one: (one.revision, one.metadata.name))

    async def current(
        self, owner: T, template: PodTemplateSpec, *, collisions: int
    ) -> ControllerRevision:
        """The revision of the template, made or renumbered so that it is the newest.

        Raises:
            Conflict: the cache does not show it yet.
            AlreadyExists: something else has its name; count a collision.
        """
        known = self.of(owner)
        data = state_of(template)
        newest = known[-1].revision if known else 0
        for one in reversed(known):
            if one.data == data:
                return one if one.revision == newest else await self._renumber(one, newest + 1)
        return await self._create(owner, template, revision=newest + 1, collisions=collisions)

    async def count_collision(self, owner: T, before: int) -> None:
        """Something else has the name that a hash made: the next hash is another."""
        meta = owner.metadata
        body = {"status": {"collisionCount": before + 1}}
        await self._client.patch(
            self._kind, meta.name, body, namespace=meta.namespace, subresource="status"
        )

    async def forget(self, owner: T, limit: int | None, *, used: set[str]) -> None:
        """Delete the oldest that nobody uses, but for `limit` of them; `used` are hashes."""
        if limit is None:
            return
        idle = [one for one in self.of(owner)[:-1] if hash_of(one) not in used]
        for one in idle[: max(0, len(idle) - limit)]:
            meta = one.metadata
            options = DeleteOptions(uid=meta.uid)
            await self._client.delete(
                CONTROLLER_REVISION, meta.name, namespace=meta.namespace, options=options
            )

    async def _renumber(self, one: ControllerRevision, revision: int) -> ControllerRevision:
        meta = one.metadata
        body = {"metadata": {"resourceVersion": meta.resourceVersion}, "revision": revision}
        return await self._client.patch(
            CONTROLLER_REVISION, meta.name, body, namespace=meta.namespace
        )

    async def _create(
        self, owner: T, template: PodTemplateSpec, *, revision: int, collisions: int
    ) -> ControllerRevision:
        mark = rollouts.template_hash(template, collisions)
        meta = owner.metadata
        made = ControllerRevision(
            metadata=ObjectMeta(
                name=f"{meta.name}-{mark}",
                namespace=meta.namespace,
                labels={**template.metadata.labels, HASH_LABEL: mark},
                annotations={k: v for k, v in meta.annotations.items() if not _is_applied(k)},
                ownerReferences=[controller_ref(self._kind, owner)],
            ),
            data=state_of(template),
            revision=revision,
        )
        try:
            return await self._client.create(CONTROLLER_REVISION, made, namespace=meta.namespace)
        except AlreadyExists as error:
            there = await self._client.get(CONTROLLER_REVISION, made.metadata.name, meta.namespace)
            ref = controller_of(there)
            if ref is not None and ref.uid == meta.uid and there.data == made.data:
                raise Conflict(f"{key_of(there)} is not in our cache yet") from error
            raise


def state_of(template: PodTemplateSpec) -> dict[str, Any]:
    """The template as a patch that puts it back, which is what clients send to undo."""
    return {"spec": {"template": {**msgspec.to_builtins(template), "$patch": "replace"}}}


def hash_of(one: ControllerRevision) -> str:
    """What pods of this revision bear as a label."""
    return one.metadata.labels.get(HASH_LABEL, "")


def _is_applied(annotation: str) -> bool:
    return annotation == "kubectl.kubernetes.io/last-applied-configuration"
