"""What an HTTP/2 connection still has to send, and what of it the peer's windows let through.

`http2.Connection` owns one `Outflow`. Control frames go out at once; the bytes of a stream wait
for the stream's window, the connection's window and a socket that takes bytes, then its trailers
follow. Streams that wait are served in turn.

Source: RFC 9113, section 6.9.
"""

import struct
from collections import deque
from dataclasses import dataclass, field
from functools import lru_cache

from appliance.store.serve import frames
from appliance.store.serve.frames import Code, ConnectionFault, frame

_RESUME_BYTES = 64 << 10  # a writer that waits is woken when no more than this is queued


@dataclass(slots=True)
class Outgoing:
    """One stream's answer on its way."""

    stream_id: int
    window: int
    """What the peer will take."""
    queue: deque[memoryview] = field(default_factory=deque)
    queued_bytes: int = 0
    trailers: bytes | None = None
    awaited: bool = False
    """Somebody waits until little is queued."""


class Outflow:
    """Bytes for the socket, and those that may not go there yet."""

    def __init__(self) -> None:
        self.control = bytearray()
        """What is to be written next."""
        self.writable = True
        """False while the socket is full: only control frames are made then."""
        self.frame_bytes = frames.MIN_FRAME_BYTES
        self.stream_window = frames.DEFAULT_WINDOW
        self._window = frames.DEFAULT_WINDOW
        self._waiting: dict[int, Outgoing] = {}
        self.waiting_bytes = 0
        """Queued for all streams together."""
        self.drained: list[int] = []
        """Streams whose waiting writers may go on."""
        self.ended: list[int] = []
        """Streams whose trailers have been made."""

    def answer(self, stream: Outgoing, head: bytes, data: bytes, trailers: bytes) -> None:
        """Headers, one piece of data and the end: nearly every call, so in one step if it fits."""
        size, stream_id = len(data), stream.stream_id
        room = min(stream.window, self._window, self.frame_bytes)
        if size > room or stream.queue or not self.writable:
            self.control += frame(frames.HEADERS, frames.END_HEADERS, stream_id, head)
            self.queue(stream, data)
            self.end(stream, trailers)
            return
        stream.window -= size
        self._window -= size
        on_stream = stream_id.to_bytes(4, "big")
        self.control += b"".join(
            (
                _headers_start(head, frames.END_HEADERS),
                on_stream,
                head,
                size.to_bytes(3, "big"),
                b"\0\0",  # DATA, no flags
                on_stream,
                data,
                _headers_start(trailers, frames.END_HEADERS | frames.END_STREAM),
                on_stream,
                trailers,
            )
        )
        self.ended.append(stream_id)

    def queue(self, stream: Outgoing, data: bytes) -> None:
        """Add bytes to a stream's answer."""
        size = len(data)
        room = min(stream.window, self._window, self.frame_bytes)
        if size <= room and not stream.queue and self.writable:
            self.control += b"%b\0\0%b%b" % (
                size.to_bytes(3, "big"),
                stream.stream_id.to_bytes(4, "big"),
                data,
            )
            stream.window -= size
            self._window -= size
            return
        stream.queue.append(memoryview(data))
        stream.queued_bytes += len(data)
        self.waiting_bytes += len(data)
        self.flush_stream(stream)

    def end(self, stream: Outgoing, trailers: bytes) -> None:
        """End a stream's answer after what is queued."""
        stream.trailers = trailers
        self.flush_stream(stream)

    def forget(self, stream: Outgoing) -> None:
        """The stream is over."""
        self._waiting.pop(stream.stream_id, None)
        self.waiting_bytes -= stream.queued_bytes
        stream.queue.clear()
        stream.queued_bytes = 0

    def widen(self, size: int) -> None:
        """The peer takes `size` more bytes on all streams together.

        Raises:
            ConnectionFault: more than a window can be.
        """
        self._window += size
        if self._window > frames.MAX_WINDOW:
            raise ConnectionFault(Code.FLOW_CONTROL_ERROR, "window too large")
        self.flush()

    def widen_stream(self, stream: Outgoing, size: int) -> bool:
        """The peer takes `size` more bytes (or fewer) of a stream; False: more than can be."""
        stream.window += size
        return stream.window <= frames.MAX_WINDOW

    def flush(self) -> None:
        """Make frames of all that may go."""
        for stream in list(self._waiting.values()):
            self.flush_stream(stream)

    def flush_stream(self, stream: Outgoing) -> None:
        """Make frames of what may go of one stream."""
        while stream.queue and self.writable:
            data = stream.queue[0]
            size = min(len(data), stream.window, self._window, self.frame_bytes)
            if size <= 0 and len(data):
                break
            self.control += struct.pack(
                ">BHBBI", size >> 16, size & 0xFFFF, frames.DATA, 0, stream.stream_id
            )
            self.control += data[:size]
            stream.window -= size
            self._window -= size
            stream.queued_bytes -= size
            self.waiting_bytes -= size
            if size == len(data):
                stream.queue.popleft()
            else:
                stream.queue[0] = data[size:]
        if stream.awaited and stream.queued_bytes <= _RESUME_BYTES:
            stream.awaited = False
            self.drained.append(stream.stream_id)
        if stream.queue:
            # Put behind the others that wait: each gets its turn.
            self._waiting.pop(stream.stream_id, None)
            self._waiting[stream.stream_id] = stream
            return
        self._waiting.pop(stream.stream_id, None)
        if stream.trailers is not None:
            flags = frames.END_HEADERS | frames.END_STREAM
            self.control += frame(frames.HEADERS, flags, stream.stream_id, stream.trailers)
            stream.trailers = None
            self.ended.append(stream.stream_id)


@lru_cache(maxsize=64)
def _headers_start(block: bytes, flags: int) -> bytes:
    """What stands before the stream's number: the same for the few blocks that all answers have."""
    return frame(frames.HEADERS, flags, 0, block)[:5]
