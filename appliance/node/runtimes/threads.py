"""A blocking SDK behind async calls: bounded pools and deadlines.

The Docker and Podman drivers make every SDK call through here. Three pools, because the calls
cost different things and must not keep one another out: `quick` ones are looks (2 ms), `heavy`
ones make and start containers (200 ms of the machine's work: 4 threads suffice on 2 cores, more
only make each pod slower; measured), `slow` ones wait for containers to end (stop and its grace).
Heavy calls take turns: those for pods that have begun come before those that begin one, so of
thirty pods half run after half the time instead of all at the end.

A deadline frees the caller at once; the thread comes free when the SDK's own time-out, which
the drivers set no later, ends the request. Streams need no threads: see `streams.py`.
"""

import asyncio
import heapq
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from itertools import count
from typing import TypeVar

from appliance.node.runtimes.base import Unreachable

T = TypeVar("T")

QUICK_THREADS = 4
HEAVY_THREADS = 4
SLOW_THREADS = 32  # pods that may be ending at the same time before the next has to wait
POOLED_CONNECTIONS = QUICK_THREADS + HEAVY_THREADS + SLOW_THREADS  # one for each thread
QUICK_DEADLINE_S = 60.0  # an engine that starts 30 containers at once answers after 10 s


class Threads:
    """The threads of one driver."""

    def __init__(self, name: str, quick: int = QUICK_THREADS, slow: int = SLOW_THREADS) -> None:
        self._quick = ThreadPoolExecutor(quick, thread_name_prefix=f"{name}-quick")
        self._heavy = ThreadPoolExecutor(HEAVY_THREADS, thread_name_prefix=f"{name}-heavy")
        self._slow = ThreadPoolExecutor(slow, thread_name_prefix=f"{name}-slow")
        self._turns = Turns(HEAVY_THREADS)

    async def quick(self, call: Callable[[], T], timeout_s: float = QUICK_DEADLINE_S) -> T:
        """Run a call that looks at something.

        Raises:
            Unreachable: no answer in time.
        """
        return await _within(self._quick, call, timeout_s)

    async def heavy(
        self, call: Callable[[], T], timeout_s: float = QUICK_DEADLINE_S, *, begins: bool = False
    ) -> T:
        """Run a call that makes, starts or removes a container; one that `begins` a pod comes
        after all others. Its time counts from its turn.

        Raises:
            Unreachable: no answer in time.
        """
        async with self._turns.one(later=begins):
            return await _within(self._heavy, call, timeout_s)

    async def slow(self, call: Callable[[], T], timeout_s: float) -> T:
        """Run a call that waits for something outside the engine, such as a container's end.

        Raises:
            Unreachable: no answer in time.
        """
        return await _within(self._slow, call, timeout_s)

    def close(self) -> None:
        """Take no more calls; idle threads end now, busy ones after their call."""
        for pool in (self._quick, self._heavy, self._slow):
            pool.shutdown(wait=False, cancel_futures=True)


class Turns:
    """So many at a time; of those who wait the more urgent first, then the older ones."""

    def __init__(self, slots: int) -> None:
        self._free = slots
        self._serial = count()
        self._waiting: list[tuple[bool, int, asyncio.Future[None]]] = []

    @asynccontextmanager
    async def one(self, *, later: bool) -> AsyncIterator[None]:
        """Hold a turn; `later`: only when nobody waits who is more urgent."""
        if self._free:
            self._free -= 1
        else:
            await self._wait(later=later)
        try:
            yield
        finally:
            self._pass_on()

    async def _wait(self, *, later: bool) -> None:
        mine = asyncio.get_running_loop().create_future()
        heapq.heappush(self._waiting, (later, next(self._serial), mine))
        try:
            await mine
        except asyncio.CancelledError:
            if mine.done() and not mine.cancelled():  # given a turn that will not be used
                self._pass_on()
            raise

    def _pass_on(self) -> None:
        while self._waiting:
            _, _, who = heapq.heappop(self._waiting)
            if not who.done():
                who.set_result(None)
                return
        self._free += 1


async def _within(pool: ThreadPoolExecutor, call: Callable[[], T], timeout_s: float) -> T:
    try:
        async with asyncio.timeout(timeout_s):
            return await asyncio.get_running_loop().run_in_executor(pool, call)
    except TimeoutError as error:
        raise Unreachable(f"the engine did not answer within {timeout_s:g} s") from error
