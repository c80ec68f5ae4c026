"""The etcd endpoint: one or more listeners in front of one store.

`assembly` makes and owns an `EtcdServer`. A socket's first bytes tell what is spoken: HTTP/2's
preface leads to gRPC, anything else to the plain pages. An idle endpoint wakes for nothing.
"""

import asyncio
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field

import structlog
from typing_extensions import override

from appliance.kit.clock import Clock
from appliance.kit.tasks import Tasks
from appliance.store.base import Store
from appliance.store.prefixquota import PrefixQuotas
from appliance.store.serve import alarms
from appliance.store.serve.alarms import Alarms
from appliance.store.serve.auth import book as auth
from appliance.store.serve.auth.book import AuthBook
from appliance.store.serve.auth.checks import guarded
from appliance.store.serve.auth.guard import Guard
from appliance.store.serve.auth.service import AuthService
from appliance.store.serve.auth.tokens import SimpleTokens, TokenMaker
from appliance.store.serve.browsers import Browsers
from appliance.store.serve.calls import Methods
from appliance.store.serve.cluster import ClusterService
from appliance.store.serve.downgrade import DowngradeService
from appliance.store.serve.following import follow
from appliance.store.serve.frames import PREFACE
from appliance.store.serve.gateway import Gateway
from appliance.store.serve.grpc import GrpcConnection, GrpcOptions
from appliance.store.serve.health import Pages
from appliance.store.serve.http1 import (
    MAX_BODY_BYTES,
    HttpConnection,
    HttpRequest,
    HttpResponse,
    Page,
    Sockets,
    Talk,
)
from appliance.store.serve.identity import Identity
from appliance.store.serve.kv import KvService
from appliance.store.serve.lease import LeaseService
from appliance.store.serve.limits import Limits
from appliance.store.serve.locks import ElectionService, LockService
from appliance.store.serve.maintenance import MaintenanceService
from appliance.store.serve.parts import Parts
from appliance.store.serve.quota import Quota
from appliance.store.serve.rangestream import RangeStreamService
from appliance.store.serve.tally import Tallies
from appliance.store.serve.v2.pages import V2Pages
from appliance.store.serve.watch import WatchService

log = structlog.get_logger(__name__)

_BACKLOG = 1024
_DECIDED_AFTER = 3  # bytes: no HTTP/1 method begins with "PRI"

Spoken = GrpcConnection | HttpConnection


@dataclass(frozen=True, slots=True, kw_only=True)
class ServeOptions:
    """What can be chosen."""

    tokens: TokenMaker | None = None
    """How tokens are made; by default they are random and remembered for five minutes."""

    client_cert_auth: bool = False
    """Take the name in a client's certificate for the user's."""

    quota_bytes: int = -1
    """How large the store may become; 0 is etcd's default, below 0 is no quota."""

    limits: Limits = field(default_factory=Limits)
    browsers: Browsers = field(default_factory=Browsers)

    prefix_quotas: PrefixQuotas | None = None
    """Told on the page of metrics."""


def all_methods(parts: Parts) -> Methods:
    """The methods of all services, before `guarded`."""
    store, identity, quota = parts.store, parts.identity, parts.quota
    guard, clock = parts.guard, parts.clock
    return {
        **KvService(parts).methods(),
        **RangeStreamService(parts).methods(),
        **WatchService(parts).methods(),
        **LeaseService(store, identity, quota).methods(),
        **ClusterService(identity).methods(),
        **DowngradeService(identity).methods(),
        **LockService(store, identity, guard, quota).methods(),
        **ElectionService(store, identity, guard, quota).methods(),
        **MaintenanceService(store, identity, quota, clock).methods(),
        **AuthService(store, identity, guard).methods(),
    }


