"""Compacts by itself: history is kept for `keep_s` seconds and up to twice as long, or for the
last `keep_revisions` revisions, looked at every five minutes.

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
from appliance.store.options import StoreOptions

log = structlog.get_logger(__name__)

_LOOK_S = 300.0


class Retention:
    """Follows one store."""

    def __init__(
        self,
        compact: Callable[[int], Awaitable[None]],
        options: StoreOptions,
        clock: Clock,
        tasks: Tasks,
    ) -> None:
        self._compact = compact
        self._every_s = _LOOK_S if options.keep_revisions else options.keep_history_s
        self._keep_revisions = options.keep_revisions
        self._clock = clock
        self._tasks = tasks
        self._newest = 0
        self._timer: asyncio.Task[None] | None = None

    def wrote(self, revision: int) -> None:
        """A revision has been committed that leaves something to compact."""
        self._newest = revision
        if self._every_s and (self._timer is None or self._timer.done()):
            self._timer = self._tasks.spawn("retention", self._run())

    async def _run(self) -> None:
        looked = 0
        while looked < self._newest:
            looked = self._newest
            await self._clock.sleep(self._every_s)
            if self._keep_revisions:
                looked = self._newest
            if looked > self._keep_revisions:
                await self._forget(looked - self._keep_revisions)

    async def _forget(self, revision: int) -> None:
        try:
            await self._compact(revision)
        except Compacted:
            return  # somebody was ahead of us
        except StoreError as error:
            log.warning("history not compacted", revision=revision, error=str(error))
