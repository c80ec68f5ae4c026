"""TCP: a listener per front, a pair of sockets per connection.

An endpoint that refuses, or does not answer within `CONNECT_S`, is passed over for the next, each
at most once; a client for whom there is nobody gets a reset. Half-closed connections stay open
for the other direction. Small messages are copied through one shared buffer; a direction that
fills it is spliced, so bulk never comes into this process.

Bounds: one buffer's worth waits per direction, and one pipe where it is spliced.
"""

import errno
import select
import socket
import struct
from collections import deque

from appliance.kit.clock import Clock
from appliance.proxy.balance import Balancer
from appliance.proxy.relays.direction import Direction
from appliance.proxy.relays.front import Front
from appliance.proxy.relays.poller import EDGES, Poller
from appliance.proxy.table import Endpoint

CONNECT_S = 2.0
_ACCEPT_AT_ONCE = 64
_BACKLOG = 4096
_RESET = struct.pack("ii", 1, 0)  # linger for no time: close with a reset
_DEAD = select.EPOLLERR | select.EPOLLHUP


class TcpRelays:
    """What all connections share: the poller, the clock, and those that are being opened."""

    def __init__(self, poller: Poller, clock: Clock) -> None:
        self.poller = poller
        self.clock = clock
        self.opening: deque[tuple[float, Connection, int]] = deque()
        poller.every(CONNECT_S / 4, self.give_up)

    def give_up(self) -> None:
        """End the attempts that took too long."""
        now = self.clock.monotonic()
        while self.opening and self.opening[0][0] <= now:
            _, connection, attempt = self.opening.popleft()
            connection.too_late(attempt)


class TcpListener:
    """Listens on one address and port."""

    def __init__(self, relays: TcpRelays, front: Front, listening: socket.socket) -> None:
        self.front = front
        self._relays = relays
        self._listening = listening
        # Accepted sockets inherit it. The peer of a pod that vanished is found out at some time.
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        listening.listen(_BACKLOG)
        relays.poller.add(listening.fileno(), self._ready, select.EPOLLIN)

    def close(self) -> None:
        """Stop listening; open connections go on."""
        self._relays.poller.remove(self._listening.fileno())
        self._listening.close()

    def updated(self) -> None:
        """The front has a new plan; open connections do not mind."""

    def _ready(self, _events: int) -> None:
        accept = self._listening.accept
        for _ in range(_ACCEPT_AT_ONCE):
            try:
                client, (address, _) = accept()
            except BlockingIOError:
                return
            except OSError:
                return  # the client is gone already, or we are out of descriptors
            balancer = self.front.balancer(address)
            Connection(self._relays, client, address).open(balancer)


class Connection:
    """A client's socket and an endpoint's."""

    __slots__ = (
        "_address",
        "_attempt",
        "_back",
        "_balancer",
        "_client",
        "_end",
        "_endpoint",
        "_left",
        "_relays",
        "_there",
    )

    def __init__(self, relays: TcpRelays, client: socket.socket, address: str) -> None:
        self._relays = relays
        self._client = client
        self._address = address
        self._balancer: Balancer | None = None
        self._end: socket.socket | None = None
        self._endpoint: Endpoint | None = None
        self._left = 0
        self._attempt = 0
        self._there: Direction | None = None
        self._back: Direction | None = None

    def open(self, balancer: Balancer | None) -> None:
        """Find an endpoint."""
        self._balancer = balancer
        self._left = len(balancer.endpoints) if balancer is not None else 0
        self._next()

    def too_late(self, attempt: int) -> None:
        """An attempt took too long."""
        if self._there is None and attempt == self._attempt and self._end is not None:
            self._failed()

    def _next(self) -> None:
        while self._left and self._balancer is not None:
            self._left -= 1
            endpoint = self._balancer.pick(self._address, self._relays.clock.monotonic())
            if endpoint is None:
                break
            if self._connect(endpoint):
                return
            self._balancer.failed(self._address, endpoint)
        _abort(self._client)

    def _connect(self, endpoint: Endpoint) -> bool:
        end = socket.socket(socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        code = end.connect_ex((endpoint.address, endpoint.port))
        if code not in {0, errno.EINPROGRESS}:
            end.close()
            return False
        self._end, self._endpoint = end, endpoint
        self._attempt += 1
        relays = self._relays
        relays.poller.add(end.fileno(), self._end_ready)
        relays.opening.append((relays.clock.monotonic() + CONNECT_S, self, self._attempt))
        return True

    def _failed(self) -> None:
        if self._end is not None and self._endpoint is not None and self._balancer is not None:
            self._relays.poller.forget(self._end.fileno())
            self._end.close()
            self._balancer.failed(self._address, self._endpoint)
            self._end = None
            self._next()

    def _end_ready(self, events: int) -> None:
        if self._there is not None:
            self._work(events, self._back, self._there)
        elif events & _DEAD:
            self._failed()
        elif events & select.EPOLLOUT and self._end is not None:
            self._start(self._end)
            self._work(events, self._back, self._there)  # the endpoint may have spoken already

    def _start(self, end: socket.socket) -> None:
        end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._there = Direction(self._client, end)
        self._back = Direction(end, self._client)
        # What the client has sent meanwhile is told at once.
        self._relays.poller.add(self._client.fileno(), self._client_ready, EDGES)
        self._endpoint = self._balancer = None

    def _client_ready(self, events: int) -> None:
        self._work(events, self._there, self._back)

    def _work(self, events: int, incoming: Direction | None, outgoing: Direction | None) -> None:
        """Something happened at the socket that `incoming` reads and `outgoing` writes."""
        if incoming is None or outgoing is None:
            return
        try:
            if events & select.EPOLLERR:
                raise ConnectionResetError
            if events & select.EPOLLOUT and outgoing.waiting:
                outgoing.move(ended=False)
            if events & (select.EPOLLIN | select.EPOLLRDHUP | select.EPOLLHUP):
                incoming.move(ended=bool(events & (select.EPOLLRDHUP | select.EPOLLHUP)))
        except OSError:
            self._close(reset=True)
        else:
            if incoming.over and outgoing.over:
                self._close(reset=False)

    def _close(self, *, reset: bool) -> None:
        for direction in (self._there, self._back):
            if direction is not None:
                direction.close()
        self._there = self._back = None
        for side in (self._client, self._end):
            if side is not None:
                self._relays.poller.forget(side.fileno())
                if reset:
                    _abort(side)
                else:
                    side.close()
        self._end = None


def _abort(side: socket.socket) -> None:
    """Close with a reset: the other end learns at once that there is nothing to come."""
    side.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    side.close()
