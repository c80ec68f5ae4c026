"""Watchers: each change to everyone whose range it touches, in order, without polling.

A store owns one hub and calls `publish` once per committed revision, on the event loop. A
watcher is in one of two groups:

    in step   in the index; `publish` appends the revision's events to its backlog
    behind    not in the index; has a cursor, and replays history in bounded pages whenever its
              consumer asks for more (started in the past, or let its backlog grow too long)

A consumer that does not read therefore costs a cursor, never a growing list, and loses nothing
unless compaction passes its cursor: then it gets `Compacted`, or `Overrun` if only the bounded
memory of ephemeral keys has moved on. Everything runs between two awaits on one loop, so that
a page of history and the step into the index are one move: no gap, no event twice.

Source: the three groups of etcd's `server/storage/mvcc/watchable_store.go`, with the consumer
driving the catch-up in place of a 100 ms tick.
"""

import asyncio
from collections import deque
from collections.abc import Sequence
from typing import Protocol, Self

import structlog
from msgspec.structs import replace

from appliance.kit.clock import SystemClock
from appliance.store.base import Event, EventKind, Sink, WatchBatch, WatchRequest
from appliance.store.errors import Closed, Compacted, EmptyRange, Overrun, StoreError
from appliance.store.mvcc.ranges import is_empty
from appliance.store.options import StoreOptions
from appliance.store.watchindex import WatchIndex

log = structlog.get_logger(__name__)

_YIELD = SystemClock()  # only ever asked to sleep 0: let the loop run between two empty pages


class History(Protocol):
    """Past changes, as the hub replays them."""

    @property
    def revision(self) -> int:
        """The newest committed revision."""
        ...

    @property
    def compact_revision(self) -> int:
        """Where history begins."""
        ...

    def oldest(self, key: bytes, end: bytes) -> int:
        """The first revision whose changes of the range are all still here."""
        ...

    def events(self, key: bytes, end: bytes, first: int, last: int) -> tuple[list[Event], int]:
        """Changes of the range from `first` on, in order, with what was before.

        Whole revisions, up to the one returned: `last`, or less if they are large.
        """
        ...


class Hub:
    """All watchers of a store."""

    def __init__(self, history: History, options: StoreOptions) -> None:
        self.history = history
        self.options = options
        self.index: WatchIndex[HubWatcher] = WatchIndex()
        self._open: set[HubWatcher] = set()
        self._early: set[HubWatcher] = set()
        self._to_tell: dict[HubWatcher, None] = {}

    def watch(self, request: WatchRequest) -> "HubWatcher":
        """Open a watcher.

        Raises:
            EmptyRange: no key can be in its range.
        """
        request = replace(request, key=request.key or b"\x00")
        if is_empty(request.key, request.end):
            raise EmptyRange
        watcher = HubWatcher(self, request)
        self._open.add(watcher)
        return watcher

    def publish(self, revision: int, changes: Sequence[Event]) -> None:
        """Hand out the changes of a revision that has just been committed."""
        try:
            self._hand_out(revision, changes)
        except Exception:
            self.cut(Overrun())  # some were told and some were not: nobody may miss it unknowingly
            raise

    def _hand_out(self, revision: int, changes: Sequence[Event]) -> None:
        if len(changes) == 1:
            news = _News(revision, changes)
            for watcher in list(self.index.match(changes[0].kv.key)):  # some may leave it
                watcher.deliver(news)
        else:
            touched: dict[HubWatcher, list[Event]] = {}
            for change in changes:
                for watcher in self.index.match(change.kv.key):
                    touched.setdefault(watcher, []).append(change)
            for watcher, events in touched.items():
                watcher.deliver(_News(revision, events))
        for watcher in [w for w in self._early if w.cursor <= revision + 1]:
            self._early.discard(watcher)
            watcher.wake()

    def tell_soon(self, watcher: "HubWatcher") -> None:
        """Once the loop comes round, with all that this turn has published."""
        if not self._to_tell:
            asyncio.get_running_loop().call_soon(self._tell)
        self._to_tell[watcher] = None

    def _tell(self) -> None:
        to_tell, self._to_tell = self._to_tell, {}
        for watcher in to_tell:
            try:
                watcher.tell_now()
            except Exception:
                log.exception("a watch's reader failed and is cut off; the others go on")
                watcher.cut(Overrun())  # what it was being told is gone

    def wait_for_start(self, watcher: "HubWatcher") -> None:
        """Wake the watcher once its start revision, now in the future, is next."""
        self._early.add(watcher)

    def forget(self, watcher: "HubWatcher") -> None:
        """Drop a watcher that has ended."""
        self._open.discard(watcher)
        self._early.discard(watcher)
        self.index.remove(watcher.request.key, watcher.request.end, watcher)

    def cut(self, error: StoreError) -> None:
        """End all watchers with `error`, once they have read what is there."""
        for watcher in list(self._open):
            watcher.cut(error)

    def close(self) -> None:
        """End all watchers with `Closed`."""
        self.cut(Closed())

    def __len__(self) -> int:
        return len(self._open)


class _News:
    """A revision's changes of a range, as watchers want them; made once for all."""

    __slots__ = ("_bare", "events", "revision")

    def __init__(self, revision: int, events: Sequence[Event]) -> None:
        self.revision = revision
        self.events = tuple(events)
        self._bare: tuple[Event, ...] | None = None

    @property
    def bare(self) -> tuple[Event, ...]:
        """Without what was before."""
        if self._bare is None:
            self._bare = tuple(_bare(event) for event in self.events)
        return self._bare


