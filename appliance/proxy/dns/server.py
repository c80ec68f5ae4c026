"""UDP and TCP listeners of the DNS responder.

The UDP socket is drained at each wake-up, up to `_DRAIN` packets: one event-loop turn per packet
would be five times slower. Bounds: questions that wait for upstream are bounded there; a TCP
client may be silent for `_IDLE_S` and at most `_MAX_TCP` are served at once.
"""

import asyncio
import contextlib
import socket
import struct
from typing import Any

import structlog

from appliance.kit.tasks import Tasks
from appliance.proxy.dns.responder import Responder

log = structlog.get_logger(__name__)

_DRAIN = 64
_PACKET_BYTES = 4096
_WAITING_BYTES = 1 << 20  # questions that come in one burst, as when a node's pods all start
_IDLE_S = 10.0
_MAX_TCP = 200


class DnsServer:
    """Listens on one address; port 0 takes a free one (the same for UDP and TCP)."""

    def __init__(self, responder: Responder, *, host: str, port: int, tasks: Tasks) -> None:
        self._responder = responder
        self._host = host
        self.port = port
        self._tasks = tasks
        self._udp: socket.socket | None = None
        self._tcp: asyncio.Server | None = None
        self._clients = 0

    async def start(self) -> None:
        """Bind and serve.

        Raises:
            OSError: the address or port can't be had.
        """
        self._tcp = await asyncio.start_server(self._serve, self._host, self.port)
        self.port = self._tcp.sockets[0].getsockname()[1]
        udp = socket.socket(self._tcp.sockets[0].family, socket.SOCK_DGRAM)
        udp.setblocking(False)
        udp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _WAITING_BYTES)
        udp.bind((self._host, self.port))
        self._udp = udp
        asyncio.get_running_loop().add_reader(udp, self._drain)
        log.info("dns listens", address=self._host, port=self.port)

    async def stop(self) -> None:
        """Stop listening."""
        if self._udp is not None:
            asyncio.get_running_loop().remove_reader(self._udp)
            self._udp.close()
            self._udp = None
        if self._tcp is not None:
            self._tcp.close()
            self._tcp = None

    def _drain(self) -> None:
        udp = self._udp
        if udp is None:
            return
        receive, send, quick = udp.recvfrom, udp.sendto, self._responder.quick
        for _ in range(_DRAIN):
            try:
                packet, client = receive(_PACKET_BYTES)
                reply = quick(packet)
                if reply is None:
                    _ = self._tasks.spawn("dns question", self._later(packet, client))
                elif reply:
                    send(reply, client)
            except (BlockingIOError, InterruptedError):
                return  # drained; or the way out is full, and UDP may lose packets
            except OSError as error:  # an ICMP error of an earlier answer, a client without a way
                log.debug("dns packet lost", error=str(error))

    async def _later(self, packet: bytes, client: Any) -> None:
        reply = await self._responder.resolve(packet, tcp=False)
        if reply and self._udp is not None:
            try:
                self._udp.sendto(reply, client)
            except OSError as error:
                log.debug("dns answer lost", client=client[0], error=str(error))

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._clients += 1
        try:
            # A client that goes away or falls silent just ends its own connection.
            with contextlib.suppress(TimeoutError, OSError, asyncio.IncompleteReadError):
                while self._clients <= _MAX_TCP:
                    async with asyncio.timeout(_IDLE_S):
                        size = struct.unpack("!H", await reader.readexactly(2))[0]
                        packet = await reader.readexactly(size)
                    reply = await self._responder.resolve(packet, tcp=True)
                    if not reply:
                        return
                    writer.write(struct.pack("!H", len(reply)) + reply)
                    async with asyncio.timeout(_IDLE_S):
                        await writer.drain()
        finally:
            self._clients -= 1
            writer.close()
