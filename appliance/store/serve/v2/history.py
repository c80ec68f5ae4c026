"""The last events of the tree, and those who wait for one.

Bounds: 1000 events, as etcd; a watcher that is 100 events behind is closed.

Source: etcd server/etcdserver/api/v2store/{event_history,watcher_hub}.go.
"""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Callable, Iterable

from appliance.store.serve.v2.errors import Code, V2Error
from appliance.store.serve.v2.nodes import Event

KEPT_EVENTS = 1000
_QUEUED_EVENTS = 100


class History:
    """Past events in memory; `since`: before it they are not known."""

    def __init__(self, events: Iterable[Event] = (), since: int = 0) -> None:
        self._events: deque[Event] = deque(events, KEPT_EVENTS)
        self._since = since
        self._watchers: set[EventWatcher] = set()

    def add(self, event: Event) -> None:
        """An event has happened."""
        self._events.append(event)
        for watcher in list(self._watchers):
            watcher.take(event)

    def watch(self, watcher: "EventWatcher", index: int, now_at: int) -> "EventWatcher":
        """Let a watcher have the first event from an index on (0: the next one).

        Raises:
            V2Error: events from there on have been forgotten.
        """
        oldest = self._oldest()
        if 0 < index < oldest:
            cause = f"the requested history has been cleared [{oldest}/{index}]"
            raise V2Error(Code.EVENT_INDEX_CLEARED, cause, now_at)
        watcher.first = index or now_at + 1
        for event in self._events:
            watcher.take(event)
        self._watchers.add(watcher)
        watcher.left = self._watchers.discard
        return watcher

    def follow_on(self, other: "History") -> None:
        """Take over the watchers of a history that this one replaces."""
        for watcher in other._watchers:
            watcher.left = self._watchers.discard
            for event in self._events:
                watcher.take(event)
        self._watchers |= other._watchers

    def close(self) -> None:
        """Nobody waits any more."""
        for watcher in list(self._watchers):
            watcher.close()

    def __len__(self) -> int:
        return len(self._watchers)

    def _oldest(self) -> int:
        full = len(self._events) == KEPT_EVENTS
        return self._events[0].index if full else self._since


class EventWatcher:
    """Somebody who waits for events of a key; with `recursive` of what is below, too."""

    def __init__(self, key: str, *, recursive: bool, stream: bool) -> None:
        self.first = 0
        self._key = key
        self._recursive = recursive
        self._stream = stream
        self._queue: asyncio.Queue[Event | None] = asyncio.Queue()
        self._closed = False
        self.left: Callable[[EventWatcher], None] = lambda _: None
        """Told when it goes; `History` puts its own here."""

    def take(self, event: Event) -> None:
        """An event that may concern it; each is taken once."""
        if self._closed or event.index < self.first:
            return
        self.first = event.index + 1
        if not event.concerns(self._key, recursive=self._recursive):
            return
        if self._queue.qsize() >= _QUEUED_EVENTS:
            self.close()
            return
        self._queue.put_nowait(event)
        if not self._stream:
            self.close()

    def close(self) -> None:
        """What is queued is still to be had."""
        if not self._closed:
            self._closed = True
            self._queue.put_nowait(None)
            self.left(self)

    async def events(self) -> AsyncGenerator[Event, None]:
        """Its events."""
        try:
            while (event := await self._queue.get()) is not None:
                yield event
        finally:
            self.close()
