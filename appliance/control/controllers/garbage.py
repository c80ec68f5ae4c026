"""The collector: objects whose owners are gone go too.

A key names any object: `<apiVersion>|<kind>|<namespace>/<name>`. For each the collector looks at

* its owners: references to owners that are gone are dropped while another owner is left, else the
  object is deleted. That an owner is gone is asked of the server, caches of different kinds run at
  different speeds. UIDs that are known to be gone are remembered, ABSENT_MAX of them;
* itself, if it is being deleted: `orphan` frees the dependents, `foregroundDeletion` waits until
  those that block it are gone.

Kinds that the cluster does not know are taken to exist: when in doubt nothing is deleted.
Source: Kubernetes documentation, "Garbage Collection".
"""

from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import msgspec

from appliance.api.errors import NotFound
from appliance.api.kind import Kind
from appliance.api.meta import KubeObject, OwnerReference
from appliance.client.base import Client, DeleteOptions
from appliance.client.cache import key_of
from appliance.client.controller import DONE, Result, Watch
from appliance.client.informer import Informer, Informers

ORPHAN = "orphan"
FOREGROUND = "foregroundDeletion"
ABSENT_MAX = 10_000

_BY_OWNER = "owner"
_BY_UID = "uid"


class GarbageCollector:
    """Follows ownerReferences between objects of all kinds."""

    name = "garbage"

    def __init__(self, client: Client, informers: Informers, kinds: Sequence[Kind[Any]]) -> None:
        self._client = client
        self._informers: dict[tuple[str, str], Informer[Any]] = {}
        self._absent: OrderedDict[str, None] = OrderedDict()
        for kind in kinds:
            self._add(informers.of(kind))

    def watches(self) -> Sequence[Watch]:
        """All kinds: who changed in what concerns us, whose owner goes, whose dependent left."""
        return [watch for informer in self._informers.values() for watch in self._watch(informer)]

    def follow(self, informer: Informer[Any]) -> Sequence[Watch]:
        """Look after one more kind from now on; the caller listens to what is given."""
        self._add(informer)
        return self._watch(informer)

    def forget(self, kind: Kind[Any]) -> None:
        """A kind is no longer there."""
        _ = self._informers.pop((kind.api_version, kind.kind), None)

    def _add(self, informer: Informer[Any]) -> None:
        informer.add_indexers({_BY_OWNER: _owner_uids, _BY_UID: _own_uid})
        self._informers[informer.kind.api_version, informer.kind.kind] = informer

    def _watch(self, informer: Informer[Any]) -> Sequence[Watch]:
        keys = _Keys(informer.kind)
        return [
            Watch(informer, keys.own, only=_concerns_us),
            Watch(informer, self._dependents, only=_starts_to_go),
            Watch(informer, self._owners_going, only=_leaves_owners),
        ]

    async def reconcile(self, key: str) -> Result:
        """Decide over one object."""
        api_version, kind_name, object_key = key.split("|", 2)
        informer = self._informers.get((api_version, kind_name))
        obj = informer.cache.get(object_key) if informer else None
        if informer is None or obj is None:
            return DONE
        if obj.metadata.deletionTimestamp is not None:
            await self._finish(informer.kind, obj)
        if obj.metadata.ownerReferences:
            await self._look_at_owners(informer.kind, obj)
        return DONE

    async def _look_at_owners(self, kind: Kind[Any], obj: KubeObject) -> None:
        meta = obj.metadata
        solid: list[OwnerReference] = []
        waiting: list[OwnerReference] = []
        gone: list[OwnerReference] = []
        for ref in meta.ownerReferences:
            owner = self._cached(ref)
            if owner is not None:
                (waiting if _waits_for(owner, ref) else solid).append(ref)
            elif await self._is_absent(ref, meta.namespace):
                gone.append(ref)
            else:
                solid.append(ref)
        if not (waiting or gone) or meta.deletionTimestamp is not None:
            return
        if solid:
            await self._set_owners(kind, obj, solid)
            return
        # A dependent with dependents of its own hands the waiting down.
        deep = bool(waiting) and any(True for _ in self._dependents(obj))
        await self._delete(kind, obj, "Foreground" if deep else _policy_of(obj))

    async def _finish(self, kind: Kind[Any], obj: KubeObject) -> None:
        if ORPHAN in obj.metadata.finalizers:
            for other_kind, dependent in self._dependent_objects(obj):
                refs = dependent.metadata.ownerReferences
                left = [ref for ref in refs if ref.uid != obj.metadata.uid]
                await self._set_owners(other_kind, dependent, left)
            await self._drop_finalizer(kind, obj, ORPHAN)
        elif FOREGROUND in obj.metadata.finalizers and not any(
            _blocks(dependent, obj) for _, dependent in self._dependent_objects(obj)
        ):
            await self._drop_finalizer(kind, obj, FOREGROUND)

    async def _is_absent(self, ref: OwnerReference, namespace: str) -> bool:
        if ref.uid in self._absent:
            return True
        informer = self._informers.get((ref.apiVersion, ref.kind))
        if informer is None:
            return False
        kind = informer.kind
        try:
            owner = await self._client.get(kind, ref.name, namespace if kind.namespaced else "")
        except NotFound:
            pass  # the owner is gone: said below
        else:
            if owner.metadata.uid == ref.uid:
                return False
        self._absent[ref.uid] = None
        if len(self._absent) > ABSENT_MAX:
            self._absent.popitem(last=False)
        return True

    async def _set_owners(
        self, kind: Kind[Any], obj: KubeObject, refs: list[OwnerReference]
    ) -> None:
        meta = obj.metadata
        body = {
            "metadata": {
                "resourceVersion": meta.resourceVersion,
                "ownerReferences": msgspec.to_builtins(refs) or None,
            }
        }
        await self._patch(kind, obj, body)

    async def _drop_finalizer(self, kind: Kind[Any], obj: KubeObject, name: str) -> None:
        meta = obj.metadata
        left = [finalizer for finalizer in meta.finalizers if finalizer != name]
        body = {"metadata": {"resourceVersion": meta.resourceVersion, "finalizers": left or None}}
        await self._patch(kind, obj, body)

    async def _patch(self, kind: Kind[Any], obj: KubeObject, body: dict[str, Any]) -> None:
        meta = obj.metadata
        try:
            await self._client.patch(kind, meta.name, body, namespace=meta.namespace)
        except NotFound:
            return  # it went meanwhile, which is what we want in the end

    async def _delete(self, kind: Kind[Any], obj: KubeObject, policy: str) -> None:
        meta = obj.metadata
        # The revision makes sure that nobody gave it a new owner since we looked.
        options = DeleteOptions(
            uid=meta.uid, resource_version=meta.resourceVersion, propagation=policy
        )
        try:
            await self._client.delete(kind, meta.name, namespace=meta.namespace, options=options)
        except NotFound:
            return

    def _cached(self, ref: OwnerReference) -> KubeObject | None:
        informer = self._informers.get((ref.apiVersion, ref.kind))
        found = informer.cache.by_index(_BY_UID, ref.uid) if informer else ()
        return found[0] if found else None

    def _dependent_objects(self, owner: KubeObject) -> Iterator[tuple[Kind[Any], KubeObject]]:
        for informer in self._informers.values():
            for obj in informer.cache.by_index(_BY_OWNER, owner.metadata.uid):
                yield informer.kind, obj

    def _dependents(self, owner: KubeObject) -> Iterable[str]:
        return (_key(kind, obj) for kind, obj in self._dependent_objects(owner))

    def _owners_going(self, obj: KubeObject) -> Iterable[str]:
        """Owners that wait for their dependents."""
        for ref in obj.metadata.ownerReferences:
            owner = self._cached(ref)
            if owner is not None and owner.metadata.deletionTimestamp is not None:
                yield _key(self._informers[ref.apiVersion, ref.kind].kind, owner)


