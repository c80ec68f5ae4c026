"""gRPC's frames around messages, and its time-outs; sans-IO.

A message is a flag byte (compressed or not), its size in four bytes, and its bytes. Never more
than one message beyond the limit is kept: a size is judged before its bytes come.

Source: gRPC's PROTOCOL-HTTP2.md.
"""

import struct

from appliance.store.serve.status import Refused, Status

_HEAD = struct.Struct(">BI")
_UNITS_S = {b"H": 3600.0, b"M": 60.0, b"S": 1.0, b"m": 1e-3, b"u": 1e-6, b"n": 1e-9}
_MAX_TIMEOUT_DIGITS = 8


class Assembler:
    """Puts the messages of one stream together."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._pending = b""

    @property
    def pending_bytes(self) -> int:
        """Bytes of an unfinished message."""
        return len(self._pending)

    def feed(self, data: bytes) -> list[bytes]:
        """Add bytes, get the messages that are complete.

        Raises:
            Refused: a message is too large or compressed.
        """
        if self._pending:
            data = self._pending + data
        elif len(data) <= self._max_bytes and data[:5] == _HEAD.pack(0, max(0, len(data) - 5)):
            return [data[_HEAD.size :]]  # one whole message, as nearly always
        messages: list[bytes] = []
        place = 0
        while len(data) - place >= _HEAD.size:
            flag, size = _HEAD.unpack_from(data, place)
            if flag:
                raise Refused(
                    Status.UNIMPLEMENTED, "grpc: Decompressor is not installed for grpc-encoding"
                )
            if size > self._max_bytes:
                text = f"grpc: received message larger than max ({size} vs. {self._max_bytes})"
                raise Refused(Status.RESOURCE_EXHAUSTED, text)
            after = place + _HEAD.size + size
            if after > len(data):
                break
            messages.append(data[place + _HEAD.size : after])
            place = after
        self._pending = data[place:]
        return messages


def framed(message: bytes) -> bytes:
    """A message as it is sent."""
    return _HEAD.pack(0, len(message)) + message


def timeout_s(value: bytes) -> float | None:
    """Seconds of a grpc-timeout header; None if it makes no sense."""
    digits, unit = value[:-1], value[-1:]
    if not digits.isdigit() or len(digits) > _MAX_TIMEOUT_DIGITS or unit not in _UNITS_S:
        return None
    return int(digits) * _UNITS_S[unit]
