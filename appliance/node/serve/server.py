"""Start and stop the node's HTTPS listener; let in nobody but the API server.

Callers must show a certificate of the client CA whose organisation is system:masters: nodes have
certificates of that CA too, and must not read each other's logs. The check is made once per
connection, before any request is read.
"""

import asyncio
import socket
import ssl
from typing import Any

import structlog
import uvicorn
from typing_extensions import override

from appliance.kit.takeover import UpgradableProtocol
from appliance.node.options import ServeOptions

log = structlog.get_logger(__name__)

MASTERS = "system:masters"
_STOP_S = 1
_BACKLOG = 128


class _Protocol(UpgradableProtocol):
    """Closes connections of strangers."""

    @override
    def connection_made(  # type: ignore[override]  # as the class above has it
        self, transport: asyncio.Transport
    ) -> None:
        super().connection_made(transport)
        if transport.get_extra_info("ssl_object") is None:
            return  # plain HTTP: tests only, see NodeServer
        certificate = transport.get_extra_info("peercert")
        if MASTERS not in organizations(certificate):
            log.warning("stranger turned away", peer=str(transport.get_extra_info("peername")))
            transport.abort()


def organizations(certificate: Any) -> list[str]:
    """The organisations that a certificate, as `ssl` decodes it, names."""
    return [
        value
        for group in (certificate or {}).get("subject", ())
        for name, value in group
        if name == "organizationName"
    ]


class NodeServer:
    """One HTTPS listener."""

    def __init__(self, app: Any, options: ServeOptions) -> None:
        self._options = options
        self._config = uvicorn.Config(
            app,
            http=_Protocol,
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            date_header=False,  # uvicorn refreshes it in the main loop that we do without
            server_header=False,
            proxy_headers=False,
            timeout_graceful_shutdown=_STOP_S,
        )
        self._server: uvicorn.Server | None = None
        self._socket: socket.socket | None = None

    @property
    def port(self) -> int:
        """The port that is listened on."""
        return int(self._socket.getsockname()[1]) if self._socket is not None else 0

    async def start(self) -> None:
        """Listen.

        Raises:
            OSError: the address is taken, or a certificate can't be read.
        """
        options = self._options
        family = socket.AF_INET6 if ":" in options.host else socket.AF_INET
        listener = socket.create_server(
            (options.host, options.port), family=family, backlog=_BACKLOG
        )
        listener.setblocking(False)
        self._config.load()
        self._config.ssl = _tls(options)
        server = uvicorn.Server(self._config)
        server.lifespan = self._config.lifespan_class(self._config)
        await server.startup(sockets=[listener])
        self._server, self._socket = server, listener

    async def stop(self) -> None:
        """Refuse new connections and end the open ones."""
        if self._server is not None and self._socket is not None:
            server, self._server = self._server, None
            await server.shutdown(sockets=[self._socket])


def _tls(options: ServeOptions) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(options.cert_path, options.key_path)
    context.load_verify_locations(options.client_ca_path)
    context.verify_mode = ssl.CERT_REQUIRED
    return context
