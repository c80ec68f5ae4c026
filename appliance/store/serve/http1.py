"""Plain HTTP/1.1 on the same port: a few small pages, answered one after the other.

`server.py` makes one `HttpConnection` for each socket that does not begin with HTTP/2's preface.
Bounds: the request's head, its body, and one request at a time (what follows waits unread).

Source: httptools reads the requests; RFC 9112 for the rest.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from urllib.parse import parse_qs

import httptools
import structlog
from typing_extensions import override

from appliance.kit.tasks import Tasks

log = structlog.get_logger(__name__)

_MAX_HEAD_BYTES = 64 << 10
_MAX_BODY_BYTES = 4 << 20


@dataclass(slots=True)
class HttpRequest:
    """A request that is complete."""

    method: str
    path: str
    query: Mapping[str, list[str]]
    headers: Mapping[bytes, bytes]
    body: bytes
    keep_alive: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpResponse:
    """What a page answers."""

    status: int = 200
    content_type: str = "text/plain; charset=utf-8"
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


Page = Callable[[HttpRequest], Awaitable[HttpResponse]]


class HttpConnection(asyncio.Protocol):
    """One client."""

    def __init__(self, page: Page, tasks: Tasks, gone: Callable[["HttpConnection"], None]) -> None:
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

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]  # a stream's transport

    @override
    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, _TooMuch) as error:
            self._refuse(HTTPStatus.BAD_REQUEST, str(error))
        except httptools.HttpParserUpgrade:
            self._refuse(HTTPStatus.NOT_IMPLEMENTED, "no upgrade is spoken here")

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
        if len(self._body) + len(body) > _MAX_BODY_BYTES:
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
        )
        self._waiting.append(request)
        if self._transport is not None:
            self._transport.pause_reading()
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
            self._write(response, request)
        self._task = None
        if self._transport is not None and not self._transport.is_closing():
            self._transport.resume_reading()

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


class _TooMuch(Exception):
    """A request is beyond our bounds."""


def _head(response: HttpResponse, *, keep_alive: bool) -> bytes:
    lines = [
        f"HTTP/1.1 {response.status} {HTTPStatus(response.status).phrase}",
        f"Content-Type: {response.content_type}",
        f"Content-Length: {len(response.body)}",
        *(f"{name}: {value}" for name, value in response.headers.items()),
        *(() if keep_alive else ("Connection: close",)),
    ]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")
