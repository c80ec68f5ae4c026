"""Seats: how many requests are worked on at once, shared fairly among those who ask.

Requests fall into levels by who asks: administrators, nodes, everybody else; what one level does
takes no seat of another. Within a level each user is a flow. A flow that finds no seat waits;
freed seats go round the waiting flows, so one client with a thousand requests makes another with
one wait for a single turn. A flow may not fill a level by itself (a client that sends its bodies
slowly would keep everybody out), and only so many of its requests may wait: more are told to
come back. Called by `middleware.Limit` for each request but streams.
Source: KEP-1040, of which this is the part that a small cluster needs.
"""

import asyncio
from collections import Counter, OrderedDict, deque
from dataclasses import dataclass

from appliance.api.errors import Details, TooManyRequests
from appliance.control.access.attributes import MASTERS
from appliance.control.access.nodes import node_of
from appliance.control.registry.base import User

WAIT_S = 15.0
"""Longest wait for a seat; clients give up after 30 s or more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shares:
    """Bounds of one level."""

    seats: int
    per_flow: int
    """Seats that one flow may have at once."""
    waiting: int
    """Requests of one flow that may wait."""


# In all as many as upstream reads at once by default (400); each may hold a body of 3 MiB.
ADMINISTRATORS = Shares(seats=200, per_flow=200, waiting=200)
NODES = Shares(seats=80, per_flow=20, waiting=100)
OTHERS = Shares(seats=120, per_flow=40, waiting=100)
FLOWS_MAX = 1_000
"""Flows of a level that may wait at once: names are cheap for who may choose them."""


class Level:
    """The seats of one level."""

    def __init__(self, shares: Shares, *, wait_s: float = WAIT_S) -> None:
        self._shares = shares
        self._wait_s = wait_s
        self._free = shares.seats
        self._taken: Counter[str] = Counter()
        self._waiting: OrderedDict[str, deque[asyncio.Future[None]]] = OrderedDict()

    async def take(self, flow: str) -> None:
        """Get a seat, in one's turn.

        Raises:
            TooManyRequests: too many of this flow wait, or it took too long.
        """
        if self._free > 0 and self._taken[flow] < self._shares.per_flow:
            self._sit(flow)
            return
        queue = self._waiting.get(flow)
        if len(queue or ()) >= self._shares.waiting or (
            queue is None and len(self._waiting) >= FLOWS_MAX
        ):
            raise _too_many()
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(flow, deque()).append(turn)
        try:
            async with asyncio.timeout(self._wait_s):
                await turn
        except TimeoutError:
            self._give_up(flow, turn)
            raise _too_many() from None
        except asyncio.CancelledError:
            self._give_up(flow, turn)
            raise

    def leave(self, flow: str) -> None:
        """Give the seat back; it goes to the next flow in turn."""
        self._free += 1
        self._taken[flow] -= 1
        if not self._taken[flow]:
            del self._taken[flow]
        self._seat_next()

    def _sit(self, flow: str) -> None:
        self._free -= 1
        self._taken[flow] += 1

    def _seat_next(self) -> None:
        for flow in list(self._waiting):
            if self._free <= 0:
                return
            if self._taken[flow] >= self._shares.per_flow:
                continue
            queue = self._waiting.pop(flow)
            turn = queue.popleft()
            if queue:
                self._waiting[flow] = queue  # behind all others
            self._sit(flow)
            turn.set_result(None)

    def _give_up(self, flow: str, turn: asyncio.Future[None]) -> None:
        if turn.done() and not turn.cancelled():
            self.leave(flow)  # the seat came in the same moment
            return
        queue = self._waiting.get(flow)
        if queue is not None and turn in queue:
            queue.remove(turn)
            if not queue:
                del self._waiting[flow]


class Fairness:
    """The levels of a server."""

    def __init__(
        self,
        *,
        administrators: Shares = ADMINISTRATORS,
        nodes: Shares = NODES,
        others: Shares = OTHERS,
        wait_s: float = WAIT_S,
    ) -> None:
        self._administrators = Level(administrators, wait_s=wait_s)
        self._nodes = Level(nodes, wait_s=wait_s)
        self._others = Level(others, wait_s=wait_s)

    def level_of(self, user: User) -> Level:
        """Where a user's requests are counted."""
        if MASTERS in user.groups:
            return self._administrators
        return self._nodes if node_of(user) is not None else self._others


def _too_many() -> TooManyRequests:
    message = "Too many requests, please try again later."
    return TooManyRequests(message, Details(retry_after_s=1))
