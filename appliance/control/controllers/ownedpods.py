"""Pods that a controller owns: taken and let go by label, made, deleted, and not counted twice.

Used by every controller that makes pods; it holds what was written and is not seen yet
(`client.expectations`), so that a slow watch never makes anybody create twice. What is created
and deleted is told as events, worded as upstream's. Bounded by its `Informer` of pods.

Source: kubernetes `pkg/controller/controller_utils.go`, `controller_ref_manager.go`.
"""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Generic

import msgspec

from appliance.api.errors import ApiError, Conflict, Forbidden, NotFound
from appliance.api.kind import Kind, T
from appliance.api.kinds.core.pod.kind import POD, Pod
from appliance.api.kinds.core.pod.spec import PodTemplateSpec
from appliance.api.labels import Selector
from appliance.api.meta import ObjectMeta, OwnerReference
from appliance.api.objects import controller_of, controller_ref
from appliance.client.base import Client, DeleteOptions, clone
from appliance.client.cache import key_of, split_key
from appliance.client.events import NORMAL, WARNING, Recorder, reference
from appliance.client.expectations import Expectations
from appliance.client.informer import Informer, Informers
from appliance.control.controllers import podstate, replicas


class OwnedPods(Generic[T]):
    """The pods of all owners of one kind."""

    def __init__(
        self, client: Client, informers: Informers, owners: Informer[T], recorder: Recorder
    ) -> None:
        self._client = client
        self._owners = owners
        self._kind: Kind[T] = owners.kind
        self._recorder = recorder
        self.informer = informers.of(POD)
        self.informer.add_indexers({podstate.BY_CONTROLLER: podstate.controller_index})
        self._expected = Expectations(self.informer)

    def owners_of(self, selector: Callable[[T], Selector]) -> Callable[[Pod], Iterable[str]]:
        """Keys of the owner of a pod, or of those who might take it."""

        def keys(pod: Pod) -> Iterable[str]:
            ref = controller_of(pod)
            if ref is not None:
                if ref.kind == self._kind.kind and ref.apiVersion == self._kind.api_version:
                    yield f"{pod.metadata.namespace}/{ref.name}"
                return
            for owner in self._owners.cache.list(pod.metadata.namespace):
                if selector(owner).matches(pod.metadata.labels):
                    yield key_of(owner)

        return keys

    def met(self, key: str) -> bool:
        """Whether the cache shows all that was written for an owner."""
        return self._expected.met(key)

    def forget(self, key: str) -> None:
        """The owner is gone."""
        self._expected.forget(key)

    def of(self, owner: T) -> list[Pod]:
        """All pods that name it as their controller, ended and leaving ones too."""
        return list(self.informer.cache.by_index(podstate.BY_CONTROLLER, owner.metadata.uid))

    def active(self, owner: T, selector: Selector) -> list[Pod]:
        """Pods that count as its replicas, before anything is adopted or released."""
        return list(self._claims(owner, selector).mine)

    async def claimed(self, key: str, owner: T, selector: Selector) -> list[Pod]:
        """Adopt and release; returns the active pods that are then its own.

        Raises:
            Conflict: the owner is gone, or another of its name is there.
        """
        found = self._claims(owner, selector)
        mine = list(found.mine)
        if found.adopt:
            await self._check_alive(key, owner)
        for pod in found.adopt:
            refs = [*pod.metadata.ownerReferences, controller_ref(self._kind, owner)]
            mine.append(await self._set_owners(key, pod, refs))
        for pod in found.release:
            refs = [r for r in pod.metadata.ownerReferences if r.uid != owner.metadata.uid]
            await self._set_owners(key, pod, refs)
        return mine

    async def create(self, key: str, owner: T, pods: Sequence[Pod]) -> ApiError | None:
        """Create in growing batches; returns the first refusal, after which no batch follows."""
        done = 0
        for size in replicas.batches(len(pods)):
            batch = pods[done : done + size]
            made = await asyncio.gather(*(self._create_one(key, owner, pod) for pod in batch))
            done += size
            if (refusal := _first(made)) is not None:
                return refusal
        return None

    async def delete(self, key: str, owner: T, pods: Iterable[Pod]) -> ApiError | None:
        """Delete side by side; returns the first refusal."""
        return _first(await asyncio.gather(*(self._delete_one(key, owner, pod) for pod in pods)))

    def _claims(self, owner: T, selector: Selector) -> replicas.Claims:
        cache = self.informer.cache
        orphans = podstate.ORPHANS + owner.metadata.namespace
        pods = (*self.of(owner), *cache.by_index(podstate.BY_CONTROLLER, orphans))
        return replicas.claims(owner.metadata.uid, selector, pods)

    async def _check_alive(self, key: str, owner: T) -> None:
        # Our cache may be behind: an owner that is going, or another of the same name, must not
        # take pods.
        namespace, name = split_key(key)
        fresh = await self._client.get(self._kind, name, namespace)
        same = fresh.metadata.uid == owner.metadata.uid
        if not same or fresh.metadata.deletionTimestamp is not None:
            raise Conflict(f"{key} has been deleted meanwhile; its pods are not adopted")

    async def _set_owners(self, key: str, pod: Pod, refs: list[OwnerReference]) -> Pod:
        meta = pod.metadata
        # The resourceVersion makes it a compare-and-set: another owner may be reaching for it too.
        body = {
            "metadata": {
                "resourceVersion": meta.resourceVersion,
                "ownerReferences": msgspec.to_builtins(refs) or None,
            }
        }
        changed = await self._client.patch(POD, meta.name, body, namespace=meta.namespace)
        self._expected.created(key, changed)
        return changed

    async def _create_one(self, key: str, owner: T, pod: Pod) -> ApiError | None:
        try:
            made = await self._client.create(POD, pod, namespace=owner.metadata.namespace)
        except ApiError as error:
            if not is_terminating(error):
                self._note(owner, WARNING, "FailedCreate", f"Error creating: {error.message}")
            return error
        self._expected.created(key, made)
        self._note(owner, NORMAL, "SuccessfulCreate", f"Created pod: {made.metadata.name}")
        return None

    async def _delete_one(self, key: str, owner: T, pod: Pod) -> ApiError | None:
        meta = pod.metadata
        try:
            await self._client.delete(
                POD, meta.name, namespace=meta.namespace, options=DeleteOptions(uid=meta.uid)
            )
        except NotFound:
            self._expected.deleted(key, pod)  # somebody was faster: the news is on its way
        except ApiError as error:
            self._note(owner, WARNING, "FailedDelete", f"Error deleting: {error.message}")
            return error
        else:
            self._expected.deleted(key, pod)
            self._note(owner, NORMAL, "SuccessfulDelete", f"Deleted pod: {meta.name}")
        return None

    def _note(self, owner: T, kind: str, reason: str, message: str) -> None:
        self._recorder.record(reference(self._kind, owner), kind, reason, message)


