"""Protobuf for the messages of `messages/`: classes whose annotations carry the field numbers.

    class PutRequest(Message):
        key: Annotated[bytes, 1] = b""
        lease: Annotated[int, 3] = 0

proto3 rules: a scalar at zero is not written, a message field is None when absent, unknown fields
are skipped, the last of several scalars counts. `int` is int64 unless it is marked.
Depth is bounded: a transaction can nest, an attacker's should not end the process.

Source: the protobuf encoding guide.
"""

import types
import typing
from collections.abc import Callable
from typing import Any, ClassVar, NamedTuple, Self

import msgspec
from typing_extensions import override

UINT64, UINT32 = "uint64", "uint32"
"""Marks of integers that are not int64; a tuple of names marks an enum."""
VARINT, FIXED64, LENGTH, FIXED32 = 0, 1, 2, 5
_MASK = 2**64 - 1
_MAX_DEPTH = 100


class WireError(ValueError):
    """The bytes are no such message."""


class Field(NamedTuple):
    """A field, as its class declares it."""

    name: str
    number: int
    scalar: type[bytes] | type[str] | type[bool] | type[int]
    mark: str
    message: "type[Message] | None"
    choices: tuple[str, ...]
    repeated: bool


class Message(msgspec.Struct, kw_only=True):
    """Base of all messages."""

    FIELDS: ClassVar[tuple[Field, ...]]

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Read a message.

        Raises:
            WireError: the bytes are none.
        """
        return _decode(cls, data, 0)

    def encode(self) -> bytes:
        """Write it: fields in the order of their numbers, zeros left out."""
        out = bytearray()
        for name, tag, write in _writers(type(self)):
            value = getattr(self, name)
            if value or (value is not None and isinstance(value, Message)):
                write(out, tag, value)
        return bytes(out)


class Encoded(Message):
    """A message that has been written already; stands in for one that many answers share."""

    raw: bytes = b""
    FIELDS: ClassVar[tuple[Field, ...]] = ()

    @override
    def encode(self) -> bytes:
        """The bytes it was made with."""
        return self.raw


def fields_of(message: type[Message]) -> tuple[Field, ...]:
    """The fields by number; worked out once."""
    found = message.__dict__.get("FIELDS")
    if found is None:
        hints = typing.get_type_hints(message, include_extras=True)
        fields = [_field(name, hint) for name, hint in hints.items() if name != "FIELDS"]
        found = message.FIELDS = tuple(sorted(fields, key=lambda field: field.number))
    return found


def _field(name: str, hint: Any) -> Field:
    kind, number, *marks = typing.get_args(hint)
    repeated = typing.get_origin(kind) is list
    if repeated:
        (kind,) = typing.get_args(kind)
    if isinstance(kind, types.UnionType):  # Message | None
        kind = next(part for part in typing.get_args(kind) if part is not type(None))
    message = kind if issubclass(kind, Message) else None
    choices: tuple[str, ...] = next((mark for mark in marks if isinstance(mark, tuple)), ())
    mark = next((mark for mark in marks if isinstance(mark, str)), "")
    return Field(name, number, bytes if message else kind, mark, message, choices, repeated)


# Reading

_Reader = tuple[str, Callable[[Any, int], Any] | None, bool]
_READERS: dict[type[Message], dict[int, _Reader]] = {}


def _readers(message: type[Message]) -> dict[int, _Reader]:
    """Tag to (attribute, conversion, repeated)."""
    found = _READERS.get(message)
    if found is None:
        found = {}
        for field in fields_of(message):
            wire = LENGTH if field.message or field.scalar in {bytes, str} else VARINT
            reader = (field.name, _conversion(field), field.repeated)
            found[field.number << 3 | wire] = reader
            if field.repeated and wire == VARINT:  # packed
                found[field.number << 3 | LENGTH] = (field.name, _unpack, True)
        _READERS[message] = found
    return found


def _conversion(field: Field) -> Callable[[Any, int], Any] | None:
    if field.message is not None:
        inner = field.message
        return lambda data, depth: _decode(inner, data, depth + 1)
    if field.scalar is bytes:
        return None
    if field.scalar is str:
        return lambda data, _: _text(data)
    if field.scalar is bool:
        return lambda value, _: bool(value)
    if field.mark:
        return None
    return lambda value, _: value if value < 1 << 63 else value - (1 << 64)


def _text(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise WireError("a string is not UTF-8") from error


def _unpack(data: bytes, _depth: int) -> list[int]:
    place, found = 0, []
    while place < len(data):
        value, place = _varint(data, place)
        found.append(value if value < 1 << 63 else value - (1 << 64))
    return found


M = typing.TypeVar("M", bound=Message)


def _decode(message: type[M], data: bytes, depth: int) -> M:
    if depth > _MAX_DEPTH:
        raise WireError("nested too deeply")
    readers = _readers(message)
    found = message()
    place, end = 0, len(data)
    while place < end:
        tag = data[place]
        place += 1
        if tag > 0x7F:
            tag, place = _varint(data, place - 1)
        value: Any
        value, place = _value(data, place, tag)
        reader = readers.get(tag)
        if reader is None:
            continue
        name, convert, repeated = reader
        if convert is not None:
            value = convert(value, depth)
        if not repeated:
            setattr(found, name, value)
        elif isinstance(value, list):
            getattr(found, name).extend(value)
        else:
            getattr(found, name).append(value)
    return found


def _value(data: bytes, place: int, tag: int) -> tuple[int | bytes, int]:
    wire = tag & 7
    if wire == VARINT:
        return _varint(data, place)
    if wire == LENGTH:
        size, place = _varint(data, place)
    elif wire in {FIXED64, FIXED32}:
        size = 8 if wire == FIXED64 else 4
    else:
        raise WireError(f"wire type {wire}")
    after = place + size
    if after > len(data) or tag < 8:
        raise WireError("unexpected EOF" if tag >= 8 else "field number 0")
    return data[place:after], after


def _varint(data: bytes, place: int) -> tuple[int, int]:
    try:
        byte = data[place]
        if byte < 0x80:
            return byte, place + 1
        value, shift = byte & 0x7F, 7
        while True:
            place += 1
            byte = data[place]
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value & _MASK, place + 1
            shift += 7
            if shift >= 70:
                raise WireError("integer overflow")
    except IndexError:
        raise WireError("unexpected EOF") from None


# Writing

_Write = Callable[[bytearray, bytes, Any], None]
_WRITERS: dict[type[Message], tuple[tuple[str, bytes, _Write], ...]] = {}


def _writers(message: type[Message]) -> tuple[tuple[str, bytes, _Write], ...]:
    found = _WRITERS.get(message)
    if found is None:
        found = tuple(_writer(field) for field in fields_of(message))
        _WRITERS[message] = found
    return found


def _writer(field: Field) -> tuple[str, bytes, _Write]:
    wire = LENGTH if field.repeated or field.message or field.scalar in {bytes, str} else VARINT
    return field.name, varint(field.number << 3 | wire), _write_of(field)


def _write_of(field: Field) -> _Write:
    if field.message is not None:
        return _write_messages if field.repeated else _write_message
    if field.scalar in {bytes, str}:
        return _write_chunks if field.repeated else _write_chunk
    return _write_packed if field.repeated else _write_integer


def varint(value: int) -> bytes:
    """Write an integer; negative ones take ten bytes."""
    if 0 <= value < 0x80:
        return bytes((value,))
    value &= _MASK
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _write_integer(out: bytearray, tag: bytes, value: int) -> None:
    out += tag + varint(value)


def _write_chunk(out: bytearray, tag: bytes, value: bytes | str) -> None:
    data = value.encode() if isinstance(value, str) else value
    out += tag + varint(len(data))
    out += data


def _write_chunks(out: bytearray, tag: bytes, values: list[bytes | str]) -> None:
    for value in values:
        _write_chunk(out, tag, value)


def _write_message(out: bytearray, tag: bytes, value: Message) -> None:
    _write_chunk(out, tag, value.encode())


def _write_messages(out: bytearray, tag: bytes, values: list[Message]) -> None:
    for value in values:
        _write_chunk(out, tag, value.encode())


def _write_packed(out: bytearray, tag: bytes, values: list[int]) -> None:
    _write_chunk(out, tag, b"".join(varint(value) for value in values))
