"""SPDY streams on a connection: raw, or inside the messages of a WebSocket.

`portforward` opens one session per client and gets each stream that the client opens. The client
has no flow control, so a stream that nobody reads holds up the whole session, as upstream's does.
Bound: `_PARTS` reads per stream and `STREAMS_MAX` streams; one write at a time.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Protocol

from appliance.kit.duplex import Duplex
from appliance.kit.spdy import (
    REFUSED_STREAM,
    Data,
    Event,
    FrameReader,
    FrameWriter,
    NotSpdy,
    Opened,
    Ping,
    Reset,
)
from appliance.node.serve.websocket import WebSocket

STREAMS_MAX = 1000  # a forwarded connection has two
_PARTS = 8


def switching_to_spdy(protocol: str) -> bytes:
    """The answer that opens a raw SPDY connection for the streams of `protocol`."""
    lines = [
        "HTTP/1.1 101 Switching Protocols",
        "Connection: Upgrade",
        "Upgrade: SPDY/3.1",
        f"X-Stream-Protocol-Version: {protocol}",
    ]
    return "\r\n".join([*lines, "", ""]).encode()


class Wire(Protocol):
    """What frames travel on."""

    async def receive(self) -> bytes | None:
        """Some bytes; None or nothing: the other side has gone."""
        ...

    async def send(self, data: bytes) -> None:
        """Send; waits while the other side is slow."""
        ...


class RawWire:
    """See `Wire`: a connection of its own."""

    def __init__(self, connection: Duplex) -> None:
        self._connection = connection

    async def receive(self) -> bytes | None:
        """See `Wire`."""
        return await self._connection.read()

    async def send(self, data: bytes) -> None:
        """See `Wire`."""
        await self._connection.write(data)


class TunnelWire:
    """See `Wire`: the messages of a WebSocket."""

    def __init__(self, socket: WebSocket) -> None:
        self._socket = socket

    async def receive(self) -> bytes | None:
        """See `Wire`."""
        message = await self._socket.receive()
        while message == b"":
            message = await self._socket.receive()
        return message

    async def send(self, data: bytes) -> None:
        """See `Wire`."""
        await self._socket.send(data)


class Stream:
    """One stream that the client opened; one reader, one writer."""

    def __init__(self, number: int, headers: Mapping[str, str], session: "SpdySession") -> None:
        self.number = number
        self.headers = headers
        self._session = session
        self._parts: asyncio.Queue[bytes] = asyncio.Queue(_PARTS)
        self._ended = False  # by the client
        self._closed = False  # by us

    async def read(self) -> bytes:
        """The next bytes; b"" when the client has ended or reset the stream, or gone."""
        if self._ended and self._parts.empty():
            return b""
        return await self._parts.get()

    async def write(self, data: bytes) -> bool:
        """Send; waits while the client is slow. False: the stream is closed or was reset."""
        if not self._closed:
            await self._session.say(FrameWriter.data(self.number, data))
        return not self._closed

    async def close(self) -> None:
        """Nothing more comes from us, and nothing more is read."""
        if not self._closed:
            self._closed = True
            await self._session.say(FrameWriter.data(self.number, b"", fin=True))
        self._session.forget(self)

    async def take(self, data: bytes, *, fin: bool) -> None:
        """The session hears something for us; waits while nobody reads."""
        if data and not self._ended:
            await self._parts.put(data)
        if fin:
            self.end()

    def end(self) -> None:
        """Let the reader know that nothing more comes."""
        if not self._ended:
            self._ended = True
            if not self._parts.full():  # a full queue's reader looks at `_ended` anyway
                self._parts.put_nowait(b"")

    def reset(self) -> None:
        """The client wants nothing more of us, and says nothing more."""
        self._closed = True
        self.end()

    def deafen(self) -> None:
        """Drop what nobody will read, so that the session goes on."""
        self._ended = True
        while not self._parts.empty():
            self._parts.get_nowait()


class SpdySession:
    """All streams of one client."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._reader = FrameReader()
        self._writer = FrameWriter()
        self._streams: dict[int, Stream] = {}

    async def run(self, opened: Callable[[Stream], Awaitable[None]]) -> None:
        """Hear the client until it goes; `opened` hears of each stream and must not wait long."""
        try:
            while data := await self._wire.receive():
                for event in self._reader.feed(data):
                    await self._hear(event, opened)
        except NotSpdy:
            return
        finally:
            for stream in list(self._streams.values()):
                stream.end()

    async def say(self, frame: bytes) -> None:
        """Send one frame."""
        await self._wire.send(frame)

    async def refuse(self, stream: Stream) -> None:
        """Have nothing to do with a stream."""
        await self.say(self._writer.reset(stream.number, REFUSED_STREAM))
        self.forget(stream)

    def forget(self, stream: Stream) -> None:
        """What comes for this stream is dropped from now on."""
        self._streams.pop(stream.number, None)
        stream.deafen()

    async def _hear(self, event: Event, opened: Callable[[Stream], Awaitable[None]]) -> None:
        if isinstance(event, Opened):
            await self._open(event, opened)
        elif isinstance(event, Data):
            if stream := self._streams.get(event.stream):
                await stream.take(event.data, fin=event.fin)
        elif isinstance(event, Reset):
            if stream := self._streams.pop(event.stream, None):
                stream.reset()
        elif isinstance(event, Ping):
            await self.say(self._writer.ping(event.number))

    async def _open(self, event: Opened, opened: Callable[[Stream], Awaitable[None]]) -> None:
        stream = Stream(event.stream, event.headers, self)
        if len(self._streams) >= STREAMS_MAX or event.stream in self._streams:
            await self.say(self._writer.reset(event.stream, REFUSED_STREAM))
            return
        self._streams[event.stream] = stream
        await self.say(self._writer.reply(event.stream))
        if event.fin:
            stream.end()
        await opened(stream)
