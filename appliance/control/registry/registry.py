"""StoreRegistry: the seven verbs of every kind over a Store.

    http, LocalClient ──► StoreRegistry ──► creating, updating, patching, deleting, listing
                                                 └──► storage ──► watch caches ──► Store

One per process, made by `assembly`; start of life: nothing runs until a kind is asked for (or
`warm` is called); end: `close`, which ends all watches.
"""

import asyncio
import random
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Self

from appliance.api import errors
from appliance.api.kind import Kind, T
from appliance.api.kinds.autoscaling.scale import Scale
from appliance.api.kinds.core.pod.kind import POD, Binding
from appliance.api.kinds.policy.eviction import Eviction
from appliance.api.kinds.table import by_kind
from appliance.api.meta import DeleteOptions, KubeObject, ObjectMeta
from appliance.client.base import PatchType
from appliance.control.access.admission import default_chain
from appliance.control.access.policies.bound import FindKind
from appliance.control.options import DEFAULTS, ControlOptions
from appliance.control.registry.applying import apply
from appliance.control.registry.base import Call, KindCounts, Query, Stored, StoredPage
from appliance.control.registry.binding import bind, evict
from appliance.control.registry.creating import create
from appliance.control.registry.deleting import delete
from appliance.control.registry.listing import check_reached, list_objects
from appliance.control.registry.parts import Parts, StorageLookup
from appliance.control.registry.patching import patch
from appliance.control.registry.scale import Target, patch_scale, scale_of, update_scale
from appliance.control.registry.storage import Storage
from appliance.control.registry.strategies.table import default_strategies
from appliance.control.registry.updating import update
from appliance.control.registry.watching import KindWatch, send_bookmarks
from appliance.kit.clock import Clock
from appliance.kit.tasks import Tasks
from appliance.store.base import Store

_AT_ONCE = 64
"""Deletes of a collection under way at a time: enough to share the store's commits."""


