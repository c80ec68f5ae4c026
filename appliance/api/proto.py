"""Protobuf bodies of API objects, coded from the field numbers in the schema.

kubectl sends `application/vnd.kubernetes.protobuf` for what it creates through typed clients and
does not fall back to JSON. Such a body is the magic `k8s\\0` and an `Unknown` message around the
object. The HTTP layer opens the envelope and decodes by kind; answers may stay JSON.

Decoding gives plain JSON data first and then goes the codec's way, so both formats obey one set
of rules. Encoding writes what Go's generated code writes, byte for byte: fields in order of
their numbers, plain (non-pointer) scalars and structs even when they are zero.

Pure; tables are made once per type. Depth is bounded as in the codec.
"""

import base64
import json
from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple, TypeVar

from appliance.api import codec
from appliance.api.errors import BadRequest
from appliance.api.fieldtypes import Field, Shape, fields_of, inlined
from appliance.api.protowire import (
    WireError,
    bytes_field,
    integer_field,
    read_message,
    signed,
    text,
)
from appliance.api.schema import Message
from appliance.kit.clock import parse_rfc3339, rfc3339, rfc3339_micro
from appliance.kit.jsonio import dumps

M = TypeVar("M", bound=Message)

MAGIC = b"k8s\x00"
MEDIA_TYPE = "application/vnd.kubernetes.protobuf"

Json = dict[str, Any]


class Envelope(NamedTuple):
    """An opened body."""

    api_version: str
    kind: str
    raw: bytes


class _Slot(NamedTuple):
    """What a field number of a struct holds: a field, or the fields of an embedded struct."""

    number: int
    field: Field | None
    embedded: type[Message] | None


def decode_envelope(body: bytes) -> Envelope:
    """Open the envelope.

    Raises:
        BadRequest: it is none.
    """
    if not body.startswith(MAGIC):
        raise BadRequest(
            "provided data does not appear to be a protobuf message, expected prefix [107 56 115 0]"
        )
    try:
        outer = {number: value for number, _, value in read_message(memoryview(body)[4:])}
        type_meta = {number: value for number, _, value in read_message(_bytes(outer.get(1, b"")))}
        names = [text(_bytes(type_meta.get(number, b""))) for number in (1, 2)]
        raw = bytes(_bytes(outer.get(2, b"")))
    except WireError as error:
        raise BadRequest(f"the body is no protobuf message: {error}") from error
    return Envelope(names[0], names[1], raw)


def encode_envelope(api_version: str, kind: str, raw: bytes) -> bytes:
    """Wrap an encoded object."""
    type_meta = bytes_field(1, api_version.encode()) + bytes_field(2, kind.encode())
    unknown = bytes_field(1, type_meta) + bytes_field(2, raw)
    return MAGIC + unknown + bytes_field(3, b"") + bytes_field(4, b"")


def decode(struct: type[M], raw: bytes, *, title: str = "") -> M:
    """Turn protobuf bytes into a typed object.

    Raises:
        BadRequest: the bytes make no sense, or a value breaks the codec's rules.
    """
    return codec.decode(struct, to_plain(struct, raw, title=title), title=title)[0]


def to_plain(struct: type[Message], raw: bytes, *, title: str = "") -> Json:
    """Turn protobuf bytes into plain JSON data.

    Raises:
        BadRequest: the bytes make no sense.
    """
    try:
        return _read_struct(struct, memoryview(raw))
    except (WireError, RecursionError) as error:
        raise BadRequest(f"{title}{error}") from error


def encode(obj: Message) -> bytes:
    """Turn a typed object into protobuf bytes."""
    return _write_struct(type(obj), obj)


@cache
def _slots(struct: type[Message]) -> dict[int, _Slot]:
    table = fields_of(struct)
    embedded = inlined(struct)
    foreign = {name for base, _ in embedded for name in fields_of(base)}
    own = [f for name, f in table.items() if name not in foreign and f.facts.number > 0]
    slots = [_Slot(f.facts.number, f, None) for f in own]
    slots += [_Slot(number, None, base) for base, number in embedded]
    return {slot.number: slot for slot in sorted(slots)}


def _bytes(value: Any) -> memoryview:
    if isinstance(value, int):
        raise WireError("a message was expected, not a number")
    return memoryview(value)


# Decoding


def _read_struct(struct: type[Message], data: memoryview) -> Json:
    slots = _slots(struct)
    result: Json = {}
    for number, _, value in read_message(data):
        slot = slots.get(number)
        if slot is None:
            continue
        if slot.embedded is not None:
            result.update(_read_struct(slot.embedded, _bytes(value)))
        elif slot.field is not None:
            _read_field(slot.field, value, into=result)
    return result


def _read_field(field: Field, value: Any, *, into: Json) -> None:
    shape = field.shape
    if shape.form == "list" and shape.element is not None:
        into.setdefault(field.name, []).extend(_read_items(shape.element, value))
    elif shape.form == "map" and shape.element is not None:
        key, item = _read_entry(shape.element, _bytes(value))
        into.setdefault(field.name, {})[key] = item
    else:
        into[field.name] = _read_value(shape, value)


def _read_items(element: Shape, value: Any) -> list[Any]:
    """One element, or many where a writer packed numbers together."""
    packable = element.scalar in {"int32", "int64", "bool"}
    if not packable or isinstance(value, int):
        return [_read_value(element, value)]
    packed = bytes(value)
    # A packed list is a run of varints; each one as a field of number 1 reads the same.
    found, start = [], 0
    for place, byte in enumerate(packed):
        if not byte & 0x80:
            single = b"\x08" + packed[start : place + 1]
            found += [v for _, _, v in read_message(memoryview(single))]
            start = place + 1
    return [_read_value(element, item) for item in found]


