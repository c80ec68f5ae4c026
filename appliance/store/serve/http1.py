"""Plain HTTP/1.1 on the same port: small pages and lines of JSON, one request after the other.

`server.py` makes one `HttpConnection` for each socket that does not begin with HTTP/2's preface.
Bounds: a request's head, its body, and how many wait while one is answered. A connection that
is read on all the time also notices at once that its client is gone.

Source: httptools reads the requests; RFC 9112 for the rest.
"""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field
from http import HTTPStatus
from urllib.parse import parse_qs

import httptools
import structlog
from typing_extensions import override

from appliance.kit.tasks import Tasks
from appliance.store.serve.websocket import Socket, handshake

log = structlog.get_logger(__name__)

_MAX_HEAD_BYTES = 64 << 10
MAX_BODY_BYTES = 4 << 20
_MAX_WAITING = 100


Pieces = AsyncGenerator[bytes, None]


@dataclass(slots=True)
class HttpRequest:
    """A request that is complete."""

    method: str
    path: str
    query: Mapping[str, list[str]]
    headers: Mapping[bytes, bytes]
    body: bytes
    keep_alive: bool
    peer: str = ""
    tls: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpResponse:
    """What a page answers."""

    status: int = 200
    content_type: str = "text/plain; charset=utf-8"
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    stream: Pieces | None = None
    """Instead of a body: pieces, each written when it is there."""


Page = Callable[[HttpRequest], Awaitable[HttpResponse]]
Talk = Callable[[Socket], Awaitable[None]]
Sockets = Callable[[HttpRequest], Talk | None]
"""Who talks on the WebSocket that a request asks for; None: nobody does at that path."""


