"""Pods that want a node: which is next, which rest after a failure, which wait for a change.

    add ─► active ─ pop ─► (tried) ─ park ─► waiting ─ a change that may help ─► resting ─► active
           by priority,                                  at once if it has rested long enough
           then by arrival

A pod that fits nowhere is tried again only when something happens that one of the rules which
refused it hints at, and not before its rest is over: 1 s, doubled up to 10 s. Holds one entry per
pod without a node, so it is as large as the cache at most.
"""

import asyncio
import heapq
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count

from appliance.control.scheduler.podinfo import PodInfo
from appliance.kit.backoff import Backoff
from appliance.kit.clock import Clock
from appliance.kit.workqueue import WorkQueue


@dataclass(slots=True)
class Entry:
    """A pod and how often it was tried in vain."""

    info: PodInfo
    tries: int = 0
    not_before: float = 0.0
    is_parked: bool = False
    rules: frozenset[str] = field(default_factory=frozenset)
    """Filters that refused it the last time."""


class Queue:
    """Hands out the most important pod that may be tried."""

    def __init__(self, clock: Clock, retry: Backoff) -> None:
        self._clock = clock
        self._retry = retry
        self._entries: dict[str, Entry] = {}
        self._parked: dict[object, dict[str, Entry]] = {}
        self._heap: list[tuple[int, int, str]] = []
        self._arrival = count()
        self._is_queued: set[str] = set()
        self._filled = asyncio.Event()
        self._resting = WorkQueue(clock=clock)

    @property
    def is_empty(self) -> bool:
        """Whether no pod can be tried now."""
        return not self._is_queued and self._resting.idle

    def __len__(self) -> int:
        """Pods without a node, whatever they wait for."""
        return len(self._entries)

    def put(self, info: PodInfo) -> None:
        """A pod wants a node, or has changed: that may be what it needed."""
        entry = self._entries.get(info.key)
        if entry is None or entry.info.uid != info.uid:
            self.drop(info.key)
            entry = self._entries[info.key] = Entry(info)
        entry.info = info
        self._activate(entry)

    def drop(self, key: str) -> None:
        """A pod wants no node any more."""
        entry = self._entries.pop(key, None)
        self._is_queued.discard(key)
        if entry is not None:
            self._unpark(entry)

    def park(self, key: str, rules: frozenset[str]) -> None:
        """A pod that was popped fits nowhere: it waits for a change."""
        entry = self._entries.get(key)
        if entry is None:
            return
        entry.tries += 1
        entry.not_before = self._clock.monotonic() + self._retry.delay(entry.tries)
        entry.rules = rules
        entry.is_parked = True
        self._parked.setdefault(_alike(entry), {})[key] = entry

    def failed(self, info: PodInfo) -> None:
        """A pod could not be bound, or not be told of it: again after a rest."""
        entry = self._entries.setdefault(info.key, Entry(info))
        entry.info = info
        entry.tries += 1
        entry.not_before = self._clock.monotonic() + self._retry.delay(entry.tries)
        self._activate(entry)

    def wake(self, concerns: Callable[[Entry], bool], helps: Callable[[Entry], bool]) -> None:
        """Try those again that a change may help.

        `concerns` is asked once for all that were refused by the same rules of one profile,
        `helps` for each: thousands may wait for something else.
        """
        for parked in list(self._parked.values()):
            if concerns(next(iter(parked.values()))):
                for entry in list(parked.values()):
                    if helps(entry):
                        self._activate(entry)

    async def pop(self) -> Entry:
        """The most important pod, the one that came first among equals."""
        while True:
            while self._heap:
                key = heapq.heappop(self._heap)[2]
                entry = self._entries.get(key)
                if key in self._is_queued and entry is not None:
                    self._is_queued.discard(key)
                    return entry
            self._filled.clear()
            await self._filled.wait()

    def reopen(self) -> None:
        """After the loop was stopped: what was popped and not dealt with is tried again."""
        for entry in self._entries.values():
            if not entry.is_parked:
                self._activate(entry)

    async def keep_time(self) -> None:
        """Run beside it: pods whose rest is over."""
        await self._resting.keep_time()

    async def end_rests(self) -> None:
        """Run beside it: takes up those that have rested."""
        while True:
            key = await self._resting.get()
            self._resting.done(key)
            entry = self._entries.get(key)
            if entry is not None and not entry.is_parked:
                self._activate(entry)

    def get(self, key: str) -> Entry | None:
        """What is known of a pod without a node."""
        return self._entries.get(key)

    def _unpark(self, entry: Entry) -> None:
        if not entry.is_parked:
            return
        entry.is_parked = False
        alike = _alike(entry)
        del self._parked[alike][entry.info.key]
        if not self._parked[alike]:
            del self._parked[alike]

    def _activate(self, entry: Entry) -> None:
        self._unpark(entry)
        key = entry.info.key
        if key in self._is_queued:
            return
        rest = entry.not_before - self._clock.monotonic()
        if rest > 0:
            self._resting.add_after(key, rest)
            return
        self._is_queued.add(key)
        heapq.heappush(self._heap, (-entry.info.priority, next(self._arrival), key))
        self._filled.set()


def _alike(entry: Entry) -> object:
    return entry.info.pod.spec.schedulerName, entry.rules
