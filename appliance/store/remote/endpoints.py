"""Which member of the etcd cluster we speak with: one at a time, the next when it fails.

Owned by `EtcdStore`. Whoever needs a connection waits for the one attempt that is under way. An
attempt asks each member once; pauses between attempts are the caller's.
"""

import asyncio
import ssl
from dataclasses import dataclass

import structlog
from typing_extensions import override

from appliance.store.errors import Closed, Unavailable
from appliance.store.remote.channel import Channel

log = structlog.get_logger(__name__)

_CONNECT_S = 3.0


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A member's client address."""

    host: str
    port: int

    @override
    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


@dataclass(frozen=True, slots=True)
class EtcdAddress:
    """All members, and how to reach them."""

    endpoints: tuple[Endpoint, ...]
    tls: ssl.SSLContext | None = None


class Endpoints:
    """Gives the connection that is in use."""

    def __init__(self, address: EtcdAddress) -> None:
        self._address = address
        self._next = 0
        self._channel: Channel | None = None
        self._connecting = asyncio.Lock()
        self._closed = False

    async def channel(self) -> Channel:
        """A connection that was good a moment ago.

        Raises:
            Unavailable: no member can be reached; the text says why.
        """
        async with self._connecting:
            if self._closed:
                raise Closed
            if self._channel is None or self._channel.lost.is_set():
                self._channel = await self._connect()
            return self._channel

    def leave(self, channel: Channel) -> None:
        """This member is of no use: the next call goes to another."""
        if channel is self._channel and len(self._address.endpoints) > 1:
            log.info("leaving an etcd member", member=channel.authority)
            channel.abort("another member is tried")

    def close(self) -> None:
        """Close the connection; later calls are refused."""
        self._closed = True
        if self._channel is not None:
            self._channel.abort("closed")

    async def _connect(self) -> Channel:
        endpoints = self._address.endpoints
        reasons = []
        for _ in endpoints:
            endpoint = endpoints[self._next % len(endpoints)]
            self._next += 1
            try:
                return await self._connect_to(endpoint)
            except (OSError, ssl.SSLError, TimeoutError) as error:
                reasons.append(f"{endpoint}: {str(error) or type(error).__name__}")
        raise Unavailable("no etcd member can be reached: " + "; ".join(reasons))

    async def _connect_to(self, endpoint: Endpoint) -> Channel:
        tls = self._address.tls
        scheme = "https" if tls else "http"
        async with asyncio.timeout(_CONNECT_S):
            _, channel = await asyncio.get_running_loop().create_connection(
                lambda: Channel(str(endpoint), scheme), endpoint.host, endpoint.port, ssl=tls
            )
        log.info("connected to an etcd member", member=str(endpoint), tls=tls is not None)
        return channel
