"""The client's half of HTTP/2, without a socket: bytes in, events out, and bytes to send.

`channel.py` owns one `ClientConnection` per socket. Frames, header coding and error codes are
those of the server's half (`store/serve`).

Bounds: what we let a server send beyond what was used (windows), header lists. What waits to be
sent is bounded by the calls that are open.

Source: RFC 9113.
"""

import struct
from collections import deque
from dataclasses import dataclass, field
from typing import NamedTuple

from appliance.store.serve import frames, hpack
from appliance.store.serve.frames import Code, ConnectionFault, frame
from appliance.store.serve.hpack import Header

STREAM_WINDOW = 4 << 20
CONNECTION_WINDOW = 32 << 20
_MAX_HEADER_BYTES = 16 << 10
_PING = b"appliance"[:8]


class Headers(NamedTuple):
    """Headers or trailers of an answer."""

    stream_id: int
    headers: tuple[Header, ...]
    ended: bool


class Data(NamedTuple):
    """Bytes of an answer."""

    stream_id: int
    data: bytes
    ended: bool


class Gone(NamedTuple):
    """The server ended a stream; `untouched`: it has not looked at the request."""

    stream_id: int
    code: int
    untouched: bool


class Leaving(NamedTuple):
    """The server takes no further streams."""


class Pong(NamedTuple):
    """Our ping was answered."""


Event = Headers | Data | Gone | Leaving | Pong


@dataclass(slots=True)
class _Stream:
    window: int
    queue: deque[memoryview] = field(default_factory=deque)
    closing: bool = False
    """The request ends with what is queued."""
    closed: bool = False
    taken: int = 0