class HttpConnection(asyncio.Protocol):
    """One client."""

    def __init__(
        self,
        page: Page,
        tasks: Tasks,
        gone: Callable[["HttpConnection"], None],
        *,
        max_body_bytes: int = MAX_BODY_BYTES,
        sockets: Sockets = lambda _: None,
    ) -> None:
        self._max_body_bytes = max_body_bytes
        self._sockets = sockets
        self._socket: Socket | None = None
        self._upgrade: HttpRequest | None = None
        self._page = page
        self._tasks = tasks
        self._gone = gone
        self._transport: asyncio.Transport | None = None
        self._parser = httptools.HttpRequestParser(self)
        self._url = b""
        self._headers: dict[bytes, bytes] = {}
        self._head_bytes = 0
        self._body = bytearray()
        self._waiting: deque[HttpRequest] = deque()
        self._task: asyncio.Task[None] | None = None
        self._writable = asyncio.Event()
        self._writable.set()
        self._peer = ""
        self._tls = False

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]  # a stream's transport
        peer = transport.get_extra_info("peername")
        self._peer = str(peer[0]) if isinstance(peer, tuple) else ""
        self._tls = transport.get_extra_info("sslcontext") is not None

    @override
    def pause_writing(self) -> None:
        self._writable.clear()

    @override
    def resume_writing(self) -> None:
        self._writable.set()

    @override
    def data_received(self, data: bytes) -> None:
        if self._socket is not None:
            self._socket.feed(data)
            return
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, _TooMuch) as error:
            self._refuse(HTTPStatus.BAD_REQUEST, str(error))
        except httptools.HttpParserUpgrade as upgrade:
            self._switch(data[upgrade.args[0] :])

    def _switch(self, rest: bytes) -> None:
        """Talk WebSocket from now on, if that is what was asked for, and here."""
        request, transport = self._upgrade, self._transport
        if request is None or transport is None or self._task is not None:
            self._refuse(HTTPStatus.BAD_REQUEST, "an upgrade must come alone")
            return
        talk = self._sockets(request)
        key = request.headers.get(b"sec-websocket-key", b"").decode("latin-1")
        asked = request.headers.get(b"upgrade", b"").lower() == b"websocket" and key
        if talk is None or not asked:
            self._refuse(HTTPStatus.NOT_IMPLEMENTED, "no upgrade is spoken here")
            return
        transport.write(handshake(key))
        self._socket = Socket(transport, self._writable, self._max_body_bytes)
        self._task = self._tasks.spawn("websocket", _talk(talk, self._socket))
        if rest:
            self._socket.feed(rest)

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        if self._task is not None:
            self._task.cancel()
        self._gone(self)

    def stop(self) -> None:
        """Close at once; pages are short."""
        if self._transport is not None:
            self._transport.close()

    # What httptools tells

    def on_message_begin(self) -> None:
        """A request begins."""
        self._url, self._headers, self._body = b"", {}, bytearray()
        self._head_bytes = 0

    def on_url(self, url: bytes) -> None:
        """Part of the target."""
        self._count(url)
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header."""
        self._count(name + value)
        self._headers[name.lower()] = value

    def on_body(self, body: bytes) -> None:
        """Part of the body."""
        if len(self._body) + len(body) > self._max_body_bytes:
            raise _TooMuch("the body is too large")
        self._body += body

    def on_message_complete(self) -> None:
        """The request is all there."""
        url = httptools.parse_url(self._url)
        query = parse_qs((url.query or b"").decode("latin-1"), keep_blank_values=True)
        request = HttpRequest(
            method=self._parser.get_method().decode("latin-1"),
            path=(url.path or b"/").decode("latin-1"),
            query=query,
            headers=self._headers,
            body=bytes(self._body),
            keep_alive=self._parser.should_keep_alive(),
            peer=self._peer,
            tls=self._tls,
        )
        if self._parser.should_upgrade():
            self._upgrade = request
            return
        self._waiting.append(request)
        if len(self._waiting) > _MAX_WAITING:
            raise _TooMuch("too many requests at once")
        if self._task is None:
            self._task = self._tasks.spawn("http", self._answer_all())

    def _count(self, data: bytes) -> None:
        self._head_bytes += len(data)
        if self._head_bytes > _MAX_HEAD_BYTES:
            raise _TooMuch("the head is too large")

    async def _answer_all(self) -> None:
        while self._waiting:
            request = self._waiting.popleft()
            try:
                response = await self._page(request)
            except Exception as error:
                log.exception("page failed", path=request.path)
                response = HttpResponse(status=500, body=f"{error}\n".encode())
            if response.stream is not None:
                await self._write_stream(response, response.stream)
            else:
                self._write(response, request)
        self._task = None

    async def _write_stream(
        self, response: HttpResponse, pieces: AsyncGenerator[bytes, None]
    ) -> None:
        """Pieces in chunks, as fast as the client reads; the connection ends with them."""
        if self._transport is not None:
            self._transport.write(_head(response, keep_alive=False, chunked=True))
        async with aclosing(pieces):
            async for piece in pieces:
                if self._transport is None:
                    return
                self._transport.write(b"%x\r\n%b\r\n" % (len(piece), piece))
                await self._writable.wait()
        if self._transport is not None:
            self._transport.write(b"0\r\n\r\n")
            self._transport.close()

    def _write(self, response: HttpResponse, request: HttpRequest) -> None:
        if self._transport is None:
            return
        body = b"" if request.method == "HEAD" else response.body
        self._transport.write(_head(response, keep_alive=request.keep_alive) + body)
        if not request.keep_alive:
            self._transport.close()

    def _refuse(self, status: HTTPStatus, why: str) -> None:
        if self._transport is not None:
            response = HttpResponse(status=status, body=f"{why}\n".encode())
            self._transport.write(_head(response, keep_alive=False) + response.body)
            self._transport.close()


async def _talk(talk: Talk, socket: Socket) -> None:
    try:
        await talk(socket)
    except Exception:
        log.exception("talk on a WebSocket failed")
    finally:
        socket.close()


class _TooMuch(Exception):
    """A request is beyond our bounds."""


def _head(response: HttpResponse, *, keep_alive: bool, chunked: bool = False) -> bytes:
    length = f"Content-Length: {len(response.body)}"
    lines = [
        f"HTTP/1.1 {response.status} {HTTPStatus(response.status).phrase}",
        f"Content-Type: {response.content_type}",
        "Transfer-Encoding: chunked" if chunked else length,
        *(f"{name}: {value}" for name, value in response.headers.items()),
        *(() if keep_alive else ("Connection: close",)),
    ]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")
