"""The wire format of protobuf: tags, varints and length-delimited fields, and nothing else.

`proto.py` says what the fields mean. Sans-IO and bounded by the input: no length is believed
before it has been compared with what is there.
"""

from collections.abc import Iterator

VARINT = 0
FIXED64 = 1
LENGTH = 2
FIXED32 = 5

_MASK = 2**64 - 1


class WireError(ValueError):
    """The bytes are no protobuf message."""


def read_message(data: memoryview) -> Iterator[tuple[int, int, int | memoryview]]:
    """Give number, wire type and value of each field: an integer, or the bytes.

    Raises:
        WireError: cut short, or of an unknown wire type.
    """
    place, end = 0, len(data)
    while place < end:
        tag, place = _varint(data, place)
        number, wire = tag >> 3, tag & 7
        if number == 0:
            raise WireError("field number 0")
        if wire == VARINT:
            value, place = _varint(data, place)
            yield number, wire, value
            continue
        if wire == LENGTH:
            size, place = _varint(data, place)
        elif wire in {FIXED64, FIXED32}:
            size = 8 if wire == FIXED64 else 4
        else:
            raise WireError(f"wire type {wire}")
        if size > end - place:
            raise WireError("unexpected EOF")
        chunk = data[place : place + size]
        place += size
        yield number, wire, chunk if wire == LENGTH else int.from_bytes(chunk, "little")


def _varint(data: memoryview, place: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        if place >= len(data):
            raise WireError("unexpected EOF")
        byte = data[place]
        place += 1
        value |= (byte & 0x7F) << shift
        if not byte & 0x80:
            return value & _MASK, place
        shift += 7
        if shift >= 70:
            raise WireError("integer overflow")


def signed(value: int) -> int:
    """Read a varint as int32 or int64: two's complement in 64 bits."""
    return value - 2**64 if value >= 2**63 else value


def text(data: memoryview) -> str:
    """Read a string.

    Raises:
        WireError: it is not UTF-8.
    """
    try:
        return str(data, "utf-8")
    except UnicodeDecodeError as error:
        raise WireError("a string is not UTF-8") from error


def varint(value: int) -> bytes:
    """Write an integer; negative ones take ten bytes."""
    value &= _MASK
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def integer_field(number: int, value: int) -> bytes:
    """Write a varint field."""
    return varint(number << 3 | VARINT) + varint(value)


def bytes_field(number: int, value: bytes) -> bytes:
    """Write a length-delimited field."""
    return varint(number << 3 | LENGTH) + varint(len(value)) + value
