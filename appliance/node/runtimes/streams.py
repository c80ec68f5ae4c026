"""What an engine sends for as long as it likes: events, logs, output of commands.

Both engines speak HTTP on a socket and frame output alike, so both drivers use this in place of
their SDKs' blocking iterators: cancelling the reader closes the connection, and no thread is
left waiting on it. A stream lives as long as its reader; memory is one network read each.

Source: the Docker Engine API's "Stream format"; libpod uses the same frames.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx

from appliance.node.runtimes.base import LogChunk, NotThere, RuntimeFault, Unreachable

_CONNECT_TIMEOUT_S = 10.0
_HEADER_BYTES = 8
_PART_BYTES = 1 << 20
_NAMES = {1: "stdout", 2: "stderr"}


class Frames:
    """Bytes of a multiplexed stream → chunks; sans-IO.

    A frame is `stream, 0, 0, 0, length (4 bytes, big endian), data`. Parts of a frame are given
    on as they come, so a frame of any length costs no memory:

    >>> frames = Frames()
    >>> frames.feed(bytes([1, 0, 0, 0, 0, 0, 0, 5]) + b"he")
    [LogChunk(stream='stdout', data=b'he')]
    >>> frames.feed(b"llo")
    [LogChunk(stream='stdout', data=b'llo')]

    With `stamped` each frame begins with a time and a space. Podman frames and stamps each piece of
    a line that was written in pieces: a stamp inside of a line is dropped.
    """

    def __init__(self, *, stamped: bool = False) -> None:
        self._header = b""
        self._left = 0
        self._stream = "stdout"
        self._stamped = stamped
        self._within: set[str] = set()
        """Streams whose last frame did not end its line."""
        self._dropping = False
        """Whether the stamp of this frame is being dropped."""

    def feed(self, data: bytes) -> list[LogChunk]:
        """Take the next bytes, give what is complete of them."""
        chunks: list[LogChunk] = []
        while data:
            if self._left == 0:
                need = _HEADER_BYTES - len(self._header)
                self._header, data = self._header + data[:need], data[need:]
                if len(self._header) == _HEADER_BYTES:
                    self._stream = _NAMES.get(self._header[0], "stdout")
                    self._left = int.from_bytes(self._header[4:], "big")
                    self._header = b""
                    self._dropping = self._stamped and self._stream in self._within
                continue
            part, data = data[: self._left], data[self._left :]
            self._left -= len(part)
            if shown := self._shown(part):
                chunks.append(LogChunk(self._stream, shown))
        return chunks

    def _shown(self, part: bytes) -> bytes:
        if self._left == 0 and part.endswith(b"\n"):
            self._within.discard(self._stream)
        elif self._left == 0:
            self._within.add(self._stream)
        if not self._dropping:
            return part
        _stamp, space, rest = part.partition(b" ")
        self._dropping = not space
        return rest


class Lines:
    """Bytes → JSON values, one a line; sans-IO."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> list[dict[str, Any]]:
        """Take the next bytes, give the values that are complete."""
        *whole, self._rest = (self._rest + data).split(b"\n")
        return [json.loads(line) for line in whole if line.strip()]


class EngineStreams:
    """Streaming requests to one engine; `endpoint` is unix:///path or tcp://host:port."""

    def __init__(self, endpoint: str) -> None:
        self._endpoint = endpoint
        base, uds = "http://engine", None
        if endpoint.startswith("unix://"):
            uds = endpoint.removeprefix("unix://")
        else:
            base = endpoint.replace("tcp://", "http://", 1)
        # As many connections as there are readers; they are bounded where they come from.
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=0)
        # Nothing here is TLS, and the authorities that httpx would load weigh 2 MB.
        transport = httpx.AsyncHTTPTransport(uds=uds, limits=limits, trust_env=False, verify=False)
        self._client = httpx.AsyncClient(
            base_url=base,
            transport=transport,
            timeout=httpx.Timeout(None, connect=_CONNECT_TIMEOUT_S),
            trust_env=False,
        )

    @asynccontextmanager
    async def open(
        self,
        method: str,
        path: str,
        params: Mapping[str, str] | None = None,
        *,
        body: Any = None,
        content: bytes | AsyncIterator[bytes] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> AsyncIterator[AsyncIterator[bytes]]:
        """Send a request; the context gives the bytes of its answer as they come.

        `body` goes as JSON, `content` as it is.

        Raises:
            NotThere: the engine says 404.
            RuntimeFault: it says another error.
            Unreachable: it does not answer, or broke off.
        """
        try:
            async with self._client.stream(
                method, path, params=params, json=body, content=content, headers=headers
            ) as answer:
                if answer.status_code >= 400:
                    await answer.aread()
                    raise refused(answer.status_code, answer.text)
                yield answer.aiter_raw()
        except httpx.TransportError as error:
            raise Unreachable(f"{self._endpoint}: {error!r}") from error

    async def complaint(
        self,
        path: str,
        params: Mapping[str, str],
        *,
        content: bytes | AsyncIterator[bytes] | None = None,
        headers: Mapping[str, str] | None = None,
        timeout_s: float,
    ) -> str:
        """POST and read the progress report to its end; its error, or "" if there is none.

        Raises:
            TimeoutError: it took too long.
        """
        lines, complaint = Lines(), ""
        if content is not None:
            headers = {**(headers or {}), "Content-Type": "application/x-tar"}
        async with (
            asyncio.timeout(timeout_s),
            self.open("POST", path, params, content=content, headers=headers) as parts,
        ):
            async for part in parts:
                for line in lines.feed(part):
                    complaint = complaint or str(line.get("error") or "")
        return complaint

    async def close(self) -> None:
        """Close all connections."""
        await self._client.aclose()


async def in_parts(path: Path) -> AsyncIterator[bytes]:
    """A file, as it goes: archives of images may be larger than the memory."""
    with await asyncio.to_thread(path.open, "rb") as file:
        while part := await asyncio.to_thread(file.read, _PART_BYTES):
            yield part


def refused(status: int, text: str) -> RuntimeFault:
    """The engine's error answer as ours."""
    try:
        message = str(json.loads(text)["message"])
    except (ValueError, KeyError, TypeError):
        message = text.strip() or f"HTTP {status}"
    return NotThere(message) if status == 404 else RuntimeFault(message)
