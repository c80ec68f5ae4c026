"""Ask an HTTP server to switch protocols, over a connection that is ours alone.

Called by the API server's relay (towards nodes) and by the engine drivers (towards engines):
HTTP clients give no raw connection after "101 Switching Protocols". The bytes in and out are
pure functions, the I/O is one write and one read.
Bound: heads of 64 KiB, the connection's read limit; `ERROR_BYTES` of a refusal's text.
"""

import asyncio
from asyncio import IncompleteReadError, LimitOverrunError
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from appliance.kit.duplex import Duplex

ERROR_BYTES = 64 * 1024
_BODY_S = 10.0  # a refusal without a length ends with the connection; don't wait for ever

Headers = Iterable[tuple[str, str]]


class NotHttp(Exception):
    """What came back is no HTTP answer, or it ended in the middle."""


@dataclass(frozen=True, slots=True)
class Answer:
    """The head of an answer; header names in lower case."""

    status: int
    headers: Mapping[str, str]


def request_bytes(method: str, target: str, headers: Headers, body: bytes = b"") -> bytes:
    r"""A whole request.

    >>> request_bytes("GET", "/x", [("Host", "h")])
    b'GET /x HTTP/1.1\r\nHost: h\r\n\r\n'
    """
    lines = [f"{method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in headers)]
    if body or method == "POST":
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


def parse_head(head: bytes) -> Answer:
    r"""Read an answer's head.

    >>> parse_head(b"HTTP/1.1 101 UPGRADED\r\nUpgrade: tcp\r\n\r\n")
    Answer(status=101, headers={'upgrade': 'tcp'})

    Raises:
        NotHttp: it is none.
    """
    first, *lines = head.decode("latin-1").rstrip("\r\n").split("\r\n")
    version, _, rest = first.partition(" ")
    code = rest[:3]
    if not version.startswith("HTTP/1.") or not code.isdecimal():
        raise NotHttp(f"no HTTP answer: {first[:80]!r}")
    pairs = (line.partition(":") for line in lines)
    return Answer(int(code), {name.strip().lower(): value.strip() for name, _, value in pairs})


async def ask(connection: Duplex, request: bytes) -> Answer:
    """Send a request and read the head of its answer; what follows is left in the reader.

    Raises:
        NotHttp: no answer came.
    """
    await connection.write(request)
    try:
        return parse_head(await connection.reader.readuntil(b"\r\n\r\n"))
    except (IncompleteReadError, LimitOverrunError, OSError) as error:
        raise NotHttp(f"the connection ended before an answer came: {error}") from error


async def refusal(connection: Duplex, answer: Answer) -> bytes:
    """The body of an answer that is no 101, as far as it comes."""
    length = answer.headers.get("content-length", "")
    left = min(int(length), ERROR_BYTES) if length.isdecimal() else ERROR_BYTES
    body = bytearray()
    try:
        async with asyncio.timeout(_BODY_S):
            while len(body) < left and (part := await connection.read()):
                body += part
    except TimeoutError:
        pass  # what came in time is told
    return bytes(body[:left])


def wants_upgrade(headers: Mapping[bytes, bytes]) -> bool:
    """Whether a request asks for another protocol (names in lower case, as ASGI has them)."""
    tokens = headers.get(b"connection", b"").lower().split(b",")
    return b"upgrade" in {token.strip() for token in tokens} and b"upgrade" in headers
