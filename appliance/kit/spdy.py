"""SPDY/3.1 frames, sans-IO: bytes in, events out; and the bytes of what is to be said.

kubectl's port-forward speaks it, raw or inside WebSocket messages, and older clients' exec.
`node.serve.spdy_session` does the I/O. Frames that kubectl's library never sends (HEADERS,
CREDENTIAL) or ignores (SETTINGS, WINDOW_UPDATE: it has no flow control) are skipped.
Bound: `CONTROL_BYTES` per control frame; data is given on in the parts in which it comes.

Source: SPDY protocol draft 3.1.
"""

import struct
from collections.abc import Mapping
from dataclasses import dataclass

from appliance.kit.spdy_headers import BadHeaders, HeaderReader, HeaderWriter

CONTROL_BYTES = 64 * 1024
DATA_BYTES = (1 << 24) - 1
"""The most that one data frame carries."""
_VERSION = 3
_SYN_STREAM, _SYN_REPLY, _RST_STREAM, _PING, _GOAWAY = 1, 2, 3, 6, 7
_FIN = 1
_HEADER = struct.Struct(">II")
_ID_MASK = 0x7FFFFFFF

REFUSED_STREAM, CANCEL = 3, 5


class NotSpdy(Exception):
    """What came is no SPDY/3.1; the connection is of no use any more."""


@dataclass(frozen=True, slots=True)
class Opened:
    """The other side opened a stream."""

    stream: int
    headers: Mapping[str, str]
    fin: bool = False


@dataclass(frozen=True, slots=True)
class Data:
    """Bytes of a stream; `fin`: the last ones."""

    stream: int
    data: bytes
    fin: bool = False


@dataclass(frozen=True, slots=True)
class Reset:
    """The other side wants to hear no more of a stream."""

    stream: int
    status: int


@dataclass(frozen=True, slots=True)
class Ping:
    """To be answered with the same number."""

    number: int


@dataclass(frozen=True, slots=True)
class GoAway:
    """The other side opens no more streams."""


Event = Opened | Data | Reset | Ping | GoAway


class FrameReader:
    """Bytes → events."""

    def __init__(self) -> None:
        self._headers = HeaderReader()
        self._buffer = bytearray()
        self._stream = self._left = 0
        self._fin = False

    def feed(self, data: bytes) -> list[Event]:
        """Take the next bytes.

        Raises:
            NotSpdy: they make no sense.
        """
        self._buffer += data
        events: list[Event] = []
        while self._step(events):
            pass
        return events

    def _step(self, events: list[Event]) -> bool:
        """Take one frame, or a part of a data frame, from the buffer."""
        if self._left:
            return self._part(events)
        if len(self._buffer) < _HEADER.size:
            return False
        first, second = _HEADER.unpack_from(self._buffer)
        flags, length = second >> 24, second & 0xFFFFFF
        if not first >> 31:
            del self._buffer[: _HEADER.size]
            self._stream, self._left, self._fin = first, length, bool(flags & _FIN)
            if not length:
                events.append(Data(first, b"", self._fin))
            return True
        if length > CONTROL_BYTES or (first >> 16) & 0x7FFF != _VERSION:
            raise NotSpdy(f"a control frame of version {(first >> 16) & 0x7FFF}, {length} bytes")
        if len(self._buffer) < _HEADER.size + length:
            return False
        payload = bytes(self._buffer[_HEADER.size : _HEADER.size + length])
        del self._buffer[: _HEADER.size + length]
        events += self._control(first & 0xFFFF, flags, payload)
        return True

    def _part(self, events: list[Event]) -> bool:
        part = bytes(self._buffer[: self._left])
        del self._buffer[: len(part)]
        self._left -= len(part)
        if part:
            events.append(Data(self._stream, part, self._fin and not self._left))
        return bool(part)

    def _control(self, kind: int, flags: int, payload: bytes) -> list[Event]:
        try:
            if kind == _SYN_STREAM:
                (stream,) = struct.unpack_from(">I", payload)
                headers = self._headers.read(payload[10:])
                return [Opened(stream & _ID_MASK, headers, bool(flags & _FIN))]
            if kind == _RST_STREAM:
                stream, status = _HEADER.unpack(payload)
                return [Reset(stream & _ID_MASK, status)]
            if kind == _PING:
                return [Ping(*struct.unpack(">I", payload))]
        except (struct.error, BadHeaders) as error:
            raise NotSpdy(f"control frame {kind}: {error}") from error
        return [GoAway()] if kind == _GOAWAY else []


class FrameWriter:
    """Things to say → bytes."""

    def __init__(self) -> None:
        self._headers = HeaderWriter()

    def reply(self, stream: int) -> bytes:
        """Accept a stream that the other side opened."""
        return _control(_SYN_REPLY, struct.pack(">I", stream) + self._headers.write({}))

    def open(self, stream: int, headers: Mapping[str, str], *, fin: bool = False) -> bytes:
        """Open a stream (clients, that is tests)."""
        start = struct.pack(">IIH", stream, 0, 0)
        return _control(_SYN_STREAM, start + self._headers.write(headers), _FIN if fin else 0)

    @staticmethod
    def data(stream: int, data: bytes, *, fin: bool = False) -> bytes:
        """Bytes of a stream, `DATA_BYTES` at most."""
        return _HEADER.pack(stream, (_FIN if fin else 0) << 24 | len(data)) + data

    @staticmethod
    def reset(stream: int, status: int) -> bytes:
        """Have done with a stream."""
        return _control(_RST_STREAM, _HEADER.pack(stream, status))

    @staticmethod
    def ping(number: int) -> bytes:
        """Answer a ping."""
        return _control(_PING, struct.pack(">I", number))


def _control(kind: int, payload: bytes, flags: int = 0) -> bytes:
    return _HEADER.pack(1 << 31 | _VERSION << 16 | kind, flags << 24 | len(payload)) + payload