class ClientConnection:
    """One connection's state."""

    def __init__(self) -> None:
        self._out = bytearray(frames.PREFACE)
        self._in = b""
        self._decoder = hpack.Decoder(_MAX_HEADER_BYTES)
        self._streams: dict[int, _Stream] = {}
        self._next_id = 1
        self._window = frames.DEFAULT_WINDOW
        self._stream_window = frames.DEFAULT_WINDOW
        self._frame_bytes = frames.MIN_FRAME_BYTES
        self._taken = 0
        self._block: tuple[int, int, bytearray] | None = None
        self._events: list[Event] = []
        self.max_streams = 100
        """How many streams the server takes at once (until it says: what the RFC advises)."""
        self._out += frames.settings(
            {frames.ENABLE_PUSH: 0, frames.INITIAL_WINDOW_SIZE: STREAM_WINDOW}
        )
        self._out += frames.window_update(0, CONNECTION_WINDOW - frames.DEFAULT_WINDOW)
        self._on_frame = {
            frames.DATA: self._data,
            frames.HEADERS: self._headers,
            frames.RST_STREAM: self._rst_stream,
            frames.SETTINGS: self._settings,
            frames.PING: self._pinged,
            frames.GOAWAY: self._goaway,
            frames.WINDOW_UPDATE: self._window_update,
            frames.CONTINUATION: self._continuation,
        }

    @property
    def open_streams(self) -> int:
        """How many there are."""
        return len(self._streams)

    def open(self, block: bytes) -> int:
        """Begin a request; returns its stream."""
        stream_id, self._next_id = self._next_id, self._next_id + 2
        self._streams[stream_id] = _Stream(self._stream_window)
        self._out += frame(frames.HEADERS, frames.END_HEADERS, stream_id, block)
        return stream_id

    def send(self, stream_id: int, data: bytes, *, end: bool = False) -> None:
        """Add bytes to a request; they leave when the server's windows let them."""
        stream = self._streams.get(stream_id)
        if stream is not None:
            stream.queue.append(memoryview(data))
            stream.closing = end
            self._flush(stream_id, stream)

    def reset(self, stream_id: int) -> None:
        """Give a stream up."""
        if self._streams.pop(stream_id, None) is not None:
            self._out += frames.rst_stream(stream_id, Code.CANCEL)

    def used(self, stream_id: int, size: int) -> None:
        """`size` bytes of an answer have been used: the server may send as many more."""
        stream = self._streams.get(stream_id)
        if stream is None:
            return
        stream.taken += size
        if stream.taken >= STREAM_WINDOW // 2:
            self._out += frames.window_update(stream_id, stream.taken)
            stream.taken = 0

    def ping(self) -> None:
        """Ask for a `Pong`."""
        self._out += frame(frames.PING, 0, 0, _PING)

    def take(self) -> bytes:
        """What is to be sent."""
        out = bytes(self._out)
        self._out.clear()
        return out

    def receive(self, data: bytes) -> list[Event]:
        """Take bytes from the server, give what they mean.

        Raises:
            ConnectionFault: the server broke the protocol; close.
        """
        data = self._in + data if self._in else data
        place, end = 0, len(data)
        while end - place >= frames.HEAD:
            size = data[place] << 16 | data[place + 1] << 8 | data[place + 2]
            if size > frames.MIN_FRAME_BYTES:
                raise ConnectionFault(Code.FRAME_SIZE_ERROR, "frame too large")
            after = place + frames.HEAD + size
            if after > end:
                break
            stream_id = int.from_bytes(data[place + 5 : place + 9], "big") & frames.MAX_WINDOW
            act = self._on_frame.get(data[place + 3])
            if act is not None:
                act(data[place + 4], stream_id, data[place + frames.HEAD : after])
            place = after
        self._in = data[place:]
        events, self._events = self._events, []
        return events

    def _data(self, flags: int, stream_id: int, payload: bytes) -> None:
        self._taken += len(payload)
        if self._taken >= CONNECTION_WINDOW // 2:
            self._out += frames.window_update(0, self._taken)
            self._taken = 0
        if stream_id not in self._streams:
            return  # we gave it up; the server may not know yet
        data = frames.unpadded(flags, payload)
        self.used(stream_id, len(payload) - len(data))
        ended = bool(flags & frames.END_STREAM)
        self._events.append(Data(stream_id, data, ended))
        if ended:
            self._over(stream_id)

    def _headers(self, flags: int, stream_id: int, payload: bytes) -> None:
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
        if len(block) > _MAX_HEADER_BYTES or not payload:
            raise ConnectionFault(Code.ENHANCE_YOUR_CALM, "header list too large")
        if flags & frames.END_HEADERS:
            self._block = None
            self._block_done(first_flags, stream_id, bytes(block))

    def _block_done(self, flags: int, stream_id: int, block: bytes) -> None:
        try:
            headers = self._decoder.decode(block)
        except hpack.HpackError as error:
            raise ConnectionFault(Code.COMPRESSION_ERROR, str(error)) from error
        if stream_id not in self._streams:
            return
        ended = bool(flags & frames.END_STREAM)
        self._events.append(Headers(stream_id, headers, ended))
        if ended:
            self._over(stream_id)

    def _over(self, stream_id: int) -> None:
        """The answer has ended; what is left of the request is of no interest any more."""
        stream = self._streams.pop(stream_id)
        if not stream.closed:
            self._out += frames.rst_stream(stream_id, Code.CANCEL)

    def _rst_stream(self, flags: int, stream_id: int, payload: bytes) -> None:
        del flags
        code = int.from_bytes(payload, "big")
        if self._streams.pop(stream_id, None) is not None:
            self._events.append(Gone(stream_id, code, code == Code.REFUSED_STREAM))

    def _settings(self, flags: int, stream_id: int, payload: bytes) -> None:
        del stream_id
        if flags & frames.ACK:
            return
        if len(payload) % 6:
            raise ConnectionFault(Code.FRAME_SIZE_ERROR, "a setting has 6 bytes")
        for name, value in struct.iter_unpack(">HI", payload):
            if name == frames.INITIAL_WINDOW_SIZE:
                change, self._stream_window = value - self._stream_window, value
                for stream in self._streams.values():
                    stream.window += change
            elif name == frames.MAX_FRAME_SIZE:
                self._frame_bytes = max(value, frames.MIN_FRAME_BYTES)
            elif name == frames.MAX_CONCURRENT_STREAMS:
                self.max_streams = value
        self._out += frame(frames.SETTINGS, frames.ACK, 0)
        self._flush_all()

    def _pinged(self, flags: int, stream_id: int, payload: bytes) -> None:
        del stream_id
        if flags & frames.ACK:
            self._events.append(Pong())
        else:
            self._out += frame(frames.PING, frames.ACK, 0, payload)

    def _goaway(self, flags: int, stream_id: int, payload: bytes) -> None:
        del flags, stream_id
        last = int.from_bytes(payload[:4], "big") & frames.MAX_WINDOW
        self._events.append(Leaving())
        for open_id in [open_id for open_id in self._streams if open_id > last]:
            del self._streams[open_id]
            self._events.append(Gone(open_id, Code.REFUSED_STREAM, untouched=True))

    def _window_update(self, flags: int, stream_id: int, payload: bytes) -> None:
        del flags
        size = int.from_bytes(payload, "big") & frames.MAX_WINDOW
        if not stream_id:
            self._window += size
            self._flush_all()
        elif (stream := self._streams.get(stream_id)) is not None:
            stream.window += size
            self._flush(stream_id, stream)

    def _flush_all(self) -> None:
        for stream_id, stream in self._streams.items():
            self._flush(stream_id, stream)

    def _flush(self, stream_id: int, stream: _Stream) -> None:
        """Make frames of what may go."""
        while stream.queue:
            data = stream.queue[0]
            size = min(len(data), stream.window, self._window, self._frame_bytes)
            if size <= 0 and len(data):
                return
            done = size == len(data)
            last = done and stream.closing and len(stream.queue) == 1
            flags = frames.END_STREAM if last else 0
            self._out += frame(frames.DATA, flags, stream_id, bytes(data[:size]))
            stream.window -= size
            self._window -= size
            stream.closed = last
            if done:
                stream.queue.popleft()
            else:
                stream.queue[0] = data[size:]
