"""TCP and UDP relays of the userspace back end: one listener per service address and port.

TCP: each connection is sent to the next endpoint; one that refuses is passed over for the next
(each at most once). Half-closed connections stay open for the other direction. UDP: a client
keeps its endpoint while it talks; a session ends after `_UDP_IDLE_S` of silence.
Bounds: `_CHUNK` bytes in flight per direction, `_MAX_SESSIONS` UDP clients per port.
"""

import asyncio
import contextlib
import socket
from collections.abc import Callable

import structlog
from typing_extensions import override

from appliance.kit.clock import Clock
from appliance.kit.tasks import Tasks
from appliance.proxy.balance import Balancer

log = structlog.get_logger(__name__)

_CHUNK = 64 * 1024
_CONNECT_S = 2.0
_UDP_IDLE_S = 60.0
_MAX_SESSIONS = 1000
_IP_FREEBIND = 15  # linux/in.h: bind an address that is local only by a route


def open_socket(kind: socket.SocketKind, address: str, port: int) -> socket.socket:
    """Bind a service address.

    Raises:
        OSError: the port is taken.
    """
    sock = socket.socket(socket.AF_INET, kind)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.setsockopt(socket.IPPROTO_IP, _IP_FREEBIND, 1)
        sock.bind((address, port))
    except OSError:
        sock.close()
        raise
    sock.setblocking(False)
    return sock


class TcpRelay:
    """Listens on one address and port and passes connections on."""

    def __init__(self, balancer: Balancer, *, clock: Clock) -> None:
        self._balancer = balancer
        self._clock = clock
        self._server: asyncio.Server | None = None

    async def start(self, address: str, port: int) -> None:
        """Listen; OSError if the port is taken."""
        sock = open_socket(socket.SOCK_STREAM, address, port)
        self._server = await asyncio.start_server(self._serve, sock=sock, limit=_CHUNK)

    def close(self) -> None:
        """Stop listening; open connections go on, as the original proxy has it."""
        if self._server is not None:
            self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        backend = await self._connect(writer.get_extra_info("peername")[0])
        if backend is None:
            writer.transport.abort()  # a reset: the client learns at once that nobody is there
            return
        try:
            async with asyncio.TaskGroup() as both:
                both.create_task(_pump(reader, backend[1]))
                both.create_task(_pump(backend[0], writer))
        except* OSError as gone:
            log.debug("connection cut", why=str(gone.exceptions[0]))
        finally:
            writer.close()
            backend[1].close()

    async def _connect(
        self, client: str
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter] | None:
        for _ in range(len(self._balancer.endpoints)):
            endpoint = self._balancer.pick(client, self._clock.monotonic())
            if endpoint is None:
                return None
            try:
                async with asyncio.timeout(_CONNECT_S):
                    return await asyncio.open_connection(
                        endpoint.address, endpoint.port, limit=_CHUNK
                    )
            except (OSError, TimeoutError):
                self._balancer.failed(client, endpoint)
                log.info("endpoint does not answer", address=endpoint.address, port=endpoint.port)
        return None


async def _pump(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    while data := await source.read(_CHUNK):
        target.write(data)
        await target.drain()
    if target.can_write_eof():
        target.write_eof()


class UdpRelay(asyncio.DatagramProtocol):
    """Listens on one address and port and keeps a session per client."""

    def __init__(self, balancer: Balancer, *, clock: Clock, tasks: Tasks) -> None:
        self._balancer = balancer
        self._clock = clock
        self._tasks = tasks
        self._transport: asyncio.DatagramTransport | None = None
        self._sessions: dict[tuple[str, int], _Session] = {}

    async def start(self, address: str, port: int) -> None:
        """Listen; OSError if the port is taken."""
        sock = open_socket(socket.SOCK_DGRAM, address, port)
        loop = asyncio.get_running_loop()
        self._transport, _ = await loop.create_datagram_endpoint(lambda: self, sock=sock)

    def close(self) -> None:
        """Stop listening and end all sessions: UDP has no end of its own."""
        for session in tuple(self._sessions.values()):
            session.end()
        if self._transport is not None:
            self._transport.close()

    @override
    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        session = self._sessions.get(addr)
        if session is None:
            if len(self._sessions) >= _MAX_SESSIONS or self._transport is None:
                return  # UDP may lose packets; memory stays bounded
            session = _Session(lambda reply: self._answer(reply, addr))
            self._sessions[addr] = session
            _ = self._tasks.spawn("udp session", self._live(session, addr))
        session.send(data)

    def _answer(self, reply: bytes, client: tuple[str, int]) -> None:
        if self._transport is not None:
            self._transport.sendto(reply, client)

    async def _live(self, session: "_Session", client: tuple[str, int]) -> None:
        try:
            endpoint = self._balancer.pick(client[0], self._clock.monotonic())
            if endpoint is not None:
                await session.run((endpoint.address, endpoint.port))
        finally:
            self._sessions.pop(client, None)


class _Session(asyncio.DatagramProtocol):
    """One client's packets to one endpoint and back."""

    def __init__(self, answer: Callable[[bytes], None]) -> None:
        self._answer = answer
        self._waiting: list[bytes] = []
        self._transport: asyncio.DatagramTransport | None = None
        self._over = asyncio.Event()
        self._traffic = False

    def send(self, data: bytes) -> None:
        """Pass a packet on, or keep it until the way is open."""
        self._traffic = True
        if self._transport is not None:
            self._transport.sendto(data)
        elif len(self._waiting) < 16:
            self._waiting.append(data)

    def end(self) -> None:
        """End the session."""
        self._over.set()

    async def run(self, endpoint: tuple[str, int]) -> None:
        """Open the way and keep it while there is traffic."""
        loop = asyncio.get_running_loop()
        self._transport, _ = await loop.create_datagram_endpoint(lambda: self, remote_addr=endpoint)
        try:
            for data in self._waiting:
                self._transport.sendto(data)
            self._waiting.clear()
            while self._traffic and not self._over.is_set():
                self._traffic = False
                with contextlib.suppress(TimeoutError):  # look again whether it is still used
                    async with asyncio.timeout(_UDP_IDLE_S):
                        await self._over.wait()
        finally:
            self._transport.close()

    @override
    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self._traffic = True
        self._answer(data)

    @override
    def error_received(self, exc: Exception) -> None:
        self.end()  # the endpoint is gone; the client's next packet picks another
