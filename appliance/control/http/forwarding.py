"""Passes a whole request on to somebody else's HTTP server, and the answer back, as they come.

For the proxies of pods, services and nodes, and for API servers that are aggregated. Bodies are
streamed both ways, a switch of protocols becomes two joined connections. Nothing is kept; a
forwarded request lasts as long as both sides want. `Forwarder` holds the connections; `assembly`
makes and closes it.

Source: apimachinery `pkg/util/proxy`.
"""

import re
import ssl
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

import httpx
import structlog

from appliance.api.errors import ServiceUnavailable
from appliance.control.http.exchange import Exchange
from appliance.control.http.streaming import finish, run_until_ended, send_chunk
from appliance.kit.duplex import Duplex, connect, splice
from appliance.kit.takeover import take_over
from appliance.kit.upgrading import NotHttp, ask, request_bytes, wants_upgrade

log = structlog.get_logger(__name__)

_CONNECT_S = 5.0
_HOP = frozenset({
    *(b"connection", b"keep-alive", b"proxy-authenticate", b"proxy-authorization", b"te"),
    *(b"trailer", b"trailers", b"transfer-encoding", b"upgrade"),
})  # fmt: skip
_OURS = (b"x-remote-", b"x-forwarded-", b"impersonate-")
_NOT_PASSED = _HOP | {b"host", b"authorization", b"content-length"}
_PAGE_BYTES = 1024 * 1024
"""Pages whose links are put right may be so large; larger ones pass as they are."""
_LINK = re.compile(rb"""((?:href|src|action)\s*=\s*["'])(/[^"']*)""", re.IGNORECASE)

