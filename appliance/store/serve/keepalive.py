"""Pings in both directions: too many of a client's end its connection, none for long asks it.

A client may ping once in 5 s while it has calls, and once in 2 h while it has none; what is sent
to it in between is forgiven. The third ping too early ends the connection with GOAWAY
"too_many_pings", which clients know. A connection on which nothing has come for 2 h is pinged; if
no answer comes in 20 s it is closed, so that the watches of a host that vanished do not stay.

Source: etcd's defaults (server/embed/config.go); gRPC's proposals A8 and A9.
"""

import asyncio
from collections.abc import Callable

from appliance.store.serve.frames import Code, ConnectionFault

MIN_INTERVAL_S = 5.0
IDLE_S = 7200.0
ANSWER_S = 20.0
_MAX_STRIKES = 2
TOO_MANY = "too_many_pings"


class PingLimit:
    """What a client's pings are measured by; `now` gives seconds that never go back."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._last = float("-inf")
        self._strikes = 0

    def forgive(self) -> None:
        """Something has been sent: the next ping may come at once."""
        self._strikes = -1

    def check(self, *, active: bool) -> None:
        """A ping has come; `active`: while the client has calls.

        Raises:
            ConnectionFault: it is one too many.
        """
        now = self._now()
        if self._strikes < 0:
            self._strikes = 0
        elif now - self._last < (MIN_INTERVAL_S if active else IDLE_S):
            self._strikes += 1
        self._last = now
        if self._strikes > _MAX_STRIKES:
            raise ConnectionFault(Code.ENHANCE_YOUR_CALM, TOO_MANY)


class Heartbeat:
    """Asks a silent connection whether anybody is there."""

    def __init__(self, ping: Callable[[], None], lost: Callable[[], None]) -> None:
        self.heard = False
        """Set by whoever reads."""
        self._ping = ping
        self._lost = lost
        self._loop = asyncio.get_running_loop()
        self._timer = self._loop.call_later(IDLE_S, self._look)

    def stop(self) -> None:
        """The connection has ended."""
        self._timer.cancel()

    def _look(self) -> None:
        if not self.heard:
            self._ping()
        wait_s = IDLE_S if self.heard else ANSWER_S
        act = self._look if self.heard else self._judge
        self.heard = False
        self._timer = self._loop.call_later(wait_s, act)

    def _judge(self) -> None:
        if not self.heard:
            self._lost()
            return
        self.heard = False
        self._timer = self._loop.call_later(IDLE_S, self._look)
