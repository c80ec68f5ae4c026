"""HTTP/2 frames as bytes: types, flags, error codes, and how each is written.

Source: RFC 9113, sections 4, 6 and 7.
"""

import struct
from enum import IntEnum

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
HEAD = 9
DEFAULT_WINDOW = 65_535
MAX_WINDOW = 2**31 - 1
MIN_FRAME_BYTES = 16_384
MAX_FRAME_BYTES = 2**24 - 1

DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS = 0, 1, 2, 3, 4
PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = 5, 6, 7, 8, 9

END_STREAM = ACK = 0x1
END_HEADERS = 0x4
PADDED = 0x8
WITH_PRIORITY = 0x20
_PRIORITY_BYTES = 5

HEADER_TABLE_SIZE, ENABLE_PUSH, MAX_CONCURRENT_STREAMS = 1, 2, 3
INITIAL_WINDOW_SIZE, MAX_FRAME_SIZE, MAX_HEADER_LIST_SIZE = 4, 5, 6


class Code(IntEnum):
    """Why a stream or a connection ends."""

    NO_ERROR = 0
    PROTOCOL_ERROR = 1
    INTERNAL_ERROR = 2
    FLOW_CONTROL_ERROR = 3
    STREAM_CLOSED = 5
    FRAME_SIZE_ERROR = 6
    REFUSED_STREAM = 7
    CANCEL = 8
    COMPRESSION_ERROR = 9
    ENHANCE_YOUR_CALM = 11


class ConnectionFault(Exception):
    """The peer broke the protocol; the connection ends with GOAWAY."""

    def __init__(self, code: Code, why: str) -> None:
        super().__init__(why)
        self.code = code


def frame(kind: int, flags: int, stream_id: int, payload: bytes = b"") -> bytes:
    """Any frame."""
    size = len(payload)
    return struct.pack(">BHBBI", size >> 16, size & 0xFFFF, kind, flags, stream_id) + payload


def settings(values: dict[int, int]) -> bytes:
    """Our settings."""
    pairs = b"".join(struct.pack(">HI", name, value) for name, value in values.items())
    return frame(SETTINGS, 0, 0, pairs)


def window_update(stream_id: int, size: int) -> bytes:
    """Room for `size` more bytes."""
    return frame(WINDOW_UPDATE, 0, stream_id, size.to_bytes(4, "big"))


def rst_stream(stream_id: int, code: int) -> bytes:
    """End a stream at once."""
    return frame(RST_STREAM, 0, stream_id, code.to_bytes(4, "big"))


def goaway(last_stream_id: int, code: int, why: str = "") -> bytes:
    """Take no further streams."""
    return frame(GOAWAY, 0, 0, struct.pack(">II", last_stream_id, code) + why.encode())


def unpadded(flags: int, payload: bytes) -> bytes:
    """What is left of a payload without its padding.

    Raises:
        ConnectionFault: more padding than payload.
    """
    if not flags & PADDED:
        return payload
    if not payload or payload[0] >= len(payload):
        raise ConnectionFault(Code.PROTOCOL_ERROR, "more padding than payload")
    return payload[1 : len(payload) - payload[0]]


def fragment(flags: int, payload: bytes) -> bytes:
    """The piece of a header block in a HEADERS frame, without padding and priority.

    Raises:
        ConnectionFault: the frame is shorter than what it says it has.
    """
    payload = unpadded(flags, payload)
    if not flags & WITH_PRIORITY:
        return payload
    if len(payload) < _PRIORITY_BYTES:
        raise ConnectionFault(Code.FRAME_SIZE_ERROR, "cut short")
    return payload[_PRIORITY_BYTES:]
