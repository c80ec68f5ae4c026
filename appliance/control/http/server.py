"""Start and stop uvicorn inside our own process and loop, with TLS and client certificates.

`assembly` owns an `ApiServer`. uvicorn's signal handlers and its ticking main loop stay out: we
stop it ourselves, and an idle server wakes for nothing. Two things are added to uvicorn's
protocol: the peer's certificate in `scope["extensions"]["tls"]`, and an event in
`scope["extensions"]["shutdown"]` that ends streams, so that a stop is quick with watches open.
"""

import asyncio
import socket
import ssl
from pathlib import Path
from typing import Any, cast

import structlog
import uvicorn
from typing_extensions import override

from appliance.kit.takeover import UpgradableProtocol

log = structlog.get_logger(__name__)

_STOP_S = 2  # for requests under way; the whole server has 10 s to stop
_GOODBYE_S = 0.05  # enough to get our half of the goodbye out
_BACKLOG = 1024  # kubectl and informers open bursts of connections
HEAD_LIMIT_BYTES = 256 * 1024  # selectors in URLs may be long; nobody needs more
_FIRST_HEAD_S = 30.0  # who says nothing for so long after the handshake only holds a descriptor
_KEEP_ALIVE_S = 90  # Go's client keeps idle connections for 90 s: don't close under its hands


class _Config(uvicorn.Config):
    """uvicorn's configuration, which every connection has, and whether the server stops."""

    stopping = False


class _Protocol(UpgradableProtocol):
    """uvicorn's protocol, which also tells who the TLS peer is and when the server stops."""

    @override
    def connection_made(  # type: ignore[override]  # as the class above has it
        self, transport: asyncio.Transport
    ) -> None:
        super().connection_made(transport)
        if cast("_Config", self.config).stopping:  # its handshake was under way
            transport.abort()
        self._in_head, self._head_bytes = True, 0
        self._first = self.loop.call_later(_FIRST_HEAD_S, transport.abort)
        tls = transport.get_extra_info("ssl_object")
        certificate = tls.getpeercert(True) if tls is not None else None
        self._stopping = asyncio.Event()
        self._extensions |= {
            "tls": {"client_cert_der": certificate},
            "shutdown": self._stopping,
        }

    @override
    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._in_head = True

    @override
    def on_headers_complete(self) -> None:
        self._first.cancel()
        self._in_head, self._head_bytes = False, 0
        super().on_headers_complete()

    @override
    def data_received(self, data: bytes) -> None:
        # Counted here, since the parser shows a header only when it is complete.
        self._head_bytes += len(data) if self._in_head else 0
        if self._head_bytes > HEAD_LIMIT_BYTES and not self.transport.is_closing():
            self.send_400_response("the head of the request is too large")
            return
        super().data_received(data)

    @override
    def shutdown(self) -> None:
        super().shutdown()
        self._stopping.set()
        if self.transport.is_closing():
            self._abort_soon()

    @override
    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self._stopping.is_set():
            self._abort_soon()

    def _abort_soon(self) -> None:
        """Don't wait for the other side's half of TLS' goodbye: idle clients never answer."""
        self.loop.call_later(_GOODBYE_S, self.transport.abort)

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._first.cancel()
        self._stopping.set()


class ApiServer:
    """One HTTPS listener (plain HTTP without a certificate, for tests only)."""

    def __init__(
        self,
        app: Any,
        *,
        host: str,
        port: int,
        cert_pem_path: Path | None,
        key_pem_path: Path | None,
        client_ca_path: Path | None = None,
    ) -> None:
        self._host = host
        self._port = port
        self._context = _tls(cert_pem_path, key_pem_path, client_ca_path)
        self._config = _Config(
            app,
            http=_Protocol,
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            date_header=False,  # uvicorn refreshes it in the main loop that we do without
            server_header=False,
            proxy_headers=False,
            backlog=_BACKLOG,
            timeout_keep_alive=_KEEP_ALIVE_S,
            timeout_graceful_shutdown=_STOP_S,
        )
        self._server: uvicorn.Server | None = None
        self._socket: socket.socket | None = None

    @property
    def port(self) -> int:
        """The port that is listened on; asked for as 0, it is the free one that was found."""
        if self._socket is None:
            return self._port
        return int(self._socket.getsockname()[1])

    async def start(self) -> None:
        """Listen.

        Raises:
            OSError: the address is taken or not ours.
        """
        family = socket.AF_INET6 if ":" in self._host else socket.AF_INET
        listener = socket.create_server((self._host, self._port), family=family, backlog=_BACKLOG)
        listener.setblocking(False)
        # asyncio turns Nagle's delay off only where it made the socket itself; accepted ones
        # inherit it from here. Without, each answer after a body waits 40 ms for an ACK.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._config.load()
        self._config.ssl = self._context
        server = uvicorn.Server(self._config)
        server.lifespan = self._config.lifespan_class(self._config)
        await server.startup(sockets=[listener])
        self._server, self._socket = server, listener
        log.info("listening", host=self._host, port=self.port, tls=self._context is not None)

    async def stop(self) -> None:
        """Refuse new connections, end streams, give requests under way a moment."""
        if self._server is not None and self._socket is not None:
            server, self._server = self._server, None
            self._config.stopping = True
            await server.shutdown(sockets=[self._socket])


def _tls(cert: Path | None, key: Path | None, client_ca: Path | None) -> ssl.SSLContext | None:
    if cert is None:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(cert, key)
    context.set_alpn_protocols(["http/1.1"])
    if client_ca is not None:
        context.load_verify_locations(client_ca)
        # Tokens and health checks come without one; who comes with one must have it from us.
        context.verify_mode = ssl.CERT_OPTIONAL
    return context
