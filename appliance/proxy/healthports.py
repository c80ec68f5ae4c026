"""Ports where load balancers ask whether this node has ready endpoints of a service.

For services with external traffic policy Local: 200 where there are some, 503 where there are
none, with the count as upstream's proxy words it. One small HTTP server per service; `loop.py`
keeps them in step. A request head of at most `_HEAD_MAX` bytes within `_WITHIN_S` is read.
"""

import asyncio
import contextlib
import json
from collections.abc import Iterable
from dataclasses import dataclass

import structlog

from appliance.proxy.table import HealthCheck

log = structlog.get_logger(__name__)

_EVERY_ADDRESS = "0.0.0.0"  # noqa: S104 - balancers ask at any address of the node
_HEAD_MAX = 8 * 1024
_WITHIN_S = 5.0


@dataclass(slots=True)
class _Open:
    server: asyncio.Server
    check: HealthCheck


class HealthPorts:
    """The listening ports of one node."""

    def __init__(self, host: str = _EVERY_ADDRESS) -> None:
        self._host = host
        self._open: dict[int, _Open] = {}

    async def apply(self, checks: Iterable[HealthCheck]) -> None:
        """Open, change and close ports until they are what is wanted."""
        wanted = {check.port: check for check in checks}
        for port in [port for port in self._open if port not in wanted]:
            self._open.pop(port).server.close()
        for port, check in wanted.items():
            if port in self._open:
                self._open[port].check = check
            else:
                await self._listen(check)

    def close(self) -> None:
        """Close all ports."""
        while self._open:
            self._open.popitem()[1].server.close()

    async def _listen(self, check: HealthCheck) -> None:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await self._serve(check.port, reader, writer)

        try:
            server = await asyncio.start_server(serve, self._host, check.port, limit=_HEAD_MAX)
        except OSError as taken:
            # One taken port must not keep services from working; balancers see it as unhealthy.
            name = f"{check.namespace}/{check.name}"
            log.warning("no health check port", service=name, port=check.port, why=str(taken))
            return
        self._open[check.port] = _Open(server, check)

    async def _serve(
        self, port: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        with contextlib.suppress(
            OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError
        ):
            async with asyncio.timeout(_WITHIN_S):
                await reader.readuntil(b"\r\n\r\n")
                if port in self._open:
                    writer.write(answer(self._open[port].check))
                    await writer.drain()
        writer.close()


def answer(check: HealthCheck) -> bytes:
    """A whole HTTP answer."""
    found = {
        "service": {"namespace": check.namespace, "name": check.name},
        "localEndpoints": check.local_endpoints,
        "serviceProxyHealthy": True,
    }
    body = json.dumps(found, indent="\t").encode()
    status = "200 OK" if check.local_endpoints else "503 Service Unavailable"
    head = (
        f"HTTP/1.1 {status}\r\n"
        "Content-Type: application/json\r\n"
        "X-Content-Type-Options: nosniff\r\n"
        f"X-Load-Balancing-Endpoint-Weight: {check.local_endpoints}\r\n"
        f"Content-Length: {len(body)}\r\n"
        "Connection: close\r\n\r\n"
    )
    return head.encode() + body
