"""The server's half of HTTP/2, without a socket: bytes in, events out, and bytes to send.

`transport.py` owns one `Connection` per socket: it gives what arrives to `receive`, acts on the
events and writes what `take` returns. What is to be sent waits in `outflow.py` for the peer.

Bounds: streams open at once, header lists, our receive windows, and control answers that a peer
provokes without reading them. Whoever goes beyond gets GOAWAY.

Source: RFC 9113.
"""

import struct
from collections.abc import Callable
from dataclasses import dataclass

from appliance.store.serve import frames, hpack
from appliance.store.serve.frames import Code, ConnectionFault, frame
from appliance.store.serve.hpack import Header
from appliance.store.serve.http2_events import Data, Drained, Event, Opened, Reset
from appliance.store.serve.keepalive import PingLimit
from appliance.store.serve.outflow import Outflow, Outgoing

STREAM_WINDOW = 1 << 20
CONNECTION_WINDOW = 8 << 20
MAX_STREAMS = 4096
MAX_HEADER_BYTES = 16 << 10
_HEAD = struct.Struct(">BHBBI")
_MAX_UNREAD_CONTROL = 1 << 20
_MAX_RESETS = 1000  # streams that a client may open and reset while nothing is answered


@dataclass(slots=True)
class _Stream(Outgoing):
    room: int = STREAM_WINDOW
    """What we said we would take."""
    taken: int = 0
    """Bytes that were used and not yet given back as window."""
    remote_closed: bool = False


