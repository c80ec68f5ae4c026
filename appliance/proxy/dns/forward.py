"""Names that are not ours: asked of the host's name servers, kept for their TTL.

A server that does not answer in `_TIMEOUT_S` is tried last for a while. The same question in
flight is asked once. At most `_MAX_KEPT` answers are kept; past that the oldest go.
"""

import asyncio
import secrets
import struct
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path

from typing_extensions import override

from appliance.kit.clock import Clock
from appliance.kit.tasks import Tasks
from appliance.proxy.dns.wire import least_ttl_s

DNS_PORT = 53
_TIMEOUT_S = 2.0
_MAX_KEPT = 10_000
_MAX_TTL_S = 3600
_MAX_IN_FLIGHT = 1000  # beyond it a question is answered SERVFAIL rather than queued
_PENALTY_S = 30.0


def host_name_servers(path: Path = Path("/etc/resolv.conf")) -> list[str]:
    """Name servers of this host, in order; none if there is no such file."""
    try:
        lines = path.read_text().splitlines()
    except OSError:
        return []
    words = (line.split() for line in lines)
    return [w[1] for w in words if len(w) > 1 and w[0] == "nameserver"]


class Upstream:
    """A caching forwarder; `servers` are addresses, `own` is left out of them (loop guard)."""

    def __init__(
        self, servers: Sequence[str], *, own: str, clock: Clock, tasks: Tasks, port: int = DNS_PORT
    ) -> None:
        self._servers = [s for s in servers if s != own]
        self._port = port
        self._clock = clock
        self._tasks = tasks
        self._kept: OrderedDict[bytes, tuple[float, bytes]] = OrderedDict()
        self._flights: dict[bytes, asyncio.Task[bytes | None]] = {}
        self._failed_at: dict[str, float] = {}

    async def resolve(self, packet: bytes, *, tcp: bool) -> bytes | None:
        """Give the answer from the cache or from upstream; None when nobody answers."""
        key = packet[2:] + (b"t" if tcp else b"u")
        kept = self._kept.get(key)
        if kept is not None and kept[0] > self._clock.monotonic():
            return packet[:2] + kept[1]
        flight = self._flights.get(key)
        if flight is None:
            if len(self._flights) >= _MAX_IN_FLIGHT:
                return None
            flight = self._tasks.spawn("upstream", self._ask(packet[2:], tcp=tcp))
            self._flights[key] = flight
            flight.add_done_callback(lambda _: self._flights.pop(key, None))
        body = await asyncio.shield(flight)
        if body is None:
            return None
        self._keep(key, body)
        return packet[:2] + body

    def _keep(self, key: bytes, body: bytes) -> None:
        ttl_s = min(least_ttl_s(b"\0\0" + body), _MAX_TTL_S)
        if ttl_s > 0:
            self._kept[key] = (self._clock.monotonic() + ttl_s, body)
            self._kept.move_to_end(key)
            while len(self._kept) > _MAX_KEPT:
                self._kept.popitem(last=False)

    async def _ask(self, body: bytes, *, tcp: bool) -> bytes | None:
        now = self._clock.monotonic()
        for server in sorted(
            self._servers, key=lambda s: now - self._failed_at.get(s, -1e9) < _PENALTY_S
        ):
            # A fresh id and port per question keep forged answers out (RFC 5452).
            packet = secrets.token_bytes(2) + body
            ask = _over_tcp if tcp else _over_udp
            try:
                async with asyncio.timeout(_TIMEOUT_S):
                    reply = await ask(server, self._port, packet)
            except (TimeoutError, OSError, asyncio.IncompleteReadError):
                self._failed_at[server] = self._clock.monotonic()
                continue
            self._failed_at.pop(server, None)
            return reply[2:]
        return None

    def _in_order(self) -> list[str]:
        """Servers as configured, those that failed lately last."""
        now = self._clock.monotonic()
        late = {s for s, at in self._failed_at.items() if now - at < _PENALTY_S}
        return sorted(self._servers, key=late.__contains__)


class _OneReply(asyncio.DatagramProtocol):
    """Waits for the datagram that answers one packet."""

    def __init__(self, packet: bytes) -> None:
        self._packet = packet
        self.reply: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    @override
    def datagram_received(self, data: bytes, addr: object) -> None:
        if data[:2] == self._packet[:2] and not self.reply.done():
            self.reply.set_result(data)

    @override
    def error_received(self, exc: Exception) -> None:
        if not self.reply.done():
            self.reply.set_exception(exc)


async def _over_udp(server: str, port: int, packet: bytes) -> bytes:
    loop = asyncio.get_running_loop()
    transport, waiting = await loop.create_datagram_endpoint(
        lambda: _OneReply(packet), remote_addr=(server, port)
    )
    try:
        transport.sendto(packet)
        return await waiting.reply
    finally:
        transport.close()


async def _over_tcp(server: str, port: int, packet: bytes) -> bytes:
    reader, writer = await asyncio.open_connection(server, port)
    try:
        writer.write(struct.pack("!H", len(packet)) + packet)
        size = struct.unpack("!H", await reader.readexactly(2))[0]
        return await reader.readexactly(size)
    finally:
        writer.close()
