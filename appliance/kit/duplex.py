"""Two-way byte connections: open them, join two of them, run their two directions.

Used by everything that carries a terminal or a forwarded port: the API server's relay, the
node's streams, the engine drivers. A connection belongs to whoever opened it, who closes it.
Bound: `CHUNK_BYTES` per read and asyncio's write buffer per direction; a slow reader on one side
makes the other side wait.
"""

import asyncio
import contextlib
import socket
import ssl
from asyncio import StreamReader, StreamWriter
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any

CHUNK_BYTES = 64 * 1024
_GOODBYE_S = 2.0  # for what is still in the buffer; the other side may be gone without a word


@dataclass(frozen=True, slots=True)
class Duplex:
    """One connection."""

    reader: StreamReader
    writer: StreamWriter

    async def read(self) -> bytes:
        """The next bytes; b"" when the other side has ended, orderly or not."""
        try:
            return await self.reader.read(CHUNK_BYTES)
        except OSError:
            return b""

    async def write(self, data: bytes) -> bool:
        """Send; waits while the other side is slow. False: the other side has gone."""
        try:
            self.writer.write(data)
            await self.writer.drain()
        except OSError:
            return False
        return not self.writer.is_closing()

    def end_writing(self) -> None:
        """Say that nothing more comes, where the transport can."""
        if self.writer.can_write_eof() and not self.writer.is_closing():
            with contextlib.suppress(OSError):
                self.writer.write_eof()

    async def close(self) -> None:
        """Send what is in the buffer, then close; what can't be sent in time is dropped."""
        self.writer.close()
        try:
            async with asyncio.timeout(_GOODBYE_S):
                await self.writer.wait_closed()
        except (OSError, TimeoutError):
            self.writer.transport.abort()


async def connect(
    host: str, port: int, tls: ssl.SSLContext | None = None, *, name: str = ""
) -> Duplex:
    """Open a TCP connection, with TLS if a context is given; `name` is whom to expect there.

    Raises:
        OSError: nobody answers there, or TLS fails.
    """
    expected = name or None if tls is not None else None
    return Duplex(
        *await asyncio.open_connection(
            host, port, ssl=tls, server_hostname=expected, limit=CHUNK_BYTES
        )
    )


async def connect_unix(path: str) -> Duplex:
    """Open a connection to a Unix socket.

    Raises:
        OSError: nobody answers there.
    """
    return Duplex(*await asyncio.open_unix_connection(path, limit=CHUNK_BYTES))


async def connect_socket(sock: socket.socket, address: tuple[str, int]) -> Duplex:
    """Connect a socket that somebody made; it is closed if that fails.

    Raises:
        OSError: nobody answers there.
    """
    sock.setblocking(False)
    try:
        await asyncio.get_running_loop().sock_connect(sock, address)
        return Duplex(*await asyncio.open_connection(sock=sock, limit=CHUNK_BYTES))
    except BaseException:
        sock.close()
        raise


async def splice(one: Duplex, other: Duplex) -> None:
    """Carry bytes both ways until either side ends; the caller closes both."""
    await first_of(_copy(one, other), _copy(other, one))


async def first_of(*works: Coroutine[Any, Any, None]) -> None:
    """Run all until the first ends, then cancel the others; its error is raised."""
    tasks = [asyncio.create_task(work) for work in works]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    for task in done:
        task.result()


async def _copy(source: Duplex, sink: Duplex) -> None:
    while data := await source.read():
        if not await sink.write(data):
            return
