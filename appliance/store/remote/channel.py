"""One connection to one etcd member: gRPC calls over the client's half of HTTP/2.

Made by `endpoints.py`, used by `rpc.py`. What many calls send in one turn of the event loop goes
out in one write. A member that answers no ping while calls wait for it is given up: that is how a
host that has lost its power is noticed.

Source: gRPC's PROTOCOL-HTTP2.md.
"""

import asyncio
from collections import deque
from typing import Self
from urllib.parse import unquote

from typing_extensions import override

from appliance.store.remote.http2 import (
    ClientConnection,
    Data,
    Event,
    Gone,
    Headers,
    Leaving,
    Pong,
)
from appliance.store.serve import hpack
from appliance.store.serve.frames import ConnectionFault
from appliance.store.serve.framing import Assembler, framed
from appliance.store.serve.status import Refused, Status

_PING_S = 6.0  # etcd closes connections that ping more often than every 5 s
_MAX_ANSWER_BYTES = 256 << 20


class Lost(Exception):
    """The connection ended under a call; `untouched`: the member has not looked at it."""

    def __init__(self, why: str, *, untouched: bool = False) -> None:
        super().__init__(why)
        self.untouched = untouched


class Channel(asyncio.Protocol):
    """One connection; `lost` says when it is of no use any more."""

    def __init__(self, authority: str, scheme: str) -> None:
        self.authority = authority
        self.lost = asyncio.Event()
        self._pseudo = hpack.encode(
            [
                (b":method", b"POST"),
                (b":scheme", scheme.encode()),
                (b":authority", authority.encode()),
            ]
        )
        self._head = hpack.encode(
            [
                (b"content-type", b"application/grpc"),
                (b"te", b"trailers"),
                (b"user-agent", b"appliance"),
                # A member that has no leader ends our watches, so that we look for another.
                (b"hasleader", b"true"),
            ]
        )
        self._http2 = ClientConnection()
        self._calls: dict[int, Call] = {}
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._flushing = False
        self._timer: asyncio.TimerHandle | None = None
        self._heard = True

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]  # a stream's transport
        self._timer = self._loop.call_later(_PING_S, self._keep_alive)
        self.flush()

    @override
    def data_received(self, data: bytes) -> None:
        self._heard = True
        try:
            events = self._http2.receive(data)
        except ConnectionFault as fault:
            self.abort(f"{self.authority} broke HTTP/2: {fault}")
            return
        for event in events:
            self._act(event)
        self.flush()

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        self._end(str(exc) if exc else "connection closed")

    def abort(self, why: str) -> None:
        """Give the connection up."""
        if self._transport is not None:
            self._transport.abort()
        self._end(why)

    def call(self, path: str) -> "Call":
        """Begin a call.

        Raises:
            Lost: the connection has ended, or has no room for another call.
        """
        if self.lost.is_set():
            raise Lost("connection closed", untouched=True)
        if self._http2.open_streams >= self._http2.max_streams:
            raise Lost(f"{self.authority} takes no more calls at once", untouched=True)
        block = self._pseudo + hpack.literal(b":path", path.encode()) + self._head
        call = Call(self, self._http2.open(block))
        self._calls[call.stream_id] = call
        return call

    def send(self, call: "Call", message: bytes, *, end: bool) -> None:
        """Send a message of a call."""
        self._http2.send(call.stream_id, framed(message), end=end)
        self._flush_soon()

    def used(self, call: "Call", size: int) -> None:
        """A message has been taken."""
        self._http2.used(call.stream_id, size)
        self._flush_soon()

    def forget(self, call: "Call") -> None:
        """The call is of no interest any more."""
        if self._calls.pop(call.stream_id, None) is not None:
            self._http2.reset(call.stream_id)
            self._flush_soon()

    def flush(self) -> None:
        """Write what there is."""
        self._flushing = False
        out = self._http2.take()
        if out and self._transport is not None:
            self._transport.write(out)

    def _flush_soon(self) -> None:
        if not self._flushing:
            self._flushing = True
            self._loop.call_soon(self.flush)

    def _keep_alive(self) -> None:
        if not self._heard:
            self.abort(f"{self.authority} does not answer")
            return
        if self._calls:
            self._heard = False
            self._http2.ping()
            self.flush()
        self._timer = self._loop.call_later(_PING_S, self._keep_alive)

    def _end(self, why: str) -> None:
        self.lost.set()
        self._transport = None
        if self._timer is not None:
            self._timer.cancel()
        calls, self._calls = self._calls, {}
        for call in calls.values():
            call.break_off(Lost(why))

    def _act(self, event: Event) -> None:
        if isinstance(event, Pong):
            return
        if isinstance(event, Leaving):
            self.lost.set()  # calls that are open may still end well
            return
        call = self._calls.get(event.stream_id)
        if call is None:
            return
        if isinstance(event, Gone):
            del self._calls[event.stream_id]
            call.break_off(Lost(f"stream reset ({event.code})", untouched=event.untouched))
            return
        if event.ended:
            del self._calls[event.stream_id]
        if isinstance(event, Headers):
            call.headers(event)
        elif isinstance(event, Data):
            call.data(event)


class Call:
    """One call: send requests, iterate for answers. Iteration ends well, or raises.

    Raises (from iteration):
        Refused: the member answered with this status.
        Lost: the connection ended.
    """

    def __init__(self, channel: Channel, stream_id: int) -> None:
        self.stream_id = stream_id
        self._channel = channel
        self._assembler = Assembler(_MAX_ANSWER_BYTES)
        self._messages: deque[bytes] = deque()
        self._end: Exception | None = None
        self._wake: asyncio.Future[None] | None = None

    def send(self, message: bytes, *, end: bool = False) -> None:
        """Send a request."""
        self._channel.send(self, message, end=end)

    def close(self) -> None:
        """Give it up; safe to call twice."""
        self._channel.forget(self)
        self.break_off(StopAsyncIteration())

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        while not self._messages:
            if self._end is not None:
                raise self._end
            self._wake = asyncio.get_running_loop().create_future()
            await self._wake
        message = self._messages.popleft()
        self._channel.used(self, len(message))
        return message

    def headers(self, event: Headers) -> None:
        """Headers or trailers have come."""
        fields = dict(event.headers)
        if event.ended:
            status = int(fields.get(b"grpc-status", b"2"))
            text = unquote(fields.get(b"grpc-message", b"").decode("latin-1"))
            self.break_off(Refused(_status(status), text) if status else StopAsyncIteration())
        elif fields.get(b":status") != b"200":
            self._channel.forget(self)
            self.break_off(Refused(Status.UNAVAILABLE, f"HTTP status {fields.get(b':status')!r}"))

    def data(self, event: Data) -> None:
        """Bytes have come."""
        try:
            self._messages.extend(self._assembler.feed(event.data))
        except Refused as refused:
            self._channel.forget(self)
            self.break_off(refused)
        if event.ended:
            self.break_off(Lost("an answer without a status"))
        self._rouse()

    def break_off(self, end: Exception) -> None:
        """Nothing else will come."""
        if self._end is None:
            self._end = end
        self._rouse()

    def _rouse(self) -> None:
        if self._wake is not None and not self._wake.done():
            self._wake.set_result(None)


def _status(code: int) -> Status:
    try:
        return Status(code)
    except ValueError:
        return Status.UNKNOWN
