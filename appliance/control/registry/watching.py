"""WATCH: what exists if asked for, then changes, then bookmarks; one `KindWatch` per request.

The watch attaches itself to the kind's cache at the first read and lets go when it is closed.
"""

from typing import Generic

from appliance.api.kind import Kind, T
from appliance.client.base import EventType
from appliance.control.options import ControlOptions
from appliance.control.registry.base import Query, StoredEvent
from appliance.control.registry.encoding import marker
from appliance.control.registry.listing import check_watch, parse_start, too_large
from appliance.control.registry.selection import select
from appliance.control.registry.storage import Storage
from appliance.control.registry.watchcache import Backlog, KindCache


class KindWatch(Generic[T]):
    """An open watch (`base.Watch`)."""

    def __init__(
        self, storage: Storage, kind: Kind[T], query: Query, options: ControlOptions
    ) -> None:
        check_watch(query)
        self._storage = storage
        self._query = query
        self._cache: KindCache[T] = storage.cache(kind)
        self._since = parse_start(query.resource_version)
        self._backlog: Backlog[T] = Backlog(
            select(kind, query), options.watcher_backlog, bookmarks=query.bookmarks
        )
        self._attached = False
        self._told = 0
        """The newest revision that the client knows of."""

    def __aiter__(self) -> "KindWatch[T]":
        return self

    async def __anext__(self) -> StoredEvent[T]:
        if not self._attached:
            self._attached = True
            await self._attach()
        event = await self._backlog.take()
        self._told = event.item.revision
        return event

    def farewell(self) -> StoredEvent[T] | None:
        """A last bookmark, if it tells a client more than it knows: that much was not for it."""
        if not self._query.bookmarks or not self._backlog.is_caught_up:
            return None
        if self._cache.revision <= self._told:
            return None
        return StoredEvent(EventType.BOOKMARK, marker(self._cache.kind, self._cache.revision))

    async def aclose(self) -> None:
        """Let go of the cache; a reader that waits is told that the watch has ended."""
        self._cache.detach(self._backlog)
        self._backlog.close()

    async def _attach(self) -> None:
        """Start from what exists (no revision, or 0), or after a revision."""
        await self._cache.ready()
        if not self._shows_what_exists():
            start = self._since or await self._storage.revision()
            self._cache.attach(self._backlog, start)
            self._told = start
            return
        newest = await self._storage.revision()
        if self._since > newest:
            raise too_large(self._since, newest)
        await self._cache.reach(newest)
        selection = self._backlog.selection
        found = self._cache.items(selection.namespace)
        self._backlog.fill(
            [StoredEvent(EventType.ADDED, i) for i in found if selection.matches(i.obj)]
        )
        if self._query.initial_events and self._query.bookmarks:
            end = marker(self._cache.kind, self._cache.revision, initial_end=True)
            self._backlog.fill([StoredEvent(EventType.BOOKMARK, end)])
        self._cache.attach(self._backlog, self._cache.revision)
        self._told = self._cache.revision

    def _shows_what_exists(self) -> bool:
        if self._query.initial_events is not None:
            return self._query.initial_events
        return self._since == 0


async def send_bookmarks(cache: KindCache[T], newest: int) -> None:
    """Tell all watchers that asked for it how far the cache is."""
    waiting = cache.bookmarked()
    if not waiting:
        return
    await cache.reach(newest)
    event = StoredEvent(EventType.BOOKMARK, marker(cache.kind, cache.revision))
    for backlog in waiting:
        backlog.push(event)