class _Keys:
    """Keys of objects of one kind; objects from lists may not name theirs."""

    def __init__(self, kind: Kind[Any]) -> None:
        self._kind = kind

    def own(self, obj: KubeObject) -> Iterable[str]:
        return (_key(self._kind, obj),)


def _key(kind: Kind[Any], obj: KubeObject) -> str:
    return f"{kind.api_version}|{kind.kind}|{key_of(obj)}"


def _owner_uids(obj: KubeObject) -> Iterable[str]:
    return (ref.uid for ref in obj.metadata.ownerReferences)


def _own_uid(obj: KubeObject) -> Iterable[str]:
    return (obj.metadata.uid,)


def _concerns_us(old: KubeObject | None, new: KubeObject | None) -> bool:
    """Whether owners, finalizers or the wish to go changed; most changes are of other things."""
    if new is None:
        return False
    if old is None:
        return bool(new.metadata.ownerReferences or new.metadata.deletionTimestamp)
    before, after = old.metadata, new.metadata
    return (
        before.ownerReferences != after.ownerReferences
        or before.deletionTimestamp != after.deletionTimestamp
        or before.finalizers != after.finalizers
    )


def _starts_to_go(old: KubeObject | None, new: KubeObject | None) -> bool:
    if new is None:
        return True
    return new.metadata.deletionTimestamp is not None and (
        old is None or old.metadata.deletionTimestamp is None
    )


def _leaves_owners(old: KubeObject | None, new: KubeObject | None) -> bool:
    if old is None or not old.metadata.ownerReferences:
        return False
    return new is None or new.metadata.ownerReferences != old.metadata.ownerReferences


def _waits_for(owner: KubeObject, ref: OwnerReference) -> bool:
    """Whether the owner is held up by dependents that refer to it like this."""
    meta = owner.metadata
    return (
        meta.deletionTimestamp is not None
        and FOREGROUND in meta.finalizers
        and bool(ref.blockOwnerDeletion)
    )


def _blocks(dependent: KubeObject, owner: KubeObject) -> bool:
    return any(
        ref.uid == owner.metadata.uid and ref.blockOwnerDeletion
        for ref in dependent.metadata.ownerReferences
    )


def _policy_of(obj: KubeObject) -> str:
    """What the object's own finalizers ask for its dependents."""
    if ORPHAN in obj.metadata.finalizers:
        return "Orphan"
    return "Foreground" if FOREGROUND in obj.metadata.finalizers else "Background"