class StoreRegistry:
    """See `base.Registry` for what each verb promises."""

    def __init__(
        self,
        store: Store,
        *,
        clock: Clock,
        rng: random.Random,
        options: ControlOptions = DEFAULTS,
        find_kind: FindKind = by_kind,
    ) -> None:
        self._clock = clock
        self._options = options
        self._storage = Storage(store, clock=clock, options=options)
        self._tasks = Tasks("registry-bookmarks", clock)
        self._watched: dict[str, Kind[Any]] = {}
        self.lookup = StorageLookup(self._storage)
        self._parts = Parts(
            storage=self._storage,
            clock=clock,
            rng=rng,
            options=options,
            admission=default_chain(self.lookup, rng, options=options, find_kind=find_kind),
            strategies=default_strategies(self._storage, options=options, rng=rng, clock=clock),
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """End all watches and stop following the store."""
        await self._tasks.close()
        await self._storage.close()

    async def warm(self, kinds: tuple[Kind[Any], ...]) -> None:
        """Fill the caches of these kinds, so that watches may start far back from the start."""
        for kind in kinds:
            self._storage.cache(kind)
        for kind in kinds:
            await self._storage.cache(kind).ready()

    async def get(
        self, kind: Kind[T], namespace: str, name: str, *, resource_version: str = ""
    ) -> Stored[T]:
        """Read one object."""
        if resource_version:
            await check_reached(self._storage, resource_version)
        found = await self._storage.get(kind, namespace, name)
        if found is None:
            raise errors.not_found(kind.plural, kind.group, name)
        return found

    async def list(self, kind: Kind[T], query: Query) -> StoredPage[T]:
        """Read what matches."""
        return await list_objects(self._storage, kind, query)

    def watch(self, kind: Kind[T], query: Query) -> KindWatch[T]:
        """Follow changes."""
        watch = KindWatch(self._storage, kind, query, self._options)
        key = kind.api_version + kind.storage_prefix()
        if key not in self._watched:
            self._watched[key] = kind
            _ = self._tasks.spawn(kind.plural, self._bookmark(kind))
        return watch

    async def create(self, kind: Kind[T], obj: T, *, namespace: str, call: Call) -> Stored[T]:
        """Store a new object; `obj` is the registry's from here on."""
        return await create(self._parts, kind, obj, namespace=namespace, call=call)

    async def update(
        self, kind: Kind[T], obj: T, *, namespace: str, name: str, call: Call, subresource: str = ""
    ) -> tuple[Stored[Any], bool]:
        """Replace an object; `obj` is the registry's from here on."""
        if isinstance(obj, Scale):
            target = Target(kind=kind, namespace=namespace, name=name, call=call)
            return await update_scale(self._parts, target, obj), False
        return await update(
            self._parts,
            kind,
            obj,
            namespace=namespace,
            name=name,
            call=call,
            subresource=subresource,
        )

    async def get_scale(self, kind: Kind[T], namespace: str, name: str) -> Stored[Scale]:
        """Read the scale of an object."""
        return scale_of(kind, await self.get(kind, namespace, name))

    async def post(
        self,
        kind: Kind[T],
        obj: KubeObject,
        *,
        namespace: str,
        name: str,
        subresource: str,
        call: Call,
    ) -> None:
        """Carry out a binding or an eviction."""
        if kind is POD and subresource == "binding" and isinstance(obj, Binding):
            await bind(self._parts, obj, namespace=namespace, name=name, call=call)
        elif kind is POD and subresource == "eviction" and isinstance(obj, Eviction):
            await evict(self._parts, obj, namespace=namespace, name=name, call=call)
        else:
            raise errors.MethodNotAllowed(f"{kind.plural}/{subresource} cannot be posted")

    async def patch(
        self,
        kind: Kind[T],
        *,
        namespace: str,
        name: str,
        how: PatchType,
        body: Any,
        call: Call,
        subresource: str = "",
    ) -> tuple[Stored[Any], bool]:
        """Change parts of an object."""
        if subresource == "scale":
            target = Target(kind=kind, namespace=namespace, name=name, call=call)
            return await patch_scale(self._parts, target, how, body), False
        if how is PatchType.APPLY:
            return await apply(
                self._parts,
                kind,
                body,
                namespace=namespace,
                name=name,
                call=call,
                subresource=subresource,
            )
        return await patch(
            self._parts,
            kind,
            namespace=namespace,
            name=name,
            how=how,
            body=body,
            call=call,
            subresource=subresource,
        )

    async def delete(
        self, kind: Kind[T], *, namespace: str, name: str, options: DeleteOptions, call: Call
    ) -> tuple[Stored[T], bool]:
        """Delete; False where it waits for grace or finalizers."""
        return await delete(
            self._parts, kind, namespace=namespace, name=name, options=options, call=call
        )

    async def delete_collection(
        self, kind: Kind[T], query: Query, *, options: DeleteOptions, call: Call
    ) -> StoredPage[T]:
        """Delete all that match; the answer shows them as they were found."""
        page = await self.list(kind, query)
        for start in range(0, len(page.items), _AT_ONCE):
            metas = [item.obj.metadata for item in page.items[start : start + _AT_ONCE]]
            await asyncio.gather(*(self._gone(kind, m, options, call=call) for m in metas))
        return page

    def counts(self) -> Sequence[KindCounts]:
        """Figures of the kinds that were asked for so far."""
        return self._storage.counts()

    def mutated(self) -> tuple[str, ...]:
        """Cached objects that somebody changed instead of cloning: for tests, must be empty."""
        return tuple(self._storage.mutated())

    async def _gone(
        self, kind: Kind[Any], meta: ObjectMeta, options: DeleteOptions, *, call: Call
    ) -> None:
        try:
            await self.delete(
                kind, namespace=meta.namespace, name=meta.name, options=options, call=call
            )
        except errors.NotFound:
            return  # somebody else was faster: that is what was wanted

    async def _bookmark(self, kind: Kind[T]) -> None:
        cache = self._storage.cache(kind)
        while True:
            await self._clock.sleep(self._options.bookmark_every_s)
            if cache.bookmarked():
                await send_bookmarks(cache, await self._storage.revision())