class Connection:
    """One connection's state."""

    def __init__(self, now: Callable[[], float], max_streams: int = MAX_STREAMS) -> None:
        self._max_streams = max_streams
        self._pings = PingLimit(now)
        self._outflow = Outflow()
        self._out = self._outflow.control
        self._in = b""
        self._preface_seen = False
        self._decoder = hpack.Decoder(MAX_HEADER_BYTES)
        self._streams: dict[int, _Stream] = {}
        self._last_stream_id = 0
        self._room = CONNECTION_WINDOW
        self._taken = 0
        self._block: tuple[int, int, bytearray] | None = None
        self._events: list[Event] = []
        self._resets = 0
        self._leaving = False
        self._out += frames.settings(
            {
                frames.MAX_CONCURRENT_STREAMS: max_streams,
                frames.INITIAL_WINDOW_SIZE: STREAM_WINDOW,
                frames.MAX_HEADER_LIST_SIZE: MAX_HEADER_BYTES,
            }
        )
        self._out += frames.window_update(0, CONNECTION_WINDOW - frames.DEFAULT_WINDOW)
        self._on_frame = {
            frames.DATA: self._data,
            frames.HEADERS: self._headers,
            frames.PRIORITY: self._priority,
            frames.RST_STREAM: self._rst_stream,
            frames.SETTINGS: self._settings,
            frames.PUSH_PROMISE: self._push_promise,
            frames.PING: self._ping,
            frames.WINDOW_UPDATE: self._window_update,
            frames.CONTINUATION: self._continuation,
        }

    @property
    def waiting_bytes(self) -> int:
        """What is queued because the peer does not read."""
        return self._outflow.waiting_bytes

    def receive(self, data: bytes) -> list[Event]:
        """Take bytes from the peer, give what they mean.

        Raises:
            ConnectionFault: send what `take` returns and close.
        """
        try:
            self._parse(self._in + data if self._in else data)
        except ConnectionFault as fault:
            self._out += frames.goaway(self._last_stream_id, fault.code, str(fault))
            raise
        return self.collect()

    def take(self) -> bytes:
        """What is to be sent."""
        out = bytes(self._out)
        self._out.clear()
        return out

    def pause(self) -> None:
        """The socket is full: only control frames are made until `resume`."""
        self._outflow.writable = False

    def resume(self) -> list[Event]:
        """The socket takes bytes again."""
        self._outflow.writable = True
        self._outflow.flush()
        return self.collect()

    def collect(self) -> list[Event]:
        """What has happened since the last look; sending can make a writer's wait end, too."""
        self._settle()
        events, self._events = self._events, []
        return events

    def send_headers(self, stream_id: int, block: bytes, *, end: bool = False) -> None:
        """Begin the answer (or, with `end`, make the whole of it)."""
        stream = self._streams.get(stream_id)
        if stream is None:
            return
        self._pings.forgive()
        if end:
            self._outflow.end(stream, block)
            self._settle()
        else:
            self._out += frame(frames.HEADERS, frames.END_HEADERS, stream_id, block)

    def answer(self, stream_id: int, head: bytes, data: bytes, trailers: bytes) -> None:
        """The whole answer at once."""
        stream = self._streams.get(stream_id)
        if stream is not None:
            self._pings.forgive()
            self._outflow.answer(stream, head, data, trailers)
            self._settle()

    def send_data(self, stream_id: int, data: bytes) -> int:
        """Queue bytes; returns how many wait for the peer."""
        stream = self._streams.get(stream_id)
        if stream is None:
            return 0
        self._pings.forgive()
        self._outflow.queue(stream, data)
        return stream.queued_bytes

    def send_trailers(self, stream_id: int, block: bytes) -> None:
        """End the answer after what is queued."""
        self.send_headers(stream_id, block, end=True)

    def await_drained(self, stream_id: int) -> bool:
        """Ask for `Drained`; False if there is nothing to wait for."""
        stream = self._streams.get(stream_id)
        if stream is None or not stream.queued_bytes:
            return False
        stream.awaited = True
        return True

    def reset(self, stream_id: int, code: Code) -> None:
        """Give a stream up."""
        if stream_id in self._streams:
            self._out += frames.rst_stream(stream_id, code)
            self._forget(stream_id)

    def used(self, stream_id: int, size: int) -> None:
        """The application has used `size` bytes of a stream: let the peer send as many more."""
        stream = self._streams.get(stream_id)
        if stream is None or stream.remote_closed:
            return
        stream.taken += size
        if stream.taken >= STREAM_WINDOW // 2:
            self._out += frames.window_update(stream_id, stream.taken)
            stream.room += stream.taken
            stream.taken = 0

    def ping(self) -> None:
        """Ask whether the peer is there; any answer will do."""
        self._out += frame(frames.PING, 0, 0, bytes(8))

    def leave(self) -> None:
        """Take no further streams; those that are open go on."""
        if not self._leaving:
            self._leaving = True
            self._out += frames.goaway(self._last_stream_id, Code.NO_ERROR)

    # Reading

    def _parse(self, data: bytes) -> None:
        place = 0
        if not self._preface_seen:
            if not frames.PREFACE.startswith(data[: len(frames.PREFACE)]):
                raise ConnectionFault(Code.PROTOCOL_ERROR, "not an HTTP/2 preface")
            if len(data) < len(frames.PREFACE):
                self._in = data
                return
            self._preface_seen = True
            place = len(frames.PREFACE)
        end = len(data)
        while end - place >= frames.HEAD:
            high, low, kind, flags, stream_id = _HEAD.unpack_from(data, place)
            size = high << 16 | low
            if size > frames.MIN_FRAME_BYTES:
                raise ConnectionFault(Code.FRAME_SIZE_ERROR, "frame too large")
            start, place = place, place + frames.HEAD + size
            if place > end:
                place = start
                break
            payload = data[start + frames.HEAD : place]
            self._one(kind, flags, stream_id & frames.MAX_WINDOW, payload)
        self._in = data[place:]

    def _one(self, kind: int, flags: int, stream_id: int, payload: bytes) -> None:
        if self._block is not None and kind != frames.CONTINUATION:
            raise ConnectionFault(Code.PROTOCOL_ERROR, "a frame inside a header block")
        act = self._on_frame.get(kind)
        if act is not None:
            act(flags, stream_id, payload)
        if not self._outflow.writable and len(self._out) > _MAX_UNREAD_CONTROL:
            raise ConnectionFault(Code.ENHANCE_YOUR_CALM, "answers are not read")

    def _data(self, flags: int, stream_id: int, payload: bytes) -> None:
        size = len(payload)
        self._room -= size
        if self._room < 0:
            raise ConnectionFault(Code.FLOW_CONTROL_ERROR, "beyond the connection's window")
        self._taken += size
        if self._taken >= CONNECTION_WINDOW // 2:
            self._out += frames.window_update(0, self._taken)
            self._room += self._taken
            self._taken = 0
        stream = self._streams.get(stream_id)
        if stream is None:
            self._check_known(stream_id)
            return  # of a stream that we have ended; the peer may not know yet
        if stream.remote_closed:
            raise ConnectionFault(Code.STREAM_CLOSED, "data after the end")
        stream.room -= size
        if stream.room < 0:
            raise ConnectionFault(Code.FLOW_CONTROL_ERROR, "beyond the stream's window")
        data = frames.unpadded(flags, payload)
        self.used(stream_id, size - len(data))
        ended = bool(flags & frames.END_STREAM)
        stream.remote_closed = ended
        self._events.append(Data(stream_id, data, ended))

    def _headers(self, flags: int, stream_id: int, payload: bytes) -> None:
        if not stream_id & 1:
            raise ConnectionFault(Code.PROTOCOL_ERROR, "clients open odd streams")
        payload = frames.fragment(flags, payload)
        if flags & frames.END_HEADERS:
            self._block_done(flags, stream_id, payload)
        else:
            self._block = (flags, stream_id, bytearray(payload))

    def _continuation(self, flags: int, stream_id: int, payload: bytes) -> None:
        if self._block is None or self._block[1] != stream_id:
            raise ConnectionFault(Code.PROTOCOL_ERROR, "continues no header block")
        first_flags, _, block = self._block
        block += payload
        # Nor may there be endless empty pieces.
        if len(block) + frames.HEAD > MAX_HEADER_BYTES or not payload:
            raise ConnectionFault(Code.ENHANCE_YOUR_CALM, "header list too large")
        if flags & frames.END_HEADERS:
            self._block = None
            self._block_done(first_flags, stream_id, bytes(block))

    def _block_done(self, flags: int, stream_id: int, block: bytes) -> None:
        try:
            headers = self._decoder.decode(block)
        except hpack.HeadersTooLarge as error:
            raise ConnectionFault(Code.ENHANCE_YOUR_CALM, str(error)) from error
        except hpack.HpackError as error:
            raise ConnectionFault(Code.COMPRESSION_ERROR, str(error)) from error
        ended = bool(flags & frames.END_STREAM)
        stream = self._streams.get(stream_id)
        if stream is not None:
            if stream.remote_closed or not ended:
                raise ConnectionFault(Code.PROTOCOL_ERROR, "headers in mid-stream")
            stream.remote_closed = True
            self._events.append(Data(stream_id, b"", ended))
        elif stream_id > self._last_stream_id:
            self._open(stream_id, headers, ended=ended)

    def _open(self, stream_id: int, headers: tuple[Header, ...], *, ended: bool) -> None:
        if self._leaving:
            return  # told in GOAWAY: the client tries elsewhere
        self._last_stream_id = stream_id
        if len(self._streams) >= self._max_streams:
            self._out += frames.rst_stream(stream_id, Code.REFUSED_STREAM)
            return
        window = self._outflow.stream_window
        self._streams[stream_id] = _Stream(stream_id, window, remote_closed=ended)
        self._events.append(Opened(stream_id, headers, ended))

    def _priority(self, flags: int, stream_id: int, payload: bytes) -> None:
        del flags, stream_id
        if len(payload) != 5:
            raise ConnectionFault(Code.FRAME_SIZE_ERROR, "a priority has 5 bytes")

    def _push_promise(self, flags: int, stream_id: int, payload: bytes) -> None:
        del flags, stream_id, payload
        raise ConnectionFault(Code.PROTOCOL_ERROR, "clients do not push")

    def _rst_stream(self, flags: int, stream_id: int, payload: bytes) -> None:
        del flags
        if len(payload) != 4:
            raise ConnectionFault(Code.FRAME_SIZE_ERROR, "a reset has 4 bytes")
        self._check_known(stream_id)
        if stream_id in self._streams:
            self._resets += 1
            if self._resets > _MAX_RESETS:
                raise ConnectionFault(Code.ENHANCE_YOUR_CALM, "too many resets")
            self._forget(stream_id)
            self._events.append(Reset(stream_id))

    def _settings(self, flags: int, stream_id: int, payload: bytes) -> None:
        if stream_id:
            raise ConnectionFault(Code.PROTOCOL_ERROR, "settings of a stream")
        if flags & frames.ACK:
            return
        if len(payload) % 6:
            raise ConnectionFault(Code.FRAME_SIZE_ERROR, "a setting has 6 bytes")
        for name, value in struct.iter_unpack(">HI", payload):
            if name == frames.INITIAL_WINDOW_SIZE:
                self._stream_windows(value)
            elif name == frames.MAX_FRAME_SIZE:
                if not frames.MIN_FRAME_BYTES <= value <= frames.MAX_FRAME_BYTES:
                    raise ConnectionFault(Code.PROTOCOL_ERROR, "frame size out of range")
                self._outflow.frame_bytes = value
        self._out += frame(frames.SETTINGS, frames.ACK, 0)
        self._outflow.flush()

    def _stream_windows(self, value: int) -> None:
        """The first window of streams changes, for those already open by the difference."""
        if value > frames.MAX_WINDOW:
            raise ConnectionFault(Code.FLOW_CONTROL_ERROR, "window too large")
        change = value - self._outflow.stream_window
        self._outflow.stream_window = value
        for stream in self._streams.values():
            if not self._outflow.widen_stream(stream, change):
                raise ConnectionFault(Code.FLOW_CONTROL_ERROR, "window too large")

    def _ping(self, flags: int, stream_id: int, payload: bytes) -> None:
        if stream_id or len(payload) != 8:
            raise ConnectionFault(Code.FRAME_SIZE_ERROR, "a ping has 8 bytes")
        if not flags & frames.ACK:
            self._pings.check(active=bool(self._streams))
            self._out += frame(frames.PING, frames.ACK, 0, payload)

    def _window_update(self, flags: int, stream_id: int, payload: bytes) -> None:
        del flags
        if len(payload) != 4:
            raise ConnectionFault(Code.FRAME_SIZE_ERROR, "a window update has 4 bytes")
        size = int.from_bytes(payload, "big") & frames.MAX_WINDOW
        if not size:
            raise ConnectionFault(Code.PROTOCOL_ERROR, "a window update of 0")
        if stream_id == 0:
            self._outflow.widen(size)
            return
        self._check_known(stream_id)
        stream = self._streams.get(stream_id)
        if stream is not None:
            if self._outflow.widen_stream(stream, size):
                self._outflow.flush_stream(stream)
            else:
                self.reset(stream_id, Code.FLOW_CONTROL_ERROR)
                self._events.append(Reset(stream_id))

    def _check_known(self, stream_id: int) -> None:
        if stream_id == 0 or (stream_id > self._last_stream_id and not self._leaving):
            raise ConnectionFault(Code.PROTOCOL_ERROR, "a frame of no stream")

    def _settle(self) -> None:
        """Act on what the outflow has done."""
        outflow = self._outflow
        while outflow.drained:
            self._events.append(Drained(outflow.drained.pop()))
        while outflow.ended:
            stream_id = outflow.ended.pop()
            stream = self._streams.get(stream_id)
            self._resets = 0
            if stream is not None and not stream.remote_closed:
                # Our side has ended: a peer that goes on sending is told to stop.
                self._out += frames.rst_stream(stream_id, Code.NO_ERROR)
            self._forget(stream_id)

    def _forget(self, stream_id: int) -> None:
        stream = self._streams.pop(stream_id, None)
        if stream is not None:
            self._outflow.forget(stream)
