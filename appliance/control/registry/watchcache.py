"""Per kind: the current objects and a ring of past changes, fed by one watch of the store.

Every list, get and API watch of a kind is served from here, so an object is decoded and
serialised once per revision however many look at it.

    store ──batch──► KindCache.follow ──Change──► ring (bounded)
                          │                  └──► every open KindWatch (its own bounded queue)
                          └► objects by key, keys in order

A cache starts with the state at some past revision (the floor) and replays history up to now, so
that a watch may begin anywhere above the floor: after a restart of the server, informers go on
where they were. When the store cuts our watch, everything is loaded anew and all watchers are
told Expired: they list again.

Owned by `storage.Storage`; one per kind for the life of the process. Bounds: ring_size changes,
watcher_backlog events per watcher.
"""

import asyncio
from bisect import bisect_left, insort
from collections import deque
from dataclasses import dataclass, field
from typing import Generic

import structlog

from appliance.api import codec
from appliance.api.errors import Expired
from appliance.api.kind import Kind, T
from appliance.client.base import EventType
from appliance.control.options import ControlOptions
from appliance.control.registry.base import KindCounts, Stored, StoredEvent
from appliance.control.registry.encoding import at_revision, object_key, readable
from appliance.control.registry.selection import Selection
from appliance.store import errors as store_errors
from appliance.store.base import (
    Event,
    EventKind,
    Range,
    Store,
    WatchBatch,
    Watcher,
    WatchRequest,
    prefix_end,
)

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Change(Generic[T]):
    """One revision of one object; `old` None is new, `new` None is gone."""

    revision: int
    old: Stored[T] | None
    new: Stored[T] | None
    _gone: Stored[T] | None = field(default=None, repr=False)

    def gone(self) -> Stored[T]:
        """The last state under the revision that ended it; made once for all watchers."""
        if self._gone is None:
            if self.old is None:
                raise ValueError("a change without an old state has nothing that is gone")
            self._gone = at_revision(self.old, self.revision)
        return self._gone

    def seen_by(self, selection: Selection[T]) -> StoredEvent[T] | None:
        """What a watcher of that selection sees: entering is ADDED, leaving DELETED."""
        before = self.old is not None and selection.matches(self.old.obj)
        if self.new is not None and selection.matches(self.new.obj):
            return StoredEvent(EventType.MODIFIED if before else EventType.ADDED, self.new)
        return StoredEvent(EventType.DELETED, self.gone()) if before else None


class Backlog(Generic[T]):
    """What one watcher has yet to read; cut when it holds too much."""

    def __init__(self, selection: Selection[T], bound: int, *, bookmarks: bool) -> None:
        self.selection = selection
        self.bookmarks = bookmarks
        self.was_cut = False
        self.after = 0
        """Changes up to this revision are none of the watcher's business."""
        self._bound = bound
        self._events: deque[StoredEvent[T]] = deque()
        self._wake = asyncio.Event()
        self._failure: Exception | None = None
        self._closed = False
        self._caught_up = False

    def offer(self, change: Change[T]) -> None:
        """Queue a change if the watcher may see it."""
        if change.revision <= self.after:
            return
        event = change.seen_by(self.selection)
        if event is not None:
            self.push(event)

    def push(self, event: StoredEvent[T]) -> None:
        """Queue an event, or cut the watcher that does not read."""
        if self._failure is not None:
            return
        if len(self._events) >= self._bound:
            self.cut(Expired(f"too old resource version: the watch fell {self._bound} behind"))
            return
        self._events.append(event)
        self._wake.set()

    def fill(self, events: list[StoredEvent[T]]) -> None:
        """Queue what exists already: bounded by what the cache holds, not by the backlog."""
        self._events.extend(events)
        self._wake.set()

    def cut(self, failure: Exception) -> None:
        """End the watch with an error once what is queued has been read."""
        if self._failure is None:
            self._failure = failure
        self.was_cut = True
        self._wake.set()

    def close(self) -> None:
        """End the watch quietly."""
        self._closed = True
        self._events.clear()
        self._wake.set()

    async def take(self) -> StoredEvent[T]:
        """The next event.

        Raises:
            StopAsyncIteration: the watch was closed.
            Expired: it was cut.
        """
        while True:
            self._caught_up = False
            if self._closed:
                raise StopAsyncIteration
            if self._events:
                return self._events.popleft()
            if self._failure is not None:
                raise self._failure
            self._wake.clear()
            self._caught_up = True
            await self._wake.wait()

    @property
    def is_caught_up(self) -> bool:
        """Whether the reader came back for more than there is; what it has taken, it has sent."""
        return self._caught_up and not self._events and self._failure is None


