"""The `Controller` protocol and the one runner that all loops share.

A controller says what it watches and reconciles one key at a time. The runner has the queue, the
workers, back-off and metrics: a controller has no threads, no queue, no retry and looks at no
event. The queue holds each key once, so it is never longer than the caches are.
"""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import structlog

from appliance.api.errors import ApiError, Conflict
from appliance.client.informer import Change, Informer
from appliance.kit.backoff import Backoff
from appliance.kit.clock import Clock
from appliance.kit.tasks import Tasks
from appliance.kit.workqueue import WorkQueue

log = structlog.get_logger(__name__)

RETRY = Backoff(base_s=0.05, maximum_s=60.0)
"""Between tries of one key: at once for a lost race, once a minute for what stays broken."""


@dataclass(frozen=True, slots=True)
class Result:
    """`again_in_s`: come back to this key after so many seconds."""

    again_in_s: float | None = None


DONE = Result()


@dataclass(frozen=True, slots=True)
class Watch:
    """A change of any object of `informer` makes the keys that `keys(object)` gives dirty.

    `keys` is asked for the old and for the new state, so that an owner hears of what left it.
    With `only`, changes for which `only(old, new)` is false wake nobody.
    """

    informer: Informer[Any]
    keys: Callable[[Any], Iterable[str]]
    only: Callable[[Any, Any], bool] | None = None


class Controller(Protocol):
    """A level-triggered loop: make what is be what is wanted, for one key."""

    @property
    def name(self) -> str:
        """Short name for logs and metrics."""
        ...

    def watches(self) -> Sequence[Watch]:
        """What makes which keys dirty."""
        ...

    async def reconcile(self, key: str) -> Result:
        """Look at everything again and act; an error means again after a pause."""
        ...


class Runner:
    """Feeds a controller from its watches with `workers` at once, never one key twice at once."""

    def __init__(
        self,
        controller: Controller,
        *,
        clock: Clock,
        workers: int = 1,
        backoff: Backoff | None = None,
    ) -> None:
        self.controller = controller
        self._clock = clock
        self._workers = workers
        self._queue = WorkQueue(clock=clock, backoff=backoff or RETRY)
        self.done = 0
        """Keys that were reconciled, in vain or not."""
        self.failed = 0
        self._watches = tuple(controller.watches())
        for watch in self._watches:
            self.listen(watch)

    @property
    def idle(self) -> bool:
        """Whether no key waits and none is worked on."""
        return self._queue.idle

    @property
    def depth(self) -> int:
        """How many keys wait."""
        return len(self._queue)

    def listen(self, watch: Watch) -> None:
        """Wake keys by one more watch, whose informer the caller runs."""
        watch.informer.on_change(self._listener(watch))

    def poke(self, key: str) -> None:
        """Make a key dirty by hand."""
        self._queue.add(key)

    async def run(self) -> None:
        """Wait for the caches, then work until cancelled."""
        for watch in self._watches:
            await watch.informer.wait_synced()
        async with Tasks(self.controller.name, self._clock) as tasks:
            _ = tasks.spawn("timer", self._queue.keep_time())
            for number in range(self._workers):
                _ = tasks.spawn(f"worker {number}", self._work())
            await tasks.wait_failed()

    def _listener(self, watch: Watch) -> Change[Any]:
        def heard(old: Any, new: Any) -> None:
            if watch.only is not None and not watch.only(old, new):
                return
            for state in (old, new):
                if state is not None:
                    for key in watch.keys(state):
                        self._queue.add(key)

        return heard

    async def _work(self) -> None:
        while True:
            key = await self._queue.get()
            try:
                result = await self.controller.reconcile(key)
            except asyncio.CancelledError:
                self._queue.add(key)  # leadership may come back: the key is still dirty then
                raise
            except Conflict as error:
                self.failed += 1
                # Somebody was faster; their change is on its way to our cache.
                self._queue.add_failed(key)
                log.debug("lost a race", loop=self.controller.name, key=key, error=str(error))
            except Exception as error:  # the top of every loop: again after a pause
                self.failed += 1
                pause = self._queue.add_failed(key)
                log.warning(
                    "reconcile failed",
                    loop=self.controller.name,
                    key=key,
                    again_in_s=round(pause, 3),
                    error=f"{type(error).__name__}: {error}",
                    exc_info=None if isinstance(error, ApiError) else error,
                )
            else:
                self._queue.forget(key)
                if result.again_in_s is not None:
                    self._queue.add_after(key, result.again_in_s)
            finally:
                self.done += 1
                self._queue.done(key)
