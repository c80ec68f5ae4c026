"""One request and its answer, as handlers see them: headers, options, body, bytes to send.

Made by `serve` for each request; handlers are functions of an `Exchange`. Errors of the API
become Status answers here and nowhere else.
Bounded by: `BODY_LIMIT_BYTES` and `_BODY_S` per request.
"""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass, field
from typing import Any

import structlog

from appliance.api.errors import ApiError, InternalError, Timeout, TooLarge
from appliance.control.http import packing
from appliance.control.http.negotiate import JSON, YAML, Form, choose_form
from appliance.control.http.params import NO_PARAMS, Params
from appliance.control.http.target import Target
from appliance.control.registry.base import User
from appliance.kit import jsonio
from appliance.kit.yamltext import to_yaml

log = structlog.get_logger(__name__)

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

BODY_LIMIT_BYTES = 3 * 1024 * 1024  # upstream's limit; objects themselves end at about 1.5 MiB
_BODY_S = 60.0  # the largest body takes half a minute on a slow line
_PEOPLE = ("curl", "Wget", "Mozilla/5.0")  # agents whose users read the bytes: indent for them


@dataclass(slots=True)
class Exchange:
    """A request being answered."""

    scope: Scope
    receive: Receive
    send: Send
    target: Target
    user: User
    params: Params = NO_PARAMS
    headers: dict[bytes, bytes] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    """What to tell the user, whatever is answered (Warning headers)."""
    authorize: Callable[[str], Awaitable[None]] | None = None
    """Raises Forbidden if the user may not do this other verb to the target."""
    impersonator: User | None = None
    """Who really asks, where `user` is somebody whom they ask as."""
    notes: dict[str, str] = field(default_factory=dict)
    """Annotations for the audit log."""
    started: bool = False
    """Whether the head of an answer has been sent."""
    upgraded: bool = False
    """Whether the connection speaks another protocol now."""

    def header(self, name: bytes) -> str:
        """A request header, or nothing."""
        return self.headers.get(name, b"").decode("latin-1")

    @property
    def agent(self) -> str:
        """The User-Agent header."""
        return self.header(b"user-agent")

    def form(self) -> Form:
        """The form to answer in.

        Raises:
            NotAcceptable: nothing that is asked for can be given.
        """
        return choose_form(self.header(b"accept"))

    async def body(self, limit: int = BODY_LIMIT_BYTES) -> bytes:
        """Read the whole body.

        Raises:
            TooLarge: it is over the limit; the rest is not read.
            Timeout: it does not come.
        """
        try:
            async with asyncio.timeout(_BODY_S):
                return await self._read_body(limit)
        except TimeoutError:
            raise Timeout("the body of the request did not arrive in time") from None

    async def _read_body(self, limit: int) -> bytes:
        chunks: list[bytes] = []
        size = 0
        while True:
            message = await self.receive()
            if message["type"] == "http.disconnect":
                raise Disconnected
            chunk = message.get("body", b"")
            size += len(chunk)
            if size > limit:
                raise TooLarge(f"Request entity too large: limit is {limit}")
            chunks.append(chunk)
            if not message.get("more_body", False):
                return b"".join(chunks)

    async def answer(self, body: bytes, *, code: int = 200, form: Form | None = None) -> None:
        """Send JSON, in the form that was asked for."""
        media = JSON
        if form is not None and form.media == YAML:
            body, media = to_yaml(body), YAML
        elif self._for_people():
            body = jsonio.indent(body)
        body += b"\n"
        extra: tuple[Any, ...] = ()
        if packing.is_worthwhile(self.scope, self.header(b"accept-encoding"), len(body)):
            body, extra = await packing.pack(body), packing.HEADERS
        await self.answer_bytes(body, media.encode(), code=code, extra=extra)

    async def answer_bytes(
        self, body: bytes, media: bytes, *, code: int = 200, extra: tuple[Any, ...] = ()
    ) -> None:
        """Send bytes as they are."""
        headers = [
            *([(b"content-type", media)] if media else []),
            (b"content-length", b"%d" % len(body)),
            *self.warning_headers(),
            *extra,
        ]
        self.started = True
        await self.send({"type": "http.response.start", "status": code, "headers": headers})
        await self.send({"type": "http.response.body", "body": body})

    async def fail(self, error: ApiError) -> None:
        """Send the Status of an error."""
        extra: tuple[Any, ...] = ()
        if error.details is not None and error.details.retry_after_s:
            extra = ((b"retry-after", b"%d" % error.details.retry_after_s),)
        body = jsonio.dumps(error.status()) + b"\n"
        await self.answer_bytes(body, JSON.encode(), code=error.code, extra=extra)

    def _for_people(self) -> bool:
        if "pretty" in self.params.one:
            return self.params.flag("pretty")
        return self.agent.startswith(_PEOPLE)

    def warning_headers(self) -> list[tuple[bytes, bytes]]:
        """Give the warnings as headers."""
        return [(b"warning", warning_header(text)) for text in self.warnings]


class Disconnected(Exception):
    """The client went away while it was sending."""


def warning_header(text: str) -> bytes:
    """Code 299 and the quoted text, as kubectl parses it (RFC 7234)."""
    quoted = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", " ")
    return f'299 - "{quoted}"'.encode()


async def serve(exchange: Exchange, handle: Callable[[Exchange], Awaitable[None]]) -> None:
    """Run a handler; what it raises becomes the answer."""
    try:
        await handle(exchange)
    except Disconnected:
        return
    except ApiError as error:
        if exchange.started:
            raise
        await exchange.fail(error)
    except Exception as error:  # the top of every request: answer, log, go on serving
        if exchange.started:
            raise
        log.exception("request failed", method=exchange.scope["method"], path=exchange.target.path)
        await exchange.fail(InternalError(f"Internal error occurred: {error}"))
