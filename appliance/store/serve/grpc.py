"""gRPC on one socket: HTTP/2 streams become calls of the methods in a table.

`server.py` makes one `GrpcConnection` per socket that begins with HTTP/2's preface. What many
calls answer in one turn of the event loop goes out in one write.

Bounds: a message's size, the bytes of unfinished messages on one connection, requests that wait
to be read from a stream (its window), answers queued for a stream (the sender waits).

Source: gRPC's PROTOCOL-HTTP2.md.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import structlog
from typing_extensions import override

from appliance.kit.tasks import Tasks
from appliance.store.errors import Closed
from appliance.store.serve import hpack
from appliance.store.serve.call import OK, Call
from appliance.store.serve.calls import Caller, Method, Methods, Streaming, Unary
from appliance.store.serve.frames import Code, ConnectionFault
from appliance.store.serve.framing import framed, timeout_s
from appliance.store.serve.hpack import Header
from appliance.store.serve.http2 import Connection
from appliance.store.serve.http2_events import Data, Drained, Event, Opened, Reset
from appliance.store.serve.keepalive import Heartbeat
from appliance.store.serve.limits import Limits
from appliance.store.serve.status import Refused, Status, refusal, trailers
from appliance.store.serve.tally import Tallies, Tally

log = structlog.get_logger(__name__)

_HEAD = b"\x88" + hpack.literal(b"content-type", b"application/grpc")
_NOT_GRPC = hpack.literal(b":status", b"415")
_WAIT_BYTES = 256 << 10
"""A stream's sender waits when more than this is queued for it."""
_KEPT_ROUTES = 32
_MAX_UNFINISHED_BYTES = 64 << 20
_MAX_WAITING_BYTES = 16 << 20
"""Unary calls of a connection wait while more than this is not read of earlier answers."""


@dataclass(frozen=True, slots=True)
class GrpcOptions:
    """What the connections of one server share."""

    methods: Methods
    tasks: Tasks
    tallies: Tallies = field(default_factory=Tallies)
    limits: Limits = field(default_factory=Limits)


class _Route(NamedTuple):
    """What headers ask for: a method, or why there is none."""

    method: Method | None
    caller: Caller
    timeout: bytes | None
    refusal: bytes
    tally: Tally


