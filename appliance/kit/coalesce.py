"""Many pokes, one run: for loops that always look at everything.

The first poke is answered at once, further ones at most every `every_s` seconds. Holds one bit,
so nothing can pile up. The proxy compiles its table behind one, the event writer could be another.
"""

import asyncio

from appliance.kit.clock import Clock


class Coalesce:
    """Folds pokes that come while nobody looks into one."""

    def __init__(self, clock: Clock, *, every_s: float = 0.0) -> None:
        self._clock = clock
        self._every_s = every_s
        self._poked = asyncio.Event()
        self._not_before = clock.monotonic()

    def poke(self) -> None:
        """Ask for a run; cheap, from anywhere in the event loop."""
        self._poked.set()

    async def wait(self) -> None:
        """Return when a run is wanted and allowed; what is poked from now on counts anew."""
        await self._poked.wait()
        await self._clock.sleep(self._not_before - self._clock.monotonic())
        # Cleared after the pause: whoever poked meanwhile is covered by the run that starts now.
        self._poked.clear()
        self._not_before = self._clock.monotonic() + self._every_s