def _bare(event: Event) -> Event:
    return event if event.prev_kv is None else Event(event.kind, event.kv)


class HubWatcher:
    """One watcher; iterate it from a single task."""

    def __init__(self, hub: Hub, request: WatchRequest) -> None:
        self.request = request
        self._hub = hub
        self._backlog: deque[tuple[int, tuple[Event, ...]]] = deque()
        self._backlog_events = 0
        self._wake: asyncio.Future[None] | None = None
        self._progress = False
        self._closed = False
        self._cut: StoreError | None = None
        current = hub.history.revision
        self.cursor = request.start_revision or current + 1
        """The first revision not yet put into the backlog or handed out."""
        self._in_step = False
        self._sink: Sink | None = None
        if self.cursor < 0 or self.cursor > current:
            self._enter_step()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> WatchBatch:
        while True:
            if self._cut is not None and not self._backlog:
                self.close()
                raise self._cut
            if self._closed:
                raise StopAsyncIteration
            was_in_step = self._in_step
            batch = self._next_ready()
            if batch is not None:
                return batch
            if was_in_step:
                await self._sleep()
            else:  # look again: more history, or progress now that it is in step
                await _YIELD.sleep(0)

    def progress(self) -> None:
        """Ask for an empty batch as soon as the watcher has caught up."""
        self._progress = True
        if self.cursor > self._hub.history.revision + 1:
            self._hub.wait_for_start(self)
        self.wake()

    def close(self) -> None:
        """End the watch."""
        self._closed = True
        self._backlog.clear()
        self._hub.forget(self)
        self.wake()

    def cut(self, error: StoreError) -> None:
        """Let the consumer have what is there, then raise `error` to it."""
        self._cut = error
        self._hub.forget(self)
        self.wake()

    def wake(self) -> None:
        """Let the consumer look again."""
        if self._wake is not None and not self._wake.done():
            self._wake.set_result(None)

    def tell(self, sink: Sink) -> None:
        """Give `sink` what comes while the consumer sleeps."""
        self._sink = sink

    def tell_now(self) -> None:
        """Let the sink have the backlog, or the consumer if that is not asleep."""
        asleep = self._wake is not None and not self._wake.done()
        if self._sink is None or not asleep or not self._in_step:
            self.wake()
        elif self._backlog and not self._sink(self._from_backlog()):
            self._sink = None

    def deliver(self, news: _News) -> None:
        """Take a revision's events, or fall behind if nobody reads them."""
        revision = news.revision
        if revision < self.cursor:
            return  # starts later
        wanted = self._wanted(news)
        if not wanted:
            return
        if self._backlog_events + len(wanted) > self._hub.options.watch_backlog_events:
            self._fall_behind(revision)
        else:
            self._backlog.append((revision, wanted))
            self._backlog_events += len(wanted)
        if self._sink is None:
            self.wake()
        else:
            self._hub.tell_soon(self)

    def _next_ready(self) -> WatchBatch | None:
        if self._backlog:
            return self._from_backlog()
        if not self._in_step:
            batch = self._from_history()
            if batch is not None or not self._in_step:
                return batch
        if self._progress and self.cursor <= self._hub.history.revision + 1:
            self._progress = False
            return WatchBatch(self._hub.history.revision)
        return None

    def _from_backlog(self) -> WatchBatch:
        last, events = self._backlog[0]
        if len(self._backlog) > 1:
            events = tuple(event for _, of_revision in self._backlog for event in of_revision)
            last = self._backlog[-1][0]
        self._backlog.clear()
        self._backlog_events = 0
        # Only a watcher in step has everything up to the store's revision with this batch.
        return WatchBatch(self._hub.history.revision if self._in_step else last, events)

    def _from_history(self) -> WatchBatch | None:
        history, request = self._hub.history, self.request
        current = history.revision
        if self.cursor < history.oldest(request.key, request.end):
            self.cut(self._lost())
            return None
        last = min(current, self.cursor + self._hub.options.watch_page_revisions - 1)
        found, last = history.events(request.key, request.end, self.cursor, last)
        events = self._wanted(_News(last, found))
        self.cursor = last + 1
        if last >= current:
            self._enter_step()
        return WatchBatch(last, events) if events else None

    def _lost(self) -> StoreError:
        """Why the cursor's revision cannot be replayed any more."""
        history, request = self._hub.history, self.request
        if self.cursor >= history.compact_revision and self.cursor != request.start_revision:
            return Overrun()  # it was in step once, and only the memory of ephemeral keys is gone
        return Compacted(history.oldest(request.key, request.end))

    def _enter_step(self) -> None:
        self._in_step = True
        if self.cursor < 0:
            self.cut(Compacted(self._hub.history.compact_revision))
            return
        self._hub.index.add(self.request.key, self.request.end, self)

    def _fall_behind(self, revision: int) -> None:
        self._hub.index.remove(self.request.key, self.request.end, self)
        self._in_step = False
        self.cursor = self._backlog[0][0] if self._backlog else revision
        self._backlog.clear()
        self._backlog_events = 0

    def _wanted(self, news: _News) -> tuple[Event, ...]:
        request = self.request
        events = news.events if request.prev_kv else news.bare
        if not (request.no_put or request.no_delete):
            return events
        unwanted = {
            kind
            for kind, left_out in (
                (EventKind.PUT, request.no_put),
                (EventKind.DELETE, request.no_delete),
            )
            if left_out
        }
        return tuple(event for event in events if event.kind not in unwanted)

    async def _sleep(self) -> None:
        self._wake = asyncio.get_running_loop().create_future()
        try:
            await self._wake
        finally:
            self._wake = None
