"""One question to one name server over UDP or TCP.

Only a packet from that server with our id and our question counts as its answer (RFC 5452); the id
is fresh and the port is the kernel's choice each time, which keeps forged answers out.
"""

import asyncio
import secrets
import struct

from typing_extensions import override

from appliance.proxy.dns.query import HEADER_BYTES
from appliance.proxy.dns.servers import Server

_ANSWER = 0x80


async def ask(server: Server, body: bytes, *, tcp: bool) -> bytes:
    """Give the answer without its id; `body` is a packet without its id.

    Raises:
        OSError: the server can't be reached (TimeoutError is the caller's business).
        EOFError: it ended the connection early, or spoke of something else.
    """
    packet = secrets.token_bytes(2) + body
    reply = await (_over_tcp if tcp else _over_udp)(server, packet)
    return reply[2:]


def answers_to(packet: bytes, reply: bytes) -> bool:
    """Whether a packet is the answer to another: id and question are the same."""
    end = _end_of_question(packet)
    return (
        len(reply) >= HEADER_BYTES
        and reply[:2] == packet[:2]
        and bool(reply[2] & _ANSWER)
        # a server that refuses may leave the question out
        and (
            reply[4:6] == b"\0\0"
            or reply[HEADER_BYTES:end].lower() == packet[HEADER_BYTES:end].lower()
        )
    )


def _end_of_question(packet: bytes) -> int:
    at = HEADER_BYTES
    while at < len(packet) and packet[at]:
        at += packet[at] + 1
    return at + 5


class _OneReply(asyncio.DatagramProtocol):
    """Waits for the datagram that answers one packet; others are not looked at."""

    def __init__(self, packet: bytes) -> None:
        self._packet = packet
        self.reply: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    @override
    def datagram_received(self, data: bytes, addr: object) -> None:
        if not self.reply.done() and answers_to(self._packet, data):
            self.reply.set_result(data)

    @override
    def error_received(self, exc: Exception) -> None:
        if not self.reply.done():
            self.reply.set_exception(exc)


async def _over_udp(server: Server, packet: bytes) -> bytes:
    loop = asyncio.get_running_loop()
    # A connected socket: the kernel drops what comes from elsewhere.
    transport, waiting = await loop.create_datagram_endpoint(
        lambda: _OneReply(packet), remote_addr=(server.address, server.port)
    )
    try:
        transport.sendto(packet)
        return await waiting.reply
    finally:
        transport.close()


async def _over_tcp(server: Server, packet: bytes) -> bytes:
    reader, writer = await asyncio.open_connection(server.address, server.port)
    try:
        writer.write(struct.pack("!H", len(packet)) + packet)
        size = struct.unpack("!H", await reader.readexactly(2))[0]
        reply = await reader.readexactly(size)
    finally:
        writer.close()
    if not answers_to(packet, reply):
        raise EOFError("the server answered another question")
    return reply
