"""What wakes a pod worker: a ring, or the earliest of its deadlines.

One per worker; at most one timer runs at a time.
"""

import asyncio

from appliance.kit.clock import Clock
from appliance.kit.tasks import Tasks


class Bell:
    """`wait` returns after a `ring` or when the earliest `ring_at` is due."""

    def __init__(self, tasks: Tasks, clock: Clock) -> None:
        self._tasks = tasks
        self._clock = clock
        self._rung = asyncio.Event()
        self._timer: asyncio.Task[None] | None = None
        self._due: float | None = None

    def ring(self) -> None:
        """Wake the worker now, or make its next wait return at once."""
        self._rung.set()

    def ring_at(self, wall: float) -> None:
        """Wake the worker at `wall` (seconds since 1970) unless an earlier time is set."""
        if self._due is not None and self._due <= wall:
            return
        if self._timer is not None:
            self._timer.cancel()
        self._due = wall
        self._timer = self._tasks.spawn("timer", self._ring_later(wall))

    async def wait(self) -> None:
        """Return at the next ring."""
        await self._rung.wait()
        self._rung.clear()

    async def _ring_later(self, wall: float) -> None:
        await self._clock.sleep(wall - self._clock.wall())
        self._due = None
        self._timer = None
        self._rung.set()
