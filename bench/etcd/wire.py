"""Requests as bytes: HTTP/2 frames made once, in which a call changes a few places only.

For `load.py`. A load generator that builds messages would measure itself: here a call costs about
a microsecond. The first block of headers of a connection enters the HPACK table, as those of
real clients do; later ones are six indexes.
"""

import struct
from typing import NamedTuple

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
HUGE = 2**31 - 1
KV = b"/etcdserverpb.KV/"
WATCH = b"/etcdserverpb.Watch/Watch"


def frame(kind: int, flags: int, stream_id: int, payload: bytes = b"") -> bytes:
    """Any frame."""
    return (
        struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream_id) + payload
    )


def hello() -> bytes:
    """What a client says first: windows that never stand in the way."""
    settings = struct.pack(">HIHI", 2, 0, 4, HUGE)  # no push; first window of streams
    return PREFACE + frame(4, 0, 0, settings) + frame(8, 0, 0, struct.pack(">I", HUGE - 65_535))


def first_block(path: bytes) -> bytes:
    """Headers that the server is to remember."""
    pairs = (
        (b"\x44", path),  # :path
        (b"\x41", b"bench"),  # :authority
        (b"\x5f", b"application/grpc"),  # content-type
    )
    known = b"".join(head + bytes((len(text),)) + text for head, text in pairs)
    return b"\x83\x86" + known + b"\x40\x02te\x08trailers"


NEXT_BLOCK = b"\x83\x86\xc1\xc0\xbf\xbe"
"""The same headers, remembered: entries 65 to 62 of the table."""


def varint(value: int) -> bytes:
    """protobuf's integers."""
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def chunk(number: int, data: bytes) -> bytes:
    """A field of bytes, or a message."""
    return varint(number << 3 | 2) + varint(len(data)) + data


def integer(number: int, value: int) -> bytes:
    """A field with an integer."""
    return varint(number << 3) + varint(value)


def framed(message: bytes) -> bytes:
    """A message as gRPC sends it."""
    return b"\x00" + struct.pack(">I", len(message)) + message


class Template(NamedTuple):
    """A call: everything but its stream, and the places where its key and value stand."""

    path: bytes
    message: bytes
    key_at: tuple[int, ...] = ()
    value_at: int = 0

    @classmethod
    def of(cls, path: bytes, message: bytes, key: bytes = b"", value: bytes = b"") -> "Template":
        """Find where `key` (each time it comes) and `value` stand."""
        places, at = [], message.find(key) if key else -1
        while at >= 0:
            places.append(at)
            at = message.find(key, at + 1)
        return cls(path, message, tuple(places), message.find(value) if value else 0)

    def bytes_for(self, stream_id: int, block: bytes, key: bytes, value: bytes) -> bytes:
        """The frames of one call."""
        message = self.message
        if key:
            parts = bytearray(message)
            for at in self.key_at:
                parts[at : at + len(key)] = key
            if value:
                parts[self.value_at : self.value_at + len(value)] = value
            message = bytes(parts)
        return frame(1, 4, stream_id, block) + _data(stream_id, message)


def _data(stream_id: int, message: bytes) -> bytes:
    """The message in as many frames as it needs; the stream ends with the last."""
    body = framed(message)
    if len(body) <= 16_384:
        return frame(0, 1, stream_id, body)
    parts = [body[at : at + 16_384] for at in range(0, len(body), 16_384)]
    return b"".join(
        frame(0, int(number == len(parts) - 1), stream_id, part)
        for number, part in enumerate(parts)
    )


def header_revision(framed_answer: bytes) -> int:
    """The revision in an answer's header, which is its first field."""
    place, end = 7, 7 + framed_answer[6]
    while place < end:
        number, place = framed_answer[place] >> 3, place + 1
        value, shift = 0, 0
        while True:
            byte = framed_answer[place]
            place += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                break
        if number == 3:
            return value
    return 0


def succeeded(framed_answer: bytes) -> bool:
    """Whether a transaction's compares held: its second field, there if so."""
    return framed_answer[7 + framed_answer[6] :].startswith(b"\x10\x01")


KEY = b"k" * 8 + b"%08d"
"""Keys are 16 bytes, so that a template's places fit them all."""
SOME_KEY = KEY % 0


def put(value: bytes) -> Template:
    """Write a key."""
    return Template.of(KV + b"Put", chunk(1, SOME_KEY) + chunk(2, value), SOME_KEY, value)


def put_of(key: bytes, value: bytes) -> Template:
    """Write one key, and always that."""
    return Template.of(KV + b"Put", chunk(1, key) + chunk(2, value))


def get() -> Template:
    """Read one key, linearizable."""
    return Template.of(KV + b"Range", chunk(1, SOME_KEY), SOME_KEY)


def page(limit: int) -> Template:
    """Read the first keys of all."""
    message = chunk(1, b"k") + chunk(2, b"l") + integer(3, limit)
    return Template.of(KV + b"Range", message)


def count() -> Template:
    """Count all keys."""
    return Template.of(KV + b"Range", chunk(1, b"k") + chunk(2, b"l") + b"\x48\x01")


def compare_and_set(key: bytes, revision: int, value: bytes) -> Template:
    """If the key is still as it was at a revision, write it."""
    compare = integer(2, 2) + chunk(3, key) + integer(6, revision)  # EQUAL, MOD
    op = chunk(2, chunk(1, key) + chunk(2, value))
    return Template.of(KV + b"Txn", chunk(1, compare) + chunk(2, op))


def fill(first: int, many: int, value: bytes) -> Template:
    """Write many keys in one transaction."""
    puts = (chunk(1, KEY % n) + chunk(2, value) for n in range(first, first + many))
    return Template.of(KV + b"Txn", b"".join(chunk(2, chunk(2, put)) for put in puts))


def compact(revision: int) -> Template:
    """Forget history."""
    return Template.of(KV + b"Compact", integer(1, revision))


def snapshot() -> Template:
    """The whole database."""
    return Template.of(b"/etcdserverpb.Maintenance/Snapshot", b"")


def watch(key: bytes, end: bytes) -> bytes:
    """The message that opens a watch."""
    return framed(chunk(1, chunk(1, key) + chunk(2, end)))
