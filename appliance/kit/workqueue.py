"""A queue of keys that are dirty, for level-triggered loops.

Three sets make it safe: `waiting` (in order of arrival), `processing`, and `again` (dirty while
being processed). A key is never handed out twice at once, and a change that comes while the key
is worked on is never lost: `done` puts it back. Adding a key that already waits is free, so the
queue holds at most one entry per key and needs no other bound.

The runner of controllers and the pod workers take keys from it; `keep_time` must run beside them
for `add_after` and `add_failed` to come due.

Source of the three sets: client-go `util/workqueue`.
"""

import asyncio
import heapq
import random
from collections import deque

from appliance.kit.backoff import Backoff
from appliance.kit.clock import Clock

LEAST_S = 0.001
"""Shortest delay: rounding must not make a deadline due before its own time, again and again."""


class WorkQueue:
    """Hands out each dirty key to one worker at a time."""

    def __init__(
        self, *, clock: Clock, backoff: Backoff | None = None, chance: random.Random | None = None
    ) -> None:
        self._clock = clock
        self._backoff = backoff or Backoff()
        self._chance = chance
        self._order: deque[str] = deque()
        self._waiting: set[str] = set()
        self._processing: set[str] = set()
        self._again: set[str] = set()
        self._failures: dict[str, int] = {}
        self._takers: deque[asyncio.Future[None]] = deque()
        self._due: dict[str, float] = {}
        self._heap: list[tuple[float, str]] = []
        self._earlier = asyncio.Event()

    def __len__(self) -> int:
        """How many keys wait; those in work and those for later do not count."""
        return len(self._waiting) + len(self._again)

    @property
    def idle(self) -> bool:
        """Whether nothing waits and nobody works; keys for later do not count."""
        return not (self._waiting or self._again or self._processing)

    def add(self, key: str) -> None:
        """Make a key dirty."""
        if key in self._waiting or key in self._again:
            return
        if key in self._processing:
            self._again.add(key)
            return
        self._waiting.add(key)
        self._order.append(key)
        self._wake_one()

    def add_after(self, key: str, seconds: float) -> None:
        """Make a key dirty later; of several deadlines for one key the earliest counts."""
        if seconds <= 0:
            self.add(key)
            return
        due = self._clock.monotonic() + max(seconds, LEAST_S)
        if self._due.get(key, due + 1) <= due:
            return
        self._due[key] = due
        heapq.heappush(self._heap, (due, key))
        self._earlier.set()

    def add_failed(self, key: str) -> float:
        """Make a key dirty after a pause that grows with its failures; returns the pause."""
        self._failures[key] = self._failures.get(key, 0) + 1
        pause = self._backoff.delay(self._failures[key], self._chance)
        self.add_after(key, pause)
        return pause

    def forget(self, key: str) -> None:
        """Start counting failures of a key from zero."""
        self._failures.pop(key, None)

    async def get(self) -> str:
        """Take the key that waits longest; the taker must call `done`."""
        while not self._order:
            taker: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._takers.append(taker)
            try:
                await taker
            except asyncio.CancelledError:
                # woken and cancelled at once: pass the wake-up on, else a key lies there unseen
                if taker.done() and not taker.cancelled() and self._order:
                    self._wake_one()
                raise
        key = self._order.popleft()
        self._waiting.discard(key)
        self._processing.add(key)
        return key

    def done(self, key: str) -> None:
        """Say that work on a key has ended."""
        self._processing.discard(key)
        if key in self._again:
            self._again.discard(key)
            self.add(key)

    async def keep_time(self) -> None:
        """Move keys whose deadline has come; runs until cancelled."""
        while True:
            self._earlier.clear()
            due = self._move_due()
            if due is None:
                await self._earlier.wait()
                continue
            sleeper = asyncio.create_task(self._sleep_until(due), name="workqueue timer")
            sleeper.add_done_callback(self._ring)
            try:
                await self._earlier.wait()
            finally:
                sleeper.remove_done_callback(self._ring)  # else its cancelling would wake us again
                sleeper.cancel()

    async def _sleep_until(self, due: float) -> None:
        # measured when the task begins, which may be later than when it was made
        await self._clock.sleep(due - self._clock.monotonic())

    def _ring(self, _sleeper: asyncio.Task[None]) -> None:
        self._earlier.set()

    def _move_due(self) -> float | None:
        """Add what is due; returns the next deadline, None if there is none."""
        now = self._clock.monotonic()
        while self._heap:
            due, key = self._heap[0]
            if self._due.get(key) != due:  # an earlier deadline took its place
                heapq.heappop(self._heap)
            elif due <= now:
                heapq.heappop(self._heap)
                del self._due[key]
                self.add(key)
            else:
                return due
        return None

    def _wake_one(self) -> None:
        while self._takers:
            taker = self._takers.popleft()
            if not taker.done():
                taker.set_result(None)
                return