Headers = list[tuple[bytes, bytes]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a request goes."""

    url: str
    """Scheme, host, port, path and query."""
    tls: ssl.SSLContext | None = None
    """For https; without it certificates are not looked at."""
    prefix: str = ""
    """Path under which the client sees the other server; links and redirects are put under it."""
    headers: Sequence[tuple[str, str]] = ()
    """What the other server is told beside."""
    host: str = ""
    """Name that its certificate must have and that it is asked under, where not the URL's."""


class Forwarder:
    """Connections to other servers, one pool for each kind of trust."""

    def __init__(self) -> None:
        self._clients: dict[int, tuple[ssl.SSLContext | None, httpx.AsyncClient]] = {}
        self._trusting = ssl.create_default_context()
        self._trusting.check_hostname = False
        self._trusting.verify_mode = ssl.CERT_NONE

    def client(self, tls: ssl.SSLContext | None) -> httpx.AsyncClient:
        """The pool for a kind of trust."""
        found = self._clients.get(id(tls))
        if found is None:
            limits = httpx.Limits(max_connections=None, max_keepalive_connections=16)
            timeout = httpx.Timeout(None, connect=_CONNECT_S)
            made = httpx.AsyncClient(
                verify=tls or self._trusting, limits=limits, timeout=timeout, trust_env=False
            )
            found = self._clients[id(tls)] = (tls, made)  # the context lives as long as its id
        return found[1]

    async def aclose(self) -> None:
        """Close all connections."""
        for _, client in self._clients.values():
            await client.aclose()

    async def forward(self, exchange: Exchange, place: Place) -> None:
        """Pass a request on.

        Raises:
            ServiceUnavailable: nobody answers there.
        """
        if wants_upgrade(exchange.headers):
            await self._switch(exchange, place)
            return
        request = self.client(place.tls).build_request(
            exchange.scope["method"],
            place.url,
            headers=_sent_headers(exchange, place),
            content=_body(exchange) if _has_body(exchange) else None,
            extensions={"sni_hostname": place.host} if place.host else {},
        )
        try:
            answer = await self.client(place.tls).send(request, stream=True)
        except (httpx.HTTPError, OSError) as error:
            raise unreachable(error) from error
        try:
            await _give(exchange, answer, place)
        finally:
            await answer.aclose()

    async def _switch(self, exchange: Exchange, place: Place) -> None:
        url = urlsplit(place.url)
        tls = (place.tls or self._trusting) if url.scheme == "https" else None
        port = url.port or (443 if tls else 80)
        try:
            towards = await connect(url.hostname or "", port, tls, name=place.host)
        except OSError as error:
            raise unreachable(error) from error
        try:
            await _join(exchange, towards, place)
        finally:
            await towards.close()


def unreachable(error: Exception) -> ServiceUnavailable:
    """Say that nobody answers, as upstream does."""
    why = str(error) or type(error).__name__
    return ServiceUnavailable(f"error trying to reach service: {why}")


def _has_body(exchange: Exchange) -> bool:
    names = exchange.headers
    return b"transfer-encoding" in names or names.get(b"content-length", b"0") != b"0"


async def _body(exchange: Exchange) -> AsyncIterator[bytes]:
    while True:
        message = await exchange.receive()
        if message["type"] == "http.disconnect":
            raise httpx.WriteError("the client has gone")
        yield message.get("body", b"")
        if not message.get("more_body", False):
            return


def _sent_headers(exchange: Exchange, place: Place) -> Headers:
    """The client's headers, without what is about its own connection and its credentials."""
    given: Iterable[tuple[bytes, bytes]] = exchange.scope["headers"]
    kept = [
        (name, value)
        for name, value in given
        if name not in _NOT_PASSED and not name.startswith(_OURS)
    ]
    host = exchange.header(b"host")
    told = [
        ("host", place.host or urlsplit(place.url).netloc),
        ("x-forwarded-host", host),
        ("x-forwarded-proto", "https"),
        ("x-forwarded-uri", place.prefix or exchange.target.path),
        *place.headers,
    ]
    length = exchange.headers.get(b"content-length")
    more = [(b"content-length", length)] if length and length != b"0" else []
    return [*kept, *((n.encode(), v.encode("latin-1", "replace")) for n, v in told), *more]


async def _give(exchange: Exchange, answer: httpx.Response, place: Place) -> None:
    headers = _given_headers(answer, place)
    page = await _page(answer, place)
    if page is not None:
        headers = [(n, v) for n, v in headers if n != b"content-length"]
        headers.append((b"content-length", b"%d" % len(page)))
    exchange.started = True
    head = {"type": "http.response.start", "status": answer.status_code, "headers": headers}
    await exchange.send(head)
    if page is not None:
        await exchange.send({"type": "http.response.body", "body": page})
        return
    await send_chunk(exchange, b"")
    await run_until_ended(exchange, _copy(exchange, answer))
    await finish(exchange)


async def _copy(exchange: Exchange, answer: httpx.Response) -> None:
    """Pass on what comes; a server that is lost in the middle ends the answer."""
    try:
        async for chunk in answer.aiter_raw():
            await send_chunk(exchange, chunk)
    except httpx.HTTPError as error:
        log.warning("a forwarded answer was cut off", path=exchange.target.path, why=str(error))


def _given_headers(answer: httpx.Response, place: Place) -> Headers:
    kept = [(n.lower(), v) for n, v in answer.headers.raw if n.lower() not in _HOP]
    return [(n, _moved(v, place) if n == b"location" else v) for n, v in kept]


def _moved(location: bytes, place: Place) -> bytes:
    """A redirect within the other server stays within it."""
    there, base = urlsplit(location.decode("latin-1")), urlsplit(place.url)
    if there.netloc not in {"", base.netloc} or not there.path.startswith("/"):
        return location
    rest = f"?{there.query}" if there.query else ""
    rest += f"#{there.fragment}" if there.fragment else ""
    return f"{place.prefix}{there.path}{rest}".encode("latin-1", "replace")


async def _page(answer: httpx.Response, place: Place) -> bytes | None:
    """A page of HTML whose links lead through us; None for all else."""
    kind, coding = (answer.headers.get(n, "") for n in ("content-type", "content-encoding"))
    length = answer.headers.get("content-length", "")
    if not place.prefix or not kind.startswith("text/html") or coding not in {"", "identity"}:
        return None
    if not length.isdecimal() or int(length) > _PAGE_BYTES:
        return None
    prefix = place.prefix.encode("latin-1", "replace")
    try:
        whole = await answer.aread()
    except httpx.HTTPError as error:
        raise unreachable(error) from error
    return _LINK.sub(lambda m: m[1] + prefix + m[2], whole)


async def _join(exchange: Exchange, towards: Duplex, place: Place) -> None:
    """Ask for the switch; whatever the answer is, its bytes go back, and so on both ways."""
    url = urlsplit(place.url)
    target = url.path + (f"?{url.query}" if url.query else "")
    headers = [(n.decode(), v.decode("latin-1")) for n, v in _sent_headers(exchange, place)]
    headers += [("connection", "Upgrade"), ("upgrade", exchange.header(b"upgrade"))]
    try:
        answer = await ask(towards, request_bytes(exchange.scope["method"], target, headers))
    except NotHttp as error:
        raise unreachable(error) from error
    client = take_over(exchange.scope)
    exchange.started = exchange.upgraded = True
    lines = [f"HTTP/1.1 {answer.status} {'Switching Protocols' if answer.status == 101 else ''}"]
    lines += [f"{name}: {value}" for name, value in answer.headers.items()]
    try:
        if await client.write("\r\n".join([*lines, "", ""]).encode("latin-1")):
            await splice(client, towards)
    finally:
        await client.close()
