"""Tasks have owners and names.

`Tasks` is the only place that starts asyncio tasks outliving the call that made them. The owner
enters it as a context manager; leaving it cancels and awaits every task. A task that fails ends
the whole group (`spawn`) unless it was started with `forever`, which logs and starts it again
with back-off. `CancelledError` is never swallowed.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from types import TracebackType
from typing import Any, Self

import structlog

from appliance.kit.backoff import Backoff
from appliance.kit.clock import Clock, SystemClock

log = structlog.get_logger(__name__)


class Tasks:
    """A named group of tasks with one owner."""

    def __init__(self, name: str, clock: Clock | None = None) -> None:
        self._name = name
        self._clock = clock or SystemClock()
        self._running: set[asyncio.Task[Any]] = set()
        self._failure: BaseException | None = None
        self._failed = asyncio.Event()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    def spawn(self, name: str, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Run `work` until it ends; its failure is raised by `wait_failed`."""
        task = asyncio.create_task(work, name=f"{self._name}/{name}")
        self._running.add(task)
        task.add_done_callback(self._finished)
        return task

    def forever(
        self, name: str, work: Callable[[], Awaitable[None]], backoff: Backoff | None = None
    ) -> asyncio.Task[Any]:
        """Run `work` again and again, after an error with growing pauses."""
        return self.spawn(name, self._repeat(name, work, backoff or Backoff()))

    async def wait_failed(self) -> None:
        """Wait until some task fails, then raise its error."""
        await self._failed.wait()
        if self._failure is not None:
            raise self._failure

    async def close(self) -> None:
        """Cancel all tasks and wait for them to end."""
        while running := [t for t in self._running if t is not asyncio.current_task()]:
            for task in running:
                task.cancel()
            await asyncio.wait(running)

    async def _repeat(
        self, name: str, work: Callable[[], Awaitable[None]], backoff: Backoff
    ) -> None:
        failures = 0
        while True:
            started = self._clock.monotonic()
            try:
                await work()
                error = None
            except Exception as caught:  # noqa: BLE001 - the top of an eternal loop
                error = caught
            # A run that lasted longer than the longest pause was healthy: start over gently.
            healthy = self._clock.monotonic() - started > backoff.maximum_s
            failures = 1 if healthy else failures + 1
            pause = backoff.delay(failures)
            if error is None:
                log.warning("task ended", task=name, again_in_s=round(pause, 3))
            else:
                log.error("task failed", task=name, again_in_s=round(pause, 3), exc_info=error)
            await self._clock.sleep(pause)

    def _finished(self, task: asyncio.Task[Any]) -> None:
        self._running.discard(task)
        if task.cancelled():
            return
        error = task.exception()
        if error is not None and self._failure is None:
            log.error("task failed", task=task.get_name(), exc_info=error)
            self._failure = error
            self._failed.set()