class GrpcConnection(asyncio.Protocol):
    """One client."""

    def __init__(
        self, options: GrpcOptions, gone: Callable[["GrpcConnection"], None] = lambda _: None
    ) -> None:
        self._options = options
        self._gone = gone
        self._calls: dict[int, Call] = {}
        self._routes: dict[tuple[Header, ...], _Route] = {}
        self._loop = asyncio.get_running_loop()
        self._http2 = Connection(self._loop.time, options.limits.max_streams)
        self._heartbeat = Heartbeat(self._ping, self._vanished)
        self._transport: asyncio.Transport | None = None
        self._flushing = False
        self._peer = ""
        self._common_name = ""
        self._unfinished = 0
        self._held_back: list[asyncio.Future[None]] = []

    # The socket's side

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]  # a stream's transport
        peer = transport.get_extra_info("peername")
        self._peer = str(peer[0]) if isinstance(peer, tuple) else ""
        self._common_name = _common_name(transport.get_extra_info("peercert"))
        self.flush()

    @override
    def data_received(self, data: bytes) -> None:
        self._heartbeat.heard = True
        self._options.tallies.received_bytes += len(data)
        try:
            events = self._http2.receive(data)
        except ConnectionFault as fault:
            self._break_off(fault)
            return
        for event in events:
            self._act(event)
        self.flush()

    @override
    def pause_writing(self) -> None:
        self._http2.pause()

    @override
    def resume_writing(self) -> None:
        for event in self._http2.resume():
            self._act(event)
        self.flush()

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._heartbeat.stop()
        for call in list(self._calls.values()):
            call.abandon()
        self._calls.clear()
        self._gone(self)

    def stop(self) -> None:
        """End all calls so that clients try again elsewhere or later, then close.

        etcd ends watches with Canceled here; Unavailable lets clients resume them by themselves.
        """
        for call in list(self._calls.values()):
            call.fail(refusal(Closed()))
        self._http2.leave()
        self.flush()
        if self._transport is not None:
            self._transport.close()

    def flush(self) -> None:
        """Write what there is."""
        self._flushing = False
        if self._held_back and self._http2.waiting_bytes <= _MAX_WAITING_BYTES:
            held_back, self._held_back = self._held_back, []
            for waiting in held_back:
                if not waiting.done():
                    waiting.set_result(None)
        out = self._http2.take()
        if out and self._transport is not None:
            self._options.tallies.sent_bytes += len(out)
            self._transport.write(out)

    def flush_soon(self) -> None:
        """Write at the end of this turn of the loop, together with what others add."""
        if not self._flushing:
            self._flushing = True
            self._loop.call_soon(self.flush)

    def _ping(self) -> None:
        self._http2.ping()
        self.flush()

    def _vanished(self) -> None:
        """Nobody answers: what is queued can go nowhere."""
        if self._transport is not None:
            self._transport.abort()

    def _break_off(self, fault: ConnectionFault) -> None:
        log.info("client broke HTTP/2", peer=self._peer, why=str(fault), code=fault.code.name)
        self.flush()
        if self._transport is not None:
            self._transport.close()

    # The streams' side

    def _act(self, event: Event) -> None:
        if isinstance(event, Opened):
            self._open(event)
            return
        call = self._calls.get(event.stream_id)
        if isinstance(event, Data):
            if call is None:
                self._http2.used(event.stream_id, len(event.data))
            else:
                self._feed(call, event)
        elif call is not None and isinstance(event, Reset):
            self.forget(call)
            call.abandon()
        elif call is not None and isinstance(event, Drained):
            call.drained()

    def _open(self, event: Opened) -> None:
        # The same headers, read once, come with nearly every call of a client.
        route = self._routes.get(event.headers) or self._route(event.headers)
        stream_id, method, caller = event.stream_id, route.method, route.caller
        if method is None:
            self._http2.send_headers(stream_id, route.refusal, end=True)
            return
        call = Call(self, stream_id, method, caller)
        call.tally = route.tally
        route.tally.started += 1
        self._calls[stream_id] = call
        if route.timeout is not None:
            limit_s = timeout_s(route.timeout)
            if limit_s is None:
                call.fail(Refused(Status.INTERNAL, "malformed grpc-timeout"))
                return
            call.timer = self._loop.call_later(limit_s, call.expire)
        if isinstance(method, Streaming):
            call.start(self._options.tasks, lambda: method.handle(call))
        if event.ended:
            self._feed(call, Data(stream_id, b"", ended=True))

    def _route(self, headers: tuple[Header, ...]) -> "_Route":
        fields = dict(headers)
        path = fields.get(b":path", b"").decode("latin-1")
        method = self._options.methods.get(path)
        refusal = b""
        if not fields.get(b"content-type", b"").startswith(b"application/grpc"):
            method, refusal = None, _NOT_GRPC
        elif method is None:
            refusal = _HEAD + trailers(Status.UNIMPLEMENTED, self._unknown(path))
        caller = Caller(self._peer, fields, self._common_name)
        tally = self._options.tallies.of(path) if method is not None else Tally()
        route = _Route(method, caller, fields.get(b"grpc-timeout"), refusal, tally)
        if len(self._routes) < _KEPT_ROUTES:
            self._routes[headers] = route
        return route

    def _unknown(self, path: str) -> str:
        service, _, name = path.lstrip("/").rpartition("/")
        if any(known.startswith(f"/{service}/") for known in self._options.methods):
            return f"unknown method {name} for service {service}"
        return f"unknown service {service}"

    def _feed(self, call: Call, event: Data) -> None:
        before = call.assembler.pending_bytes
        try:
            messages = call.assembler.feed(event.data)
        except Refused as refused:
            call.fail(refused)
            return
        self._unfinished += call.assembler.pending_bytes - before
        if self._unfinished > _MAX_UNFINISHED_BYTES:
            self._break_off(ConnectionFault(Code.ENHANCE_YOUR_CALM, "too many large requests"))
            return
        # The messages of a stream are paid for when they are read.
        held = sum(len(message) for message in messages) if call.streams else 0
        self._http2.used(event.stream_id, max(0, len(event.data) - held))
        call.take(messages, ended=event.ended)

    def used(self, call: Call, size: int) -> None:
        """A stream's reader has taken a message."""
        self._http2.used(call.stream_id, size)
        self.flush_soon()

    def begin(self, call: Call) -> None:
        """Send the answer's headers."""
        self._http2.send_headers(call.stream_id, _HEAD)

    def send(self, call: Call, data: bytes) -> bool:
        """Send a message; True: too much is queued, wait for `drained`."""
        queued = self._http2.send_data(call.stream_id, framed(data))
        self.flush_soon()
        return queued > _WAIT_BYTES and self._http2.await_drained(call.stream_id)

    async def room(self) -> None:
        """Return when the client has read enough of earlier answers."""
        while self._http2.waiting_bytes > _MAX_WAITING_BYTES:
            waiting = self._loop.create_future()
            self._held_back.append(waiting)
            await waiting

    def answer(self, call: Call, data: bytes) -> None:
        """Answer a unary call."""
        self.forget(call)
        self._http2.answer(call.stream_id, _HEAD, framed(data), OK)
        self.flush_soon()

    def end(self, call: Call, block: bytes, *, begun: bool) -> None:
        """Send the status."""
        self.forget(call)
        self._http2.send_headers(call.stream_id, block if begun else _HEAD + block, end=True)
        self.flush_soon()

    def forget(self, call: Call) -> None:
        """The call is over."""
        if self._calls.pop(call.stream_id, None) is not None:
            self._unfinished -= call.assembler.pending_bytes

    def run(self, call: Call, method: Unary, data: bytes) -> None:
        """Run a unary call."""
        at_once = method.at_once
        if (
            at_once is not None
            and self._http2.waiting_bytes <= _MAX_WAITING_BYTES
            and call.attempt(at_once, data)
        ):
            return
        call.start(self._options.tasks, lambda: call.unary(method, data))

    @property
    def max_message_bytes(self) -> int:
        """The largest request."""
        return self._options.limits.max_message_bytes


def _common_name(certificate: Mapping[str, Any] | None) -> str:
    """The name in a client's certificate, which has been verified."""
    for part in (certificate or {}).get("subject", ()):
        for name, value in part:
            if name == "commonName":
                return str(value)
    return ""
