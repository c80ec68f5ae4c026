"""Ask the gRPC health service of a container: one unary call over plain HTTP/2.

Called by `checks`. What the client says never varies but for service and authority, so it is
written without compression tables; of what the server says only frames are read, never header
blocks: a health answer comes as data, and whoever refuses sends none. Bounded by FRAME_MAX and by
the probe's deadline.

Source: RFC 9113 (HTTP/2), RFC 7541 6.2.2 (literal header fields), grpc.health.v1.
"""

import asyncio
from dataclasses import dataclass

FRAME_MAX = 16384
"""What HTTP/2 lets a peer send that was told nothing else."""
PATH = "/grpc.health.v1.Health/Check"
SERVING = 1
STATUSES = {0: "UNKNOWN", 1: "SERVING", 2: "NOT_SERVING", 3: "SERVICE_UNKNOWN"}

_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_DATA, _HEADERS, _RESET, _SETTINGS, _PING, _GOAWAY = 0x0, 0x1, 0x3, 0x4, 0x6, 0x7
_END_STREAM, _ACK, _END_HEADERS, _PADDED = 0x1, 0x1, 0x4, 0x8
_HEAD = 9


class HealthFault(Exception):
    """The service gave no health; `str()` says what it did instead."""


@dataclass(frozen=True, slots=True)
class Frame:
    """An HTTP/2 frame."""

    kind: int
    flags: int
    stream: int
    body: bytes

    def pack(self) -> bytes:
        """Its bytes."""
        head = len(self.body).to_bytes(3, "big") + bytes([self.kind, self.flags])
        return head + self.stream.to_bytes(4, "big") + self.body


async def health(host: str, port: int, service: str) -> int:
    """The status that the service gives itself; 1 is SERVING.

    Raises:
        HealthFault: it is no gRPC server, or has no health service, or does not know `service`.
        OSError: nobody answers.
    """
    reader, writer = await asyncio.open_connection(host, port)
    try:
        writer.write(request(f"{host}:{port}", service))
        data = b""
        while True:
            frame = await _read(reader)
            if frame.kind == _SETTINGS and not frame.flags & _ACK:
                writer.write(Frame(_SETTINGS, _ACK, 0, b"").pack())
            elif frame.kind == _PING and not frame.flags & _ACK:
                writer.write(Frame(_PING, _ACK, 0, frame.body).pack())
            elif frame.kind in {_RESET, _GOAWAY}:
                raise HealthFault("the server refused the call")
            elif frame.stream == 1:
                data += payload(frame)
                if message_is_whole(data):
                    return status_of(data)
                if frame.flags & _END_STREAM:
                    raise HealthFault("no health: the service is not known or not implemented")
    except asyncio.IncompleteReadError:
        raise HealthFault("the server closed the connection: it speaks no gRPC") from None
    finally:
        writer.close()


def request(authority: str, service: str) -> bytes:
    """All that the client says."""
    name = service.encode()
    message = b"\x0a" + _varint(len(name)) + name if name else b""
    fields = (
        (":method", "POST"),
        (":scheme", "http"),
        (":path", PATH),
        (":authority", authority),
        ("content-type", "application/grpc"),
        ("te", "trailers"),
        ("user-agent", "kube-probe/1.36"),
    )
    block = b"".join(b"\x00" + _string(name) + _string(value) for name, value in fields)
    body = b"\x00" + len(message).to_bytes(4, "big") + message
    return (
        _PREFACE
        + Frame(_SETTINGS, 0, 0, b"").pack()
        + Frame(_HEADERS, _END_HEADERS, 1, block).pack()
        + Frame(_DATA, _END_STREAM, 1, body).pack()
    )


def payload(frame: Frame) -> bytes:
    """The data of a frame, without padding."""
    if frame.kind != _DATA:
        return b""
    if frame.flags & _PADDED and frame.body:
        return frame.body[1 : len(frame.body) - frame.body[0]]
    return frame.body


def message_is_whole(data: bytes) -> bool:
    """Whether a gRPC message is complete: five bytes of head, then as much as they say."""
    return len(data) >= 5 and len(data) >= 5 + int.from_bytes(data[1:5], "big")


def status_of(data: bytes) -> int:
    """Field 1 of a HealthCheckResponse; 0 is left out."""
    message = data[5 : 5 + int.from_bytes(data[1:5], "big")]
    return message[1] if len(message) >= 2 and message[0] == 0x08 else 0


async def _read(reader: asyncio.StreamReader) -> Frame:
    head = await reader.readexactly(_HEAD)
    length = int.from_bytes(head[:3], "big")
    if length > FRAME_MAX:
        raise HealthFault("the answer is not HTTP/2")
    stream = int.from_bytes(head[5:], "big") & 0x7FFFFFFF
    return Frame(head[3], head[4], stream, await reader.readexactly(length))


def _string(text: str) -> bytes:
    raw = text.encode()
    if len(raw) < 127:
        return bytes([len(raw)]) + raw
    return b"\x7f" + _varint(len(raw) - 127) + raw


def _varint(number: int) -> bytes:
    made = bytearray()
    while number >= 0x80:
        made.append(number & 0x7F | 0x80)
        number >>= 7
    made.append(number)
    return bytes(made)
