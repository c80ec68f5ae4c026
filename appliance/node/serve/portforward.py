"""Forwarded ports: connections into a pod's network namespace, as clients open them.

Two ways to ask for them: SPDY streams in pairs (kubectl; one pair per connection, any port), and
plain WebSocket channels (other clients; one connection per port that the URL names). `endpoints`
calls `serve_spdy` or `serve_channels`, which return when the client has gone.
Bound: streams per client (`spdy_session`), ports per URL (channels are one byte), one read per
direction.

Source: kubernetes `pkg/kubelet/cri/streaming/portforward`.
"""

import asyncio
import os
import socket
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Sequence
from typing import Any, Protocol

import structlog

from appliance.kit.duplex import Duplex, connect_socket, first_of
from appliance.kit.netns import socket_inside
from appliance.kit.tasks import Tasks
from appliance.node.serve.spdy_session import SpdySession, Stream
from appliance.node.serve.websocket import WebSocket

log = structlog.get_logger(__name__)

CHANNEL_PORTS_MAX = 127  # two channels each, in one byte
_HALVES_MAX = 64  # error streams whose data stream has not come yet
_LOOPBACKS = ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1"))

Dial = Callable[[int], Awaitable[Duplex]]
"""Connect to a port in the pod; OSError says why not."""


async def dial_inside(pid: int, port: int) -> Duplex:
    """Connect to a port on the loopback of a process' network namespace.

    Raises:
        OSError: nobody listens there, or the process has ended.
    """
    first: OSError | None = None
    for family, address in _LOOPBACKS:
        try:
            return await connect_socket(await socket_inside(pid, family), (address, port))
        except OSError as error:
            first = first or error
    raise first or OSError("no loopback")


class Passage(Protocol):
    """The client's end of one forwarded connection."""

    async def read(self) -> bytes:
        """The client's next bytes; b"" at their end."""
        ...

    async def write(self, data: bytes) -> bool:
        """Send to the client; False: it wants no more."""
        ...

    async def finish(self, error: str) -> None:
        """All is said; `error` is empty or tells what went wrong."""
        ...


async def carry(passage: Passage, dial: Dial, port: int) -> None:
    """One connection, from dialling to its end; trouble is the client's to hear."""
    try:
        inside = await dial(port)
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else str(error)
        await passage.finish(f"error forwarding port {port} to pod: {reason}")
        return
    try:
        async with asyncio.TaskGroup() as group:
            inward = group.create_task(_inward(passage, inside), name=f"forward/{port}/in")
            while (data := await inside.read()) and await passage.write(data):
                pass
            inward.cancel()
        await passage.finish("")
    finally:
        await inside.close()


async def _inward(passage: Passage, inside: Duplex) -> None:
    while data := await passage.read():
        if not await inside.write(data):
            return
    inside.end_writing()


class StreamPair:
    """See `Passage`: kubectl's two SPDY streams."""

    def __init__(self, data: Stream, error: Stream) -> None:
        self._data = data
        self._error = error

    async def read(self) -> bytes:
        """See `Passage`."""
        return await self._data.read()

    async def write(self, data: bytes) -> bool:
        """See `Passage`."""
        return await self._data.write(data)

    async def finish(self, error: str) -> None:
        """See `Passage`."""
        if error:
            await self._error.write(error.encode())
        await self._data.close()
        await self._error.close()


async def serve_spdy(session: SpdySession, dial: Dial, tasks: Tasks) -> None:
    """Forward connections until the client goes."""
    halves: dict[str, Stream] = {}

    async def opened(stream: Stream) -> None:
        kind, request = stream.headers.get("streamtype"), stream.headers.get("requestid", "")
        port = stream.headers.get("port", "")
        fits = kind in {"data", "error"} and port.isdecimal() and 0 < int(port) < 65536
        if not fits or len(halves) >= _HALVES_MAX:
            await session.refuse(stream)
            return
        other = halves.pop(f"{request}/{port}", None)
        if other is None:
            halves[f"{request}/{port}"] = stream
            return
        data, error = (stream, other) if kind == "data" else (other, stream)
        log.debug("port forwarded", port=int(port))
        _ = tasks.spawn(f"port/{port}", carry(StreamPair(data, error), dial, int(port)))

    await session.run(opened)


class _ChannelPair:
    """See `Passage`: channels 2n and 2n+1 of a WebSocket."""

    def __init__(self, websocket: WebSocket, number: int) -> None:
        self._websocket = websocket
        self._number = number
        self._parts: asyncio.Queue[bytes] = asyncio.Queue(1)
        self._finished = False

    async def take(self, data: bytes) -> None:
        """The client sent this; waits until it has gone into the pod."""
        if data and not self._finished:
            await self._parts.put(data)

    async def read(self) -> bytes:
        """See `Passage`."""
        return await self._parts.get()

    async def write(self, data: bytes) -> bool:
        """See `Passage`."""
        await self._websocket.send(bytes([self._number * 2]) + data)
        return True  # when the client has gone, all of this is cancelled

    async def finish(self, error: str) -> None:
        """See `Passage`."""
        if error:
            await self._websocket.send(bytes([self._number * 2 + 1]) + error.encode())
        self._finished = True
        while not self._parts.empty():  # what comes now waits for nobody
            self._parts.get_nowait()


async def serve_channels(websocket: WebSocket, ports: Sequence[int], dial: Dial) -> None:
    """Forward one connection to each port until all have ended or the client goes."""
    pairs = [_ChannelPair(websocket, number) for number in range(len(ports))]
    for number, port in enumerate(ports):
        told = port.to_bytes(2, "little")
        await websocket.send(bytes([number * 2]) + told)
        await websocket.send(bytes([number * 2 + 1]) + told)
    carried = (carry(pair, dial, port) for pair, port in zip(pairs, ports, strict=True))
    await first_of(_hear(websocket, pairs), _all(carried))


async def _all(works: Iterable[Coroutine[Any, Any, None]]) -> None:
    await asyncio.gather(*works)


async def _hear(websocket: WebSocket, pairs: Sequence[_ChannelPair]) -> None:
    while (message := await websocket.receive()) is not None:
        if message and message[0] % 2 == 0 and message[0] // 2 < len(pairs):
            await pairs[message[0] // 2].take(message[1:])
