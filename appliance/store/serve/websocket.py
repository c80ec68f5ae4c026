"""A WebSocket on a connection that began as HTTP: text messages both ways.

`http1.py` hands its socket over; `gateway.py` talks on it, a line of JSON a message. Pings are
answered as they come. Bounds: a message's size; messages that wait to be read (then the socket is
not read any more); what waits to be written (the sender waits).

Source: RFC 6455; framing is the `websockets` library's sans-IO core.
"""

import asyncio
from collections import deque
from typing import Self

from websockets.frames import CloseCode, Frame, Opcode
from websockets.protocol import OPEN, Protocol, Side
from websockets.utils import accept_key

_MAX_WAITING = 100
_DATA = frozenset({Opcode.TEXT, Opcode.BINARY, Opcode.CONT})


def handshake(key: str) -> bytes:
    """The answer that opens a WebSocket."""
    lines = (
        "HTTP/1.1 101 Switching Protocols",
        "Upgrade: websocket",
        "Connection: Upgrade",
        f"Sec-WebSocket-Accept: {accept_key(key)}",
    )
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


class Socket:
    """One WebSocket; iterate it for what the client says, until it has nothing more to say."""

    def __init__(
        self, transport: asyncio.Transport, writable: asyncio.Event, max_bytes: int
    ) -> None:
        self._transport = transport
        self._writable = writable
        self._protocol = Protocol(Side.SERVER, max_size=max_bytes)
        self._messages: deque[bytes] = deque()
        self._parts: list[bytes] = []
        self._news = asyncio.Event()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        while not self._messages:
            if self._protocol.state is not OPEN:
                raise StopAsyncIteration
            self._news.clear()
            await self._news.wait()
        if len(self._messages) == _MAX_WAITING:
            self._transport.resume_reading()
        return self._messages.popleft()

    async def send(self, text: bytes) -> None:
        """Say something; waits while the client does not read."""
        if self._protocol.state is OPEN:
            self._protocol.send_text(text)
            self._flush()
            await self._writable.wait()

    def close(self) -> None:
        """Say goodbye and close."""
        if self._protocol.state is OPEN:
            self._protocol.send_close(CloseCode.NORMAL_CLOSURE)
            self._flush()
        self._transport.close()

    def feed(self, data: bytes) -> None:
        """Bytes of the client."""
        self._protocol.receive_data(data)
        for event in self._protocol.events_received():
            if isinstance(event, Frame) and event.opcode in _DATA:
                self._parts.append(bytes(event.data))
                if event.fin:
                    self._messages.append(b"".join(self._parts))
                    self._parts.clear()
        if len(self._messages) >= _MAX_WAITING:
            self._transport.pause_reading()
        self._flush()  # answers to pings, and to a goodbye or to nonsense
        self._news.set()
        if self._protocol.state is not OPEN:
            self._transport.close()

    def _flush(self) -> None:
        data = b"".join(self._protocol.data_to_send())
        if data:
            self._transport.write(data)
