"""Compacts by itself: history is kept for `keep_s` seconds, and up to twice as long.

Woken by writes, not by a clock: the first write after a quiet time starts one timer; when it
rings, what was the newest revision back then is compacted, and only if more has been written
meanwhile does it start again. An idle store has no timer and gets no compaction mark written.
"""

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from appliance.kit.clock import Clock
from appliance.kit.tasks import Tasks
from appliance.store.errors import Compacted, StoreError

log = structlog.get_logger(__name__)


class Retention:
    """Follows one store; `keep_s` 0 keeps everything."""

    def __init__(
        self, compact: Callable[[int], Awaitable[None]], keep_s: float, clock: Clock, tasks: Tasks
    ) -> None:
        self._compact = compact
        self._keep_s = keep_s
        self._clock = clock
        self._tasks = tasks
        self._newest = 0
        self._timer: asyncio.Task[None] | None = None

    def wrote(self, revision: int) -> None:
        """A revision has been committed that leaves something to compact."""
        self._newest = revision
        if self._keep_s and (self._timer is None or self._timer.done()):
            self._timer = self._tasks.spawn("retention", self._run())

    async def _run(self) -> None:
        compacted = 0
        while compacted < self._newest:
            compacted = self._newest
            await self._clock.sleep(self._keep_s)
            try:
                await self._compact(compacted)
            except Compacted:
                continue  # somebody was ahead of us
            except StoreError as error:
                log.warning("history not compacted", revision=compacted, error=str(error))