class KindCache(Generic[T]):
    """All objects of one kind at `revision`, and the changes since `floor`."""

    def __init__(self, kind: Kind[T], store: Store, options: ControlOptions) -> None:
        self.kind = kind
        self.revision = 0
        self.floor = 0
        self.changes = 0
        """Grows with each change of what is in here, for those who keep what they worked out."""
        self._store = store
        self._options = options
        self._objects: dict[str, Stored[T]] = {}
        self._keys: list[str] = []
        self._ring: deque[Change[T]] = deque()
        self._watchers: set[Backlog[T]] = set()
        self._waiting: list[tuple[int, asyncio.Future[None]]] = []
        self._ready = asyncio.Event()
        self._feed: Watcher | None = None
        self._cut = 0
        self._reloads = 0

    async def run(self) -> None:
        """Load, then follow the store; ends when the store cuts the watch (the owner restarts)."""
        try:
            try:
                await self._live(past=True)
            except store_errors.Compacted:
                if self._ready.is_set():
                    raise
                # keys that are never written to disk have no past after a restart of the store
                self._reset()
                await self._live(past=False)
        except (store_errors.Compacted, store_errors.Overrun) as error:
            self._reloads += 1
            log.warning("watch cache loads anew", kind=self.kind.plural, why=str(error))
        except asyncio.CancelledError:
            # the server stops: clients go on elsewhere from the revision they have
            for watcher in tuple(self._watchers):
                watcher.close()
            raise
        finally:
            self._reset()

    async def ready(self) -> None:
        """Return once the cache shows the state of its start."""
        await self._ready.wait()

    async def reach(self, revision: int) -> None:
        """Return once everything up to `revision` is in here."""
        await self._ready.wait()
        while self.revision < revision:
            future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting.append((revision, future))
            if self._feed is not None:
                self._feed.progress()
            await future

    def get(self, key: str) -> Stored[T] | None:
        """The object of that namespace/name."""
        return self._objects.get(key)

    def counts(self) -> KindCounts:
        """Figures for metrics."""
        return KindCounts(
            self.kind.plural,
            self.kind.group,
            len(self._objects),
            len(self._watchers),
            self._cut,
            self._reloads,
        )

    def mutated(self) -> list[str]:
        """Keys of objects that are no longer what was read from the store."""
        return [k for k, item in self._objects.items() if codec.encode(item.obj) != item.json]

    def items(self, namespace: str = "", start: str = "") -> list[Stored[T]]:
        """Objects in key order, from key `start` on."""
        first, last = 0, len(self._keys)
        if namespace and self.kind.namespaced:
            first = bisect_left(self._keys, f"{namespace}/")
            last = bisect_left(self._keys, f"{namespace}0")  # "0" follows "/"
        if start:
            first = max(first, bisect_left(self._keys, start))
        return [self._objects[key] for key in self._keys[first:last]]

    def attach(self, backlog: Backlog[T], since: int) -> None:
        """Feed a watcher with all that happened after `since`.

        Raises:
            Expired: the ring does not go back that far.
        """
        if since < self.floor:
            raise Expired(f"too old resource version: {since} ({self.floor})")
        backlog.after = since
        events = (c.seen_by(backlog.selection) for c in self._ring if c.revision > since)
        backlog.fill([e for e in events if e is not None])
        self._watchers.add(backlog)

    def detach(self, backlog: Backlog[T]) -> None:
        """Forget a watcher."""
        if backlog.was_cut:
            backlog.was_cut = False
            self._cut += 1
        self._watchers.discard(backlog)

    def bookmarked(self) -> list[Backlog[T]]:
        """Watchers that asked for bookmarks."""
        return [w for w in self._watchers if w.bookmarks]

    async def _live(self, *, past: bool) -> None:
        """Take in the state at the floor, then follow; with `past`, from as far back as fits."""
        status = await self._store.status()
        floor = max(status.compact_revision, status.revision - self._options.ring_size)
        if floor or not past:
            await self._load(floor if past else 0)
        await self._follow(status.revision)

    async def _load(self, revision: int) -> None:
        prefix = self.kind.storage_prefix().encode()
        found = await self._store.range(
            Range(key=prefix, end=prefix_end(prefix), revision=revision)
        )
        for kv in found.kvs:
            key = object_key(self.kind, kv.key)
            item = readable(self.kind, kv.value, kv.mod_revision, key=key)
            if item is not None:
                self._objects[key] = item
        self._keys = sorted(self._objects)
        self.changes += 1
        self.revision = self.floor = revision or found.revision

    async def _follow(self, target: int) -> None:
        prefix = self.kind.storage_prefix().encode()
        feed = self._store.watch(
            WatchRequest(key=prefix, end=prefix_end(prefix), start_revision=self.floor + 1)
        )
        self._feed = feed
        feed.progress()
        try:
            async for batch in feed:
                self._apply(batch)
                if self.revision >= target:
                    self._ready.set()
        finally:
            feed.close()

    def _apply(self, batch: WatchBatch) -> None:
        for event in batch.events:
            change = self._take(event)
            if change is None:
                continue
            self.changes += 1
            self._ring.append(change)
            if len(self._ring) > self._options.ring_size:
                self.floor = self._ring.popleft().revision
            for watcher in self._watchers:
                watcher.offer(change)
        last = batch.events[-1].kv.mod_revision if batch.events else batch.revision
        self.revision = max(self.revision, last)
        self._wake_waiting()

    def _take(self, event: Event) -> Change[T] | None:
        key = object_key(self.kind, event.kv.key)
        revision = event.kv.mod_revision
        old = self._objects.get(key)
        new = None
        if event.kind is EventKind.PUT:
            new = readable(self.kind, event.kv.value, revision, key=key)
        if new is None:
            if old is None:
                return None
            del self._objects[key]
            del self._keys[bisect_left(self._keys, key)]
            return Change(revision, old, None)
        if old is None:
            insort(self._keys, key)
        self._objects[key] = new
        return Change(revision, old, new)

    def _wake_waiting(self) -> None:
        still = []
        for revision, future in self._waiting:
            if revision > self.revision:
                still.append((revision, future))
            elif not future.done():
                future.set_result(None)
        self._waiting = still

    def _reset(self) -> None:
        """Forget everything; who waits goes on waiting for the next life of the cache."""
        self._ready.clear()
        self.changes += 1
        self._feed = None
        self._objects.clear()
        self._keys.clear()
        self._ring.clear()
        for watcher in tuple(self._watchers):
            watcher.cut(Expired("too old resource version: the server's history was cut"))
        self._watchers.clear()
        self.revision = self.floor = 0
