"""The client's half of HTTP/2 and gRPC for tests: writes what it is told to, reads all it gets."""

import struct
from collections import defaultdict
from typing import NamedTuple

from appliance.store.serve import frames, hpack
from appliance.store.serve.frames import frame
from appliance.store.serve.framing import Assembler, framed

HELLO = frames.PREFACE + frames.settings({})


class Frame(NamedTuple):
    kind: int
    flags: int
    stream_id: int
    payload: bytes


def split(data: bytes) -> tuple[list[Frame], bytes]:
    """Whole frames, and what is left."""
    found = []
    while len(data) >= 9:
        size = int.from_bytes(data[:3], "big")
        if len(data) < 9 + size:
            break
        kind, flags, stream_id = struct.unpack(">BBI", data[3:9])
        found.append(Frame(kind, flags, stream_id, data[9 : 9 + size]))
        data = data[9 + size :]
    return found, data


def request_headers(path: str, **more: str) -> bytes:
    fields = [
        (b":method", b"POST"),
        (b":scheme", b"http"),
        (b":path", path.encode()),
        (b"te", b"trailers"),
        (b"content-type", b"application/grpc"),
        *((name.replace("_", "-").encode(), value.encode()) for name, value in more.items()),
    ]
    return hpack.encode(fields)


def headers(stream_id: int, block: bytes, *, end: bool = False) -> bytes:
    flags = frames.END_HEADERS | (frames.END_STREAM if end else 0)
    return frame(frames.HEADERS, flags, stream_id, block)


def data(stream_id: int, payload: bytes, *, end: bool = False) -> bytes:
    return frame(frames.DATA, frames.END_STREAM if end else 0, stream_id, payload)


def call(stream_id: int, path: str, message: bytes, **more: str) -> bytes:
    """A whole unary call."""
    opened = headers(stream_id, request_headers(path, **more))
    return opened + data(stream_id, framed(message), end=True)


class Answers:
    """What a server has sent, by stream."""

    def __init__(self) -> None:
        self.frames: list[Frame] = []
        self.headers: dict[int, dict[bytes, bytes]] = defaultdict(dict)
        self.body: dict[int, bytearray] = defaultdict(bytearray)
        self.ended: set[int] = set()
        self.reset: dict[int, int] = {}
        self.goaway: int | None = None
        self._left = b""
        self._decoder = hpack.Decoder(1 << 20)

    def take(self, sent: bytes) -> list[Frame]:
        """Read what came; gives the new frames."""
        found, self._left = split(self._left + sent)
        for one in found:
            self._one(one)
        self.frames += found
        return found

    def messages(self, stream_id: int) -> list[bytes]:
        """The gRPC messages of a stream so far."""
        return Assembler(1 << 30).feed(bytes(self.body[stream_id]))

    def status(self, stream_id: int) -> tuple[int, str]:
        """Code and text at the end of a call."""
        assert stream_id in self.ended, "the call has not ended"
        fields = self.headers[stream_id]
        return int(fields[b"grpc-status"]), fields.get(b"grpc-message", b"").decode()

    def _one(self, one: Frame) -> None:
        if one.kind == frames.HEADERS:
            self.headers[one.stream_id].update(self._decoder.decode(one.payload))
        elif one.kind == frames.DATA:
            self.body[one.stream_id] += one.payload
        elif one.kind == frames.RST_STREAM:
            self.reset[one.stream_id] = int.from_bytes(one.payload, "big")
        elif one.kind == frames.GOAWAY:
            self.goaway = int.from_bytes(one.payload[4:8], "big")
        if one.kind in {frames.HEADERS, frames.DATA} and one.flags & frames.END_STREAM:
            self.ended.add(one.stream_id)
