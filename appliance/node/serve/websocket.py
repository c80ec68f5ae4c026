"""The server's end of a WebSocket, on a connection taken over from HTTP.

Used by the stream endpoints of the node's API; the API server in between passes bytes on and
never looks inside. Framing is the `websockets` library's sans-IO core; pings are answered while
somebody receives, and `keep_alive` spares clients the wait for that.
Bound: `MESSAGE_BYTES` per message, one read, and asyncio's write buffer.

Source: RFC 6455.
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import Mapping, Sequence

from websockets.frames import Frame, Opcode
from websockets.protocol import OPEN, Protocol, Side
from websockets.utils import accept_key

from appliance.kit.clock import Clock
from appliance.kit.duplex import Duplex

MESSAGE_BYTES = 16 * 1024 * 1024  # clients send what a user pastes as one message
NORMAL = 1000
PONG_S = 15.0
GOODBYE_S = 2.0  # what a client gets to read the end and go


def offered(headers: Mapping[bytes, bytes]) -> Sequence[str]:
    """The subprotocols that the client speaks, best first."""
    text = headers.get(b"sec-websocket-protocol", b"").decode("latin-1")
    return [name.strip() for name in text.split(",") if name.strip()]


def handshake(key: str, subprotocol: str) -> bytes:
    """The answer that opens the WebSocket."""
    lines = [
        "HTTP/1.1 101 Switching Protocols",
        "Upgrade: websocket",
        "Connection: Upgrade",
        f"Sec-WebSocket-Accept: {accept_key(key)}",
        *([f"Sec-WebSocket-Protocol: {subprotocol}"] if subprotocol else []),
    ]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


class WebSocket:
    """Whole messages in and out; the caller closes it."""

    def __init__(self, connection: Duplex) -> None:
        self._connection = connection
        self._protocol = Protocol(Side.SERVER, max_size=MESSAGE_BYTES)
        self._messages: deque[bytes] = deque()
        self._parts: list[bytes] = []
        self._ended = False

    async def receive(self) -> bytes | None:
        """The next message, text as its bytes; None when the client has closed or broken off."""
        while not self._messages:
            if self._ended:
                return None
            data = await self._connection.read()
            if data:
                self._protocol.receive_data(data)
            else:
                self._protocol.receive_eof()
            for event in self._protocol.events_received():
                if isinstance(event, Frame):
                    self._take(event)
            if not data or self._protocol.state is not OPEN:
                self._ended = True
            await self._flush()  # answers to pings and to the client's goodbye
        return self._messages.popleft()

    async def send(self, data: bytes, *, text: bool = False) -> None:
        """Send a message; waits while the client is slow; a client that has gone gets none."""
        if self._protocol.state is not OPEN:
            return
        if text:
            self._protocol.send_text(data)
        else:
            self._protocol.send_binary(data)
        await self._flush()

    async def keep_alive(self, clock: Clock) -> None:
        """Send pongs until the client has gone.

        Clients give up after 60 s without one, and while a command does not read its input nobody
        receives their pings, nor sees that they have gone.
        """
        while True:
            await clock.sleep(PONG_S)
            if self._protocol.state is OPEN:
                self._protocol.send_pong(b"")
                if not await self._flush():
                    return

    async def close(self) -> None:
        """Say goodbye, hear the client's, and close the connection."""
        if self._protocol.state is OPEN:
            self._protocol.send_close(NORMAL)
            await self._flush()
            # Closing under bytes that nobody read would take back what the client has not read.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(GOODBYE_S):
                    await self._hear_goodbye()
        await self._connection.close()

    async def _hear_goodbye(self) -> None:
        while self._protocol.close_rcvd is None and (data := await self._connection.read()):
            self._protocol.receive_data(data)
            self._protocol.events_received()

    def _take(self, frame: Frame) -> None:
        if frame.opcode is Opcode.CLOSE:
            self._ended = True
        elif frame.opcode in {Opcode.TEXT, Opcode.BINARY, Opcode.CONT}:
            self._parts.append(bytes(frame.data))
            if frame.fin:
                self._messages.append(b"".join(self._parts))
                self._parts.clear()

    async def _flush(self) -> bool:
        data = b"".join(self._protocol.data_to_send())
        return not data or await self._connection.write(data)
