"""Time comes from outside: whoever needs it takes a `Clock`.

Two real implementations: `SystemClock`, and `FakeClock` (shipped for tests and simulations),
whose time moves only when told to.
"""

import asyncio
import heapq
import time
from datetime import UTC, datetime
from itertools import count
from typing import Protocol


class Clock(Protocol):
    """Reads time and waits for it."""

    def monotonic(self) -> float:
        """Seconds since some start; never goes back."""
        ...

    def wall(self) -> float:
        """Seconds since 1970-01-01 UTC."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Return after `seconds` of this clock's time."""
        ...


class SystemClock:
    """The machine's clocks and the event loop's timer."""

    def monotonic(self) -> float:
        """Seconds since boot."""
        return time.monotonic()

    def wall(self) -> float:
        """Seconds since 1970."""
        return time.time()

    async def sleep(self, seconds: float) -> None:
        """Wait on the event loop's timer."""
        await asyncio.sleep(max(0.0, seconds))


class FakeClock:
    """A clock that stands still until `advance` is called."""

    def __init__(self, start: float = 1_700_000_000.0) -> None:
        self._now = start
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._order = count()

    def monotonic(self) -> float:
        """The fake time."""
        return self._now

    def wall(self) -> float:
        """The same fake time."""
        return self._now

    async def sleep(self, seconds: float) -> None:
        """Wait until `advance` has passed the deadline."""
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        wake: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self._now + seconds, next(self._order), wake))
        await wake

    async def advance(self, seconds: float) -> None:
        """Move time on, waking sleepers in the order of their deadlines."""
        end = self._now + seconds
        while self._sleepers and self._sleepers[0][0] <= end:
            due, _, wake = heapq.heappop(self._sleepers)
            self._now = max(self._now, due)
            if not wake.done():
                wake.set_result(None)
            for _ in range(10):  # let the woken task run up to its next wait
                await asyncio.sleep(0)
        self._now = end
        await asyncio.sleep(0)


def rfc3339(wall: float) -> str:
    """Kubernetes `Time`: UTC, whole seconds, e.g. 2026-11-24T17:00:00Z."""
    return datetime.fromtimestamp(int(wall), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def rfc3339_micro(wall: float) -> str:
    """Kubernetes `MicroTime`: UTC with six decimals."""
    return datetime.fromtimestamp(wall, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def parse_rfc3339(text: str) -> float:
    """Seconds since 1970 of an RFC 3339 time.

    Raises:
        ValueError: the text is not such a time.
    """
    parsed = datetime.fromisoformat(text)
    if parsed.tzinfo is None:
        raise ValueError(f"{text!r} has no time zone; write it like 2026-11-24T17:00:00Z")
    return parsed.timestamp()
