"""UDP: a socket per front, and one more per client and endpoint while they talk.

A session ends after `IDLE_S` of silence, when its endpoint is no longer the front's, or when the
endpoint's host says that nobody listens; the client's next packet picks an endpoint anew. At the
bound of sessions per front the one that was silent longest ends. An answer leaves from the
address that the client sent to, also where the front is every address of the node.
"""

import contextlib
import select
import socket
import struct
from collections import OrderedDict

from appliance.kit.clock import Clock
from appliance.proxy.relays.front import Front
from appliance.proxy.relays.poller import Poller
from appliance.proxy.table import Endpoint

IDLE_S = 60.0
_MAX_SESSIONS = 4096
_AT_ONCE = 64
_PACKET = 65535
_IP_PKTINFO = 8  # linux/in.h
_INFO = struct.Struct("=i4s4s")  # interface, address that we answer from, address in the header
_NO_WAIT = socket.MSG_DONTWAIT

Client = tuple[str, int]


class UdpRelay:
    """Listens on one address and port."""

    def __init__(
        self, poller: Poller, clock: Clock, front: Front, listening: socket.socket
    ) -> None:
        self.front = front
        self._poller = poller
        self._clock = clock
        self._listening = listening
        listening.setsockopt(socket.IPPROTO_IP, _IP_PKTINFO, 1)
        self._sessions: OrderedDict[Client, _Session] = OrderedDict()
        poller.add(listening.fileno(), self._ready, select.EPOLLIN)

    def close(self) -> None:
        """Stop listening and end all sessions: UDP has no end of its own."""
        self._poller.remove(self._listening.fileno())
        self._listening.close()
        for client in tuple(self._sessions):
            self.end(client)

    def updated(self) -> None:
        """The front has a new plan: end what leads elsewhere."""
        for client, session in tuple(self._sessions.items()):
            if not self.front.has(session.endpoint):
                self.end(client)

    def expire(self) -> None:
        """End sessions that were silent for long."""
        oldest = self._clock.monotonic() - IDLE_S
        while self._sessions:
            client, session = next(iter(self._sessions.items()))
            if session.used > oldest:
                return
            self.end(client)

    def end(self, client: Client) -> None:
        """End a client's session."""
        session = self._sessions.pop(client, None)
        if session is not None:
            self._poller.remove(session.fd)
            session.close()

    def answer(self, data: bytes, client: Client, source: bytes) -> None:
        """Send an endpoint's answer from the address that was asked."""
        info = (socket.IPPROTO_IP, _IP_PKTINFO, _INFO.pack(0, source, b"\0" * 4))
        with contextlib.suppress(OSError):  # UDP may lose packets
            self._listening.sendmsg([data], [info], _NO_WAIT, client)
        self._use(client)

    def _use(self, client: Client) -> None:
        session = self._sessions.get(client)
        if session is not None:
            session.used = self._clock.monotonic()
            self._sessions.move_to_end(client)

    def _ready(self, _events: int) -> None:
        for _ in range(_AT_ONCE):
            try:
                data, extra, _, client = self._listening.recvmsg(_PACKET, 64, _NO_WAIT)
            except OSError:
                return
            session = self._sessions.get(client) or self._begin(client, _asked(extra))
            if session is not None:
                session.send(data)
                self._use(client)

    def _begin(self, client: Client, source: bytes) -> "_Session | None":
        balancer = self.front.balancer(client[0])
        if balancer is None:
            return None
        endpoint = balancer.pick(client[0], self._clock.monotonic())
        if endpoint is None:
            return None
        if len(self._sessions) >= _MAX_SESSIONS:
            self.end(next(iter(self._sessions)))
        try:
            session = _Session(self, client, endpoint, source)
        except OSError:  # no way to it, or no descriptors left
            return None
        self._sessions[client] = session
        self._poller.add(session.fd, session.ready, select.EPOLLIN)
        return session


class _Session:
    """One client's packets to one endpoint and back."""

    __slots__ = ("_client", "_relay", "_socket", "_source", "endpoint", "fd", "used")

    def __init__(self, relay: UdpRelay, client: Client, endpoint: Endpoint, source: bytes) -> None:
        self._relay = relay
        self._client = client
        self._source = source
        self.endpoint = endpoint
        self.used = 0.0
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self.fd = self._socket.fileno()
        try:
            self._socket.connect((endpoint.address, endpoint.port))
        except OSError:
            self._socket.close()
            raise

    def close(self) -> None:
        self._socket.close()

    def send(self, data: bytes) -> None:
        try:
            self._socket.send(data)
        except BlockingIOError:
            return  # UDP may lose packets
        except OSError:
            self._relay.end(self._client)

    def ready(self, _events: int) -> None:
        for _ in range(_AT_ONCE):
            try:
                data = self._socket.recv(_PACKET)
            except BlockingIOError:
                return
            except OSError:  # nobody listens there
                self._relay.end(self._client)
                return
            self._relay.answer(data, self._client, self._source)


def _asked(extra: list[tuple[int, int, bytes]]) -> bytes:
    """The address that the client sent to."""
    for level, kind, data in extra:
        if (level, kind) == (socket.IPPROTO_IP, _IP_PKTINFO):
            asked: bytes = _INFO.unpack_from(data)[2]
            return asked
    return b"\0" * 4
