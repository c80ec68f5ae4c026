"""Revokes leases when they are due.

One task per store sleeps until the next deadline, and only then: a store without leases has no
timer at all. `changed` wakes it when a lease with an earlier deadline has been granted. If the
store refuses (a full disk), the lease stays due and is tried again after a pause.
"""

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from appliance.kit.clock import Clock
from appliance.kit.tasks import Tasks
from appliance.store.errors import LeaseNotFound, StoreError
from appliance.store.mvcc.leasing import LeaseBook

log = structlog.get_logger(__name__)

_RETRY_S = 5.0  # long enough that a full disk is not asked in a loop, short against any TTL


class Expiry:
    """Watches one book of leases."""

    def __init__(
        self,
        book: LeaseBook,
        revoke: Callable[[int], Awaitable[None]],
        clock: Clock,
        tasks: Tasks,
    ) -> None:
        self._book = book
        self._revoke = revoke
        self._clock = clock
        self._tasks = tasks
        self._alarm: asyncio.Task[None] | None = None
        self._alarm_at = 0.0

    def changed(self) -> None:
        """Look at the book: set the alarm if none is set that rings early enough."""
        due = self._book.next_deadline()
        if due is None:
            return
        if self._alarm is not None and not self._alarm.done():
            if self._alarm_at <= due:
                return
            self._alarm.cancel()
        self._alarm_at = due
        self._alarm = self._tasks.spawn("expiry", self._ring(due))

    async def _ring(self, due: float) -> None:
        await self._clock.sleep(due - self._clock.monotonic())
        for lease_id in self._book.due(self._clock.monotonic()):
            try:
                await self._revoke(lease_id)
            except LeaseNotFound:
                continue  # revoked by its owner meanwhile
            except StoreError as error:
                log.warning("lease not revoked", lease=lease_id, error=str(error))
                await self._clock.sleep(_RETRY_S)
                break
        # A renewed lease is still in the book: come back at its new deadline.
        self._alarm = None
        self.changed()