class EtcdServer:
    """etcd's client port."""

    def __init__(
        self,
        store: Store,
        identity: Identity,
        clock: Clock,
        options: ServeOptions | None = None,
    ) -> None:
        options = options or ServeOptions()
        self._store = store
        self._alarms = Alarms(store, identity.member_id)
        quota = Quota(store, self._alarms, identity.member_id, options.quota_bytes)
        self._tasks = Tasks("etcd", clock)
        self._book = AuthBook(store)
        tokens = options.tokens or SimpleTokens(clock)
        guard = Guard(store, self._book, tokens, by_certificate=options.client_cert_auth)
        tallies = Tallies()
        parts = Parts(store, identity, quota, guard, clock, options.limits, tallies)
        methods = guarded(all_methods(parts), guard, store)
        self._options = GrpcOptions(methods, self._tasks, tallies, options.limits)
        self._pages = Pages(store, identity, quota, tallies, prefix_quotas=options.prefix_quotas)
        self._v2 = V2Pages(parts)
        self._gateway = Gateway(methods)
        self._browsers = options.browsers
        self._servers: list[asyncio.Server] = []
        self._connections: set[Spoken] = set()
        self._following = False

    async def listen(self, host: str, port: int, tls: ssl.SSLContext | None = None) -> int:
        """Open a listener; returns its port (a free one for 0).

        Raises:
            OSError: the address is taken or not ours.
        """
        await self._book.load()
        await self._alarms.load()
        if not self._following:
            self._following = True
            follow(self._store, auth.BOOK, self._book.load, self._tasks)
            follow(self._store, alarms.BOOK, self._alarms.load, self._tasks)
        if tls is not None:
            tls.set_alpn_protocols(["h2", "http/1.1"])
        server = await asyncio.get_running_loop().create_server(
            lambda: _Undecided(self._decide), host, port, ssl=tls, backlog=_BACKLOG
        )
        self._servers.append(server)
        return int(server.sockets[0].getsockname()[1])

    async def listen_for_probes(
        self, host: str, port: int, tls: ssl.SSLContext | None = None
    ) -> int:
        """Open a listener for metrics and health alone; returns its port (a free one for 0).

        Raises:
            OSError: the address is taken or not ours.
        """

        def connect() -> HttpConnection:
            connection = self._http(self._pages.answer)
            self._connections.add(connection)
            return connection

        loop = asyncio.get_running_loop()
        server = await loop.create_server(connect, host, port, ssl=tls, backlog=_BACKLOG)
        self._servers.append(server)
        return int(server.sockets[0].getsockname()[1])

    async def stop(self) -> None:
        """Close the listeners, end all calls, close all connections."""
        for server in self._servers:
            server.close()
        for connection in list(self._connections):
            connection.stop()
        await self._v2.close()
        await self._tasks.close()
        for server in self._servers:
            await server.wait_closed()

    async def _page(self, request: HttpRequest) -> HttpResponse:
        return await self._browsers.answer(request, self._route)

    def _talk(self, request: HttpRequest) -> Talk | None:
        return None if self._browsers.refusal(request) else self._gateway.socket(request)

    async def _route(self, request: HttpRequest) -> HttpResponse:
        if self._gateway.serves(request.path):
            return await self._gateway.answer(request)
        if self._v2.serves(request.path):
            return await self._v2.answer(request)
        return await self._pages.answer(request)

    def _decide(self, first: bytes) -> Spoken:
        connection: Spoken
        if first.startswith(PREFACE[:_DECIDED_AFTER]):
            connection = GrpcConnection(self._options, self._connections.discard)
        else:
            connection = self._http(self._page, self._talk)
        self._connections.add(connection)
        return connection

    def _http(self, page: Page, sockets: Sockets = lambda _: None) -> HttpConnection:
        # JSON has values in base64, and more around them.
        body_bytes = max(MAX_BODY_BYTES, 2 * self._options.limits.max_message_bytes)
        return HttpConnection(
            page,
            self._tasks,
            self._connections.discard,
            max_body_bytes=body_bytes,
            sockets=sockets,
        )


class _Undecided(asyncio.Protocol):
    """A socket of which not enough has come to tell what it speaks."""

    def __init__(self, decide: Callable[[bytes], Spoken]) -> None:
        self._decide = decide
        self._first = b""
        self._transport: asyncio.Transport | None = None

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]  # a stream's transport

    @override
    def data_received(self, data: bytes) -> None:
        self._first += data
        if len(self._first) < _DECIDED_AFTER or self._transport is None:
            return
        spoken = self._decide(self._first)
        self._transport.set_protocol(spoken)
        spoken.connection_made(self._transport)
        spoken.data_received(self._first)
