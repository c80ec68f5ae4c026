"""One thread, one epoll: calls whoever owns a socket when something happens there.

Sockets are registered once, edge-triggered: whoever is called works until the kernel says "no
more". `every` is for what is looked after now and then (time-outs); nothing runs while all is
quiet but that.
"""

import select
from collections.abc import Callable

from appliance.kit.clock import Clock

Ready = Callable[[int], None]
"""Called with what happened: a mask of select.EPOLL*."""

EDGES = select.EPOLLIN | select.EPOLLOUT | select.EPOLLRDHUP | select.EPOLLET
_MAX_EVENTS = 256


class Poller:
    """Runs until told to stop."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._epoll = select.epoll()
        self._ready: dict[int, Ready] = {}
        self._chores: list[tuple[float, Callable[[], None]]] = []
        self._running = True

    def add(self, fd: int, ready: Ready, events: int = EDGES) -> None:
        """Call `ready` when something happens."""
        self._ready[fd] = ready
        self._epoll.register(fd, events)

    def remove(self, fd: int) -> None:
        """Before it is closed."""
        if self._ready.pop(fd, None) is not None:
            self._epoll.unregister(fd)

    def forget(self, fd: int) -> None:
        """Before its only descriptor is closed, which takes it out of the kernel's list."""
        self._ready.pop(fd, None)

    def every(self, seconds: float, chore: Callable[[], None]) -> None:
        """Call now and then."""
        self._chores.append((seconds, chore))

    def stop(self) -> None:
        """End `run`."""
        self._running = False

    def run(self) -> None:
        """Work until `stop`."""
        due = [self._clock.monotonic() + seconds for seconds, _ in self._chores]
        poll, ready = self._epoll.poll, self._ready
        while self._running:
            now = self._clock.monotonic()
            for number, (seconds, chore) in enumerate(self._chores):
                if due[number] <= now:
                    chore()
                    due[number] = now + seconds
            for fd, events in poll(max(0.0, min(due) - now) if due else -1, _MAX_EVENTS):
                call = ready.get(fd)
                if call is not None:  # else it was closed by one before it in this batch
                    call(events)
        self._epoll.close()
