"""LocalClient: the client seam straight onto the registry, for loops in the same process.

No bytes are made or read on the way: objects go in as copies (the registry owns what it is
given) and come out shared, as `client.base` says. Lives as long as its owner keeps it; `close`
ends the watches that were opened through it.
"""

from collections.abc import AsyncIterator
from typing import Any

from appliance.api.kind import Kind, T
from appliance.api.meta import DeleteOptions as MetaDeleteOptions
from appliance.api.meta import Preconditions
from appliance.client.base import (
    BY_DEFAULT,
    EVERYWHERE,
    DeleteOptions,
    Page,
    PatchType,
    WatchEvent,
    Where,
    clone,
)
from appliance.control.registry.base import Call, Query, Registry, User, Watch
from appliance.kit.clock import Clock
from appliance.kit.tasks import Tasks

FIELD_VALIDATION = "Ignore"
"""Our own loops build typed objects: there is nothing unknown in them to warn of."""


class LocalClient:
    """`client.base.Client` in-process."""

    def __init__(
        self, registry: Registry, user: User, clock: Clock, *, field_manager: str = ""
    ) -> None:
        self._registry = registry
        self._user = user
        self._manager = field_manager or user.name.rsplit(":", 1)[-1]
        self._tasks = Tasks("local-client", clock)
        self._clock = clock
        self._watches: set[Watch[Any]] = set()

    def as_user(self, user: User) -> "LocalClient":
        """Give a client onto the same registry for somebody else."""
        return LocalClient(self._registry, user, self._clock)

    async def get(self, kind: Kind[T], name: str, namespace: str = "") -> T:
        """Read one object."""
        return (await self._registry.get(kind, namespace, name)).obj

    async def list(
        self, kind: Kind[T], where: Where = EVERYWHERE, *, limit: int = 0, continue_token: str = ""
    ) -> Page[T]:
        """Read all objects that match, or one page."""
        query = Query(
            namespace=where.namespace,
            labels=where.labels,
            fields=where.fields,
            limit=limit,
            continue_token=continue_token,
        )
        page = await self._registry.list(kind, query)
        items = [item.obj for item in page.items]
        return Page(items, str(page.revision), page.continue_token)

    async def watch(
        self, kind: Kind[T], where: Where = EVERYWHERE, *, since: str, timeout_s: int = 300
    ) -> AsyncIterator[WatchEvent[T]]:
        """Follow changes after `since`."""
        query = Query(
            namespace=where.namespace,
            labels=where.labels,
            fields=where.fields,
            resource_version=since,
            bookmarks=True,
        )
        watch = self._registry.watch(kind, query)
        self._watches.add(watch)
        ends = self._tasks.spawn("watch-timeout", self._end(watch, timeout_s))
        try:
            async for event in watch:
                yield WatchEvent(event.type, event.item.obj)
        finally:
            ends.cancel()
            self._watches.discard(watch)
            await watch.aclose()

    async def create(
        self, kind: Kind[T], obj: T, *, namespace: str = "", name: str = "", subresource: str = ""
    ) -> T:
        """Store a new object, or post a sub-resource of `name`."""
        namespace = namespace or obj.metadata.namespace
        if subresource:
            await self._registry.post(
                kind,
                clone(obj),
                namespace=namespace,
                name=name or obj.metadata.name,
                subresource=subresource,
                call=self._call(),
            )
            return obj
        made = await self._registry.create(kind, clone(obj), namespace=namespace, call=self._call())
        return made.obj

    async def update(self, kind: Kind[T], obj: T, *, subresource: str = "") -> T:
        """Replace an object."""
        stored, _created = await self._registry.update(
            kind,
            clone(obj),
            namespace=obj.metadata.namespace,
            name=obj.metadata.name,
            call=self._call(),
            subresource=subresource,
        )
        return stored.obj

    async def patch(
        self,
        kind: Kind[T],
        name: str,
        body: Any,
        *,
        namespace: str = "",
        how: PatchType = PatchType.MERGE,
        subresource: str = "",
    ) -> T:
        """Change parts of an object."""
        stored, _created = await self._registry.patch(
            kind,
            namespace=namespace,
            name=name,
            how=how,
            body=body,
            call=self._call(force=how is PatchType.APPLY),
            subresource=subresource,
        )
        return stored.obj

    async def delete(
        self, kind: Kind[T], name: str, *, namespace: str = "", options: DeleteOptions = BY_DEFAULT
    ) -> None:
        """Delete an object."""
        conditions = None
        if options.uid is not None or options.resource_version is not None:
            conditions = Preconditions(uid=options.uid, resourceVersion=options.resource_version)
        wanted = MetaDeleteOptions(
            gracePeriodSeconds=options.grace_period_s,
            propagationPolicy=options.propagation,
            preconditions=conditions,
        )
        await self._registry.delete(
            kind, namespace=namespace, name=name, options=wanted, call=self._call()
        )

    async def close(self) -> None:
        """End all watches."""
        for watch in tuple(self._watches):
            await watch.aclose()
        await self._tasks.close()

    async def _end(self, watch: Watch[Any], timeout_s: int) -> None:
        await self._clock.sleep(timeout_s)
        await watch.aclose()

    def _call(self, *, force: bool = False) -> Call:
        return Call(
            user=self._user,
            field_manager=self._manager,
            field_validation=FIELD_VALIDATION,
            force=force,
        )