def _read_entry(element: Shape, data: memoryview) -> tuple[str, Any]:
    parts = {number: value for number, _, value in read_message(data)}
    key = text(_bytes(parts.get(1, b"")))
    if element.form == "list" and element.element is not None:
        # map<string, Message{repeated items = 1}>: Go's named list types
        inner = read_message(_bytes(parts.get(2, b"")))
        return key, [_read_value(element.element, v) for n, _, v in inner if n == 1]
    default: Any = 0 if element.scalar in {"int32", "int64", "bool"} else b""
    return key, _read_value(element, parts.get(2, default))


def _read_value(shape: Shape, value: Any) -> Any:
    if shape.struct is not None:
        return _read_struct(shape.struct, _bytes(value))
    read = _READ.get(shape.scalar)
    if read is None:
        raise WireError(f"a {shape.go_name} cannot be read")
    return read(value)


def _read_number(value: Any) -> int:
    if not isinstance(value, int):
        raise WireError("a number was expected")
    return signed(value)


def _parts(value: Any) -> dict[int, Any]:
    return {number: part for number, _, part in read_message(_bytes(value))}


def _read_time(value: Any) -> str | None:
    """An empty message is Go's zero time, which stands for none."""
    parts = _parts(value)
    return _written(rfc3339, parts) if parts else None


def _written(write: Callable[[float], str], parts: dict[int, Any]) -> str:
    try:
        return write(_read_number(parts.get(1, 0)))
    except (ValueError, OverflowError, OSError) as error:
        raise WireError(f"no such time: {error}") from error


def _read_micro_time(value: Any) -> str | None:
    parts = _parts(value)
    if not parts:
        return None
    micros = _read_number(parts.get(2, 0)) // 1000
    whole = _written(rfc3339_micro, parts)
    return f"{whole[:20]}{micros:06d}Z"


def _read_int_or_string(value: Any) -> int | str:
    parts = _parts(value)
    if _read_number(parts.get(1, 0)):
        return text(_bytes(parts.get(3, b"")))
    return _read_number(parts.get(2, 0))


def _read_raw_json(value: Any) -> Any:
    raw = bytes(_bytes(_parts(value).get(1, b"")))
    try:
        return json.loads(raw) if raw else None
    except ValueError as error:
        raise WireError(f"raw JSON: {error}") from error


_READ: dict[str, Callable[[Any], Any]] = {
    "string": lambda value: text(_bytes(value)),
    "bool": lambda value: bool(_read_number(value)),
    "int32": _read_number,
    "int64": _read_number,
    "bytes": lambda value: base64.b64encode(_bytes(value)).decode(),
    "quantity": lambda value: text(_bytes(_parts(value).get(1, b"0"))) or "0",
    "intOrString": _read_int_or_string,
    "time": _read_time,
    "microTime": _read_micro_time,
    "rawJson": _read_raw_json,
}


# Encoding


def _write_struct(struct: type[Message], obj: Any) -> bytes:
    out = bytearray()
    for slot in _slots(struct).values():
        if slot.embedded is not None:
            out += bytes_field(slot.number, _write_struct(slot.embedded, obj))
        elif slot.field is not None:
            out += _write_field(slot.field, getattr(obj, slot.field.attribute))
    return bytes(out)


def _write_field(field: Field, value: Any) -> bytes:
    number, shape = field.facts.number, field.shape
    if shape.form == "list" and shape.element is not None:
        return b"".join(_write_value(number, shape.element, item) for item in value or ())
    if shape.form == "map" and shape.element is not None:
        return b"".join(
            bytes_field(number, _write_entry(shape.element, key, value[key]))
            for key in sorted(value or ())
        )
    if value is None:
        return bytes_field(number, b"") if _is_plain_time(field) else b""
    return _write_value(number, shape, value)


def _is_plain_time(field: Field) -> bool:
    """Go has most times without a pointer: they are written, empty, even when they are zero."""
    if field.shape.scalar not in {"time", "microTime"}:
        return False
    return field.always or field.name in {"creationTimestamp", "lastProbeTime"}


def _write_entry(element: Shape, key: str, value: Any) -> bytes:
    head = bytes_field(1, key.encode())
    if element.form == "list" and element.element is not None:
        inner = b"".join(_write_value(1, element.element, item) for item in value)
        return head + bytes_field(2, inner)
    return head + _write_value(2, element, value)


def _write_value(number: int, shape: Shape, value: Any) -> bytes:
    if shape.struct is not None:
        return bytes_field(number, _write_struct(shape.struct, value))
    if shape.scalar in {"bool", "int32", "int64"}:
        return integer_field(number, int(value))
    return bytes_field(number, _WRITE[shape.scalar](value))


def _write_time(value: str) -> bytes:
    return integer_field(1, int(parse_rfc3339(value))) + integer_field(2, 0)


def _write_micro_time(value: str) -> bytes:
    seconds = int(parse_rfc3339(value[:19] + "Z"))
    return integer_field(1, seconds) + integer_field(2, int(value[20:26]) * 1000)


def _write_int_or_string(value: int | str) -> bytes:
    is_text = isinstance(value, str)
    number = 0 if isinstance(value, str) else value
    shown = value if isinstance(value, str) else ""
    return (
        integer_field(1, int(is_text)) + integer_field(2, number) + bytes_field(3, shown.encode())
    )


_WRITE: dict[str, Callable[[Any], bytes]] = {
    "string": str.encode,
    "bytes": bytes,
    "quantity": lambda value: bytes_field(1, str(value).encode()),
    "intOrString": _write_int_or_string,
    "time": _write_time,
    "microTime": _write_micro_time,
    "rawJson": lambda value: bytes_field(1, dumps(value)),
}
