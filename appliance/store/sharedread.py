"""One read for all who asked before it began.

A linearizable read must begin after it was asked for, and may answer everyone who asked before it
began: a thousand readers cost two round trips, not a thousand. Used by stores whose truth lies
behind a network. Holds the futures of those who wait.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

from appliance.kit.tasks import Tasks
from appliance.store.errors import StoreError

Found = TypeVar("Found")


class SharedRead(Generic[Found]):
    """Runs `read` for everybody."""

    def __init__(self, read: Callable[[], Awaitable[Found]], tasks: Tasks) -> None:
        self._read = read
        self._tasks = tasks
        self._next: asyncio.Future[Found] | None = None
        self._running = False

    async def ask(self) -> Found:
        """What a read found that began after this call.

        Raises:
            StoreError: the read failed.
        """
        if self._next is None:
            self._next = asyncio.get_running_loop().create_future()
            if not self._running:
                self._running = True
                _ = self._tasks.spawn("shared read", self._run())
        return await asyncio.shield(self._next)

    async def _run(self) -> None:
        try:
            while self._next is not None:
                mine, self._next = self._next, None
                try:
                    mine.set_result(await self._read())
                except StoreError as error:
                    mine.set_exception(error)
                    mine.exception()  # all who asked may have gone
                finally:
                    if not mine.done():
                        mine.cancel()
        finally:
            self._running = False