def pod_from(kind: Kind[T], owner: T, template: PodTemplateSpec, name: str = "") -> Pod:
    """A pod of a template; without a name it gets one that begins with its owner's."""
    made = clone(template)
    meta = owner.metadata
    return Pod(
        kind=POD.kind,
        apiVersion=POD.api_version,
        metadata=ObjectMeta(
            name=name,
            generateName="" if name else f"{meta.name}-",
            namespace=meta.namespace,
            labels=made.metadata.labels,
            annotations=made.metadata.annotations,
            finalizers=made.metadata.finalizers,
            ownerReferences=[controller_ref(kind, owner)],
        ),
        spec=made.spec,
    )


def whole(status: Any) -> dict[str, Any]:
    """Every field of a status, also those at zero: a merge patch leaves alone what it misses."""
    body = {name: msgspec.to_builtins(getattr(status, name)) for name in status.__struct_fields__}
    return {name: None if value in ([], {}) else value for name, value in body.items()}


def is_terminating(error: ApiError) -> bool:
    """Whether the namespace is going: then there is nothing to complain about."""
    return isinstance(error, Forbidden) and "is being terminated" in error.message


def _first(outcomes: Iterable[ApiError | None]) -> ApiError | None:
    return next((outcome for outcome in outcomes if outcome is not None), None)
