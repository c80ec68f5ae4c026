"""JSON to typed objects and back, with the tolerance and the words of kube-apiserver.

The registry and the HTTP layer decode request bodies here; stored bytes take the fast path
(`from_stored`). Rules, as Go's decoder has them: null means absent, unknown fields are dropped
and reported, doubled keys are reported and the last one counts, names are case-sensitive. A
value of a wrong type is a BadRequest that names the Go type and the path without indices. Times,
quantities and base64 come out in their one canonical text.

Pure; the tables it keeps are one decoder per type.
"""

import base64
import binascii
import json
from collections.abc import Callable
from functools import cache
from typing import Any, TypeVar

import msgspec

from appliance.api import quantity, timestamps
from appliance.api.errors import BadRequest, Invalid, invalid
from appliance.api.faults import wrong
from appliance.api.fieldtypes import Shape, fields_of, shape_of_struct
from appliance.api.json_fault import json_fault
from appliance.api.schema import Message
from appliance.kit import jsonio

M = TypeVar("M", bound=Message)

MAX_WARNINGS = 100
"""Upstream reports no more strict errors than this for one body."""

_INT_RANGES = {"int32": 2**31, "int64": 2**63}


def heading(body_kind: str, body_version: str, kind: str) -> str:
    """Start of the message when a body does not decode.

    `Pod in version "v1" cannot be handled as a Pod: `; the version is without its group.
    """
    version = body_version.rsplit("/", 1)[-1]
    return f'{body_kind} in version "{version}" cannot be handled as a {kind}: '


def strict_error(title: str, warnings: list[str]) -> BadRequest:
    """What fieldValidation=Strict answers where Warn would only warn."""
    return BadRequest(f"{title}strict decoding error: {', '.join(warnings)}")


def strict_patch_error(shown: str, warnings: list[str]) -> Invalid:
    """What Strict answers to a patch; `shown` is the patch or the patched object as text."""
    problem = f"strict decoding error: {', '.join(warnings)}"
    return invalid("", "", "", [wrong("patch", shown, problem)])


def decode(struct: type[M], data: Any, *, title: str = "") -> tuple[M, list[str]]:
    """Turn plain JSON data into a typed object, with the warnings of strict validation.

    Raises:
        BadRequest: a value has the wrong type; the message starts with `title`.
    """
    clean, warnings = prune(struct, data, title=title)
    return msgspec.convert(clean, struct), warnings


def decode_bytes(struct: type[M], raw: bytes, *, title: str = "") -> tuple[M, list[str]]:
    """Decode JSON text; doubled keys are reported too.

    Raises:
        BadRequest: not JSON, or a value has the wrong type.
    """
    data, doubled = loads(raw)
    reader = _Reader(doubled=doubled)
    clean = _run(reader, struct, data, title)
    return msgspec.convert(clean, struct), reader.warnings


def prune(struct: type[Message], data: Any, *, title: str = "") -> tuple[dict[str, Any], list[str]]:
    """Give the plain data that is left when unknown fields and nulls are dropped, and warnings.

    Raises:
        BadRequest: a value has the wrong type.
    """
    reader = _Reader()
    return _run(reader, struct, data, title), reader.warnings


_encoder = msgspec.json.Encoder(order="deterministic")


def encode(obj: Message) -> bytes:
    """JSON bytes: fields in the order of the schema, keys of maps sorted, both as Go has it."""
    return _encoder.encode(obj)


def to_plain(obj: Message) -> Any:
    """Plain JSON data of an object; a fresh tree that may be changed."""
    return jsonio.loads(encode(obj))


def from_stored(struct: type[M], raw: bytes) -> M:
    """Decode bytes that this server wrote itself; nothing is checked beyond types."""
    obj: M = _decoder(struct).decode(raw)
    return obj


class Doubled(dict[str, Any]):
    """A JSON object in which keys came up twice; `keys_twice` names them."""

    __slots__ = ("keys_twice",)

    keys_twice: list[str]


def loads(raw: bytes | str) -> tuple[Any, bool]:
    """Decode JSON text to plain data; objects with doubled keys come as `Doubled`.

    Raises:
        BadRequest: it is not JSON; worded as Go words it.
    """
    found = False

    def collect(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        nonlocal found
        plain = dict(pairs)
        if len(plain) == len(pairs):
            return plain
        found = True
        doubled = Doubled(plain)
        seen: set[str] = set()
        doubled.keys_twice = [k for k, _ in pairs if k in seen or seen.add(k)]  # type: ignore[func-returns-value]
        return doubled

    try:
        data = json.loads(raw, object_pairs_hook=collect, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise BadRequest(f"json parse error: {json_fault(raw) or error}") from error
    return data, found


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")


@cache
def _decoder(struct: type[Message]) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(struct)


def _run(reader: "_Reader", struct: type[Message], data: Any, title: str) -> dict[str, Any]:
    data = {} if data is None else data  # Go leaves the object as it is for null
    try:
        clean: dict[str, Any] = reader.struct(struct, data, "", "")
    except _Fault as fault:
        raise BadRequest(title + str(fault)) from fault
    except RecursionError as error:
        raise BadRequest(f"{title}exceeded max depth") from error
    if reader.mismatch:
        raise BadRequest(title + reader.mismatch)
    return clean


class _Fault(Exception):
    """A value that ends decoding at once, as an error of a Go UnmarshalJSON method does."""


class _Reader:
    """One walk over a body.

    `where` is the path with indices that warnings show, `owner` what type errors show:
    `PodSpec.spec.hostNetwork`, without indices. Like Go, the walk goes on after a mismatch of
    types and reports the first one at the end.
    """

    def __init__(self, *, doubled: bool = False) -> None:
        self.warnings: list[str] = []
        self.mismatch = ""
        self._doubled = doubled

    def struct(self, struct: type[Message], data: Any, where: str, dotted: str) -> Any:
        if not isinstance(data, dict):
            self._mismatch(data, shape_of_struct(struct), dotted)
            return {}
        self._note_doubled(data, where)
        table = fields_of(struct)
        clean: dict[str, Any] = {}
        for key, value in data.items():
            field = table.get(key)
            if field is None:
                self._warn("unknown", f"{where}.{key}" if where else key)
                continue
            if value is None:
                continue
            path = f"{where}.{key}" if where else key
            tail = dotted.partition(".")[2]
            name = f"{struct.__name__}.{tail}.{key}" if tail else f"{struct.__name__}.{key}"
            part = self.value(field.shape, value, path, name)
            if part is not None:
                clean[key] = part
        return clean

    def value(self, shape: Shape, data: Any, where: str, dotted: str) -> Any:
        if shape.struct is not None:
            return self.struct(shape.struct, data, where, dotted)
        if shape.element is None:
            return self._scalar(shape, data, dotted)
        if shape.form == "list":
            return self._list(shape, shape.element, data, where=where, dotted=dotted)
        return self._map(shape, shape.element, data, where=where, dotted=dotted)

    def _list(self, shape: Shape, element: Shape, data: Any, *, where: str, dotted: str) -> Any:
        if not isinstance(data, list):
            self._mismatch(data, shape, dotted)
            return None
        items = []
        for index, item in enumerate(data):
            value = _zero(element) if item is None else item
            items.append(self.value(element, value, f"{where}[{index}]", dotted))
        return [item for item in items if item is not None]

    def _map(self, shape: Shape, element: Shape, data: Any, *, where: str, dotted: str) -> Any:
        if not isinstance(data, dict):
            self._mismatch(data, shape, dotted)
            return None
        self._note_doubled(data, where)
        clean = {}
        for key, item in data.items():
            value = _zero(element) if item is None else item
            part = self.value(element, value, f"{where}.{key}", dotted)
            if part is not None:
                clean[key] = part
        return clean

    def _scalar(self, shape: Shape, data: Any, dotted: str) -> Any:
        read = _SCALARS.get(shape.scalar)
        if read is not None:
            try:
                return read(data)
            except _WrongType:
                self._mismatch(data, shape, dotted)
                return None
        low = _INT_RANGES[shape.scalar]
        if type(data) is int and -low <= data < low:
            return data
        self._mismatch(data, shape, dotted)
        return None

    def _mismatch(self, data: Any, shape: Shape, dotted: str) -> None:
        if self.mismatch:
            return
        found = _json_kind(data)
        if shape.scalar in _INT_RANGES and found == "number":
            found = f"number {data}"
        target = f"Go struct field {dotted}" if dotted else "Go value"
        self.mismatch = f"json: cannot unmarshal {found} into {target} of type {shape.go_name}"

    def _note_doubled(self, data: Any, where: str) -> None:
        if self._doubled and isinstance(data, Doubled):
            for key in data.keys_twice:
                self._warn("duplicate", f"{where}.{key}" if where else key)

    def _warn(self, what: str, path: str) -> None:
        if len(self.warnings) < MAX_WARNINGS:
            self.warnings.append(f'{what} field "{path}"')


class _WrongType(Exception):
    """The JSON value is of another kind than the scalar wants."""


def _json_kind(data: Any) -> str:
    if isinstance(data, bool):
        return "bool"
    if isinstance(data, int | float):
        return "number"
    if isinstance(data, str):
        return "string"
    return "array" if isinstance(data, list) else "object"


def _zero(shape: Shape) -> Any:
    """What null becomes inside a list or map."""
    if shape.struct is not None or shape.form == "map":
        return {}
    if shape.form == "list":
        return []
    return {"bool": False, "int32": 0, "int64": 0, "double": 0, "quantity": "0"}.get(
        shape.scalar, ""
    )


def _exactly(kind: type) -> Callable[[Any], Any]:
    def read(data: Any) -> Any:
        if type(data) is not kind:
            raise _WrongType
        return data

    return read


def _read_double(data: Any) -> Any:
    if type(data) not in {int, float}:
        raise _WrongType
    return data


def _read_quantity(data: Any) -> str:
    if isinstance(data, bool) or not isinstance(data, str | int | float):
        raise _Fault(quantity.SYNTAX)
    try:
        return quantity.canonical(data.strip() if isinstance(data, str) else data)
    except quantity.QuantityError as error:
        raise _Fault(str(error)) from error


def _read_int_or_string(data: Any) -> Any:
    if isinstance(data, str):
        return data
    if type(data) is int and -(2**31) <= data < 2**31:
        return data
    kind = _json_kind(data)
    found = f"number {data}" if kind == "number" else kind
    raise _Fault(f"json: cannot unmarshal {found} into Go value of type int32")


def _read_time(layout: timestamps.Layout) -> Callable[[Any], str]:
    def read(data: Any) -> str:
        if not isinstance(data, str):
            kind = _json_kind(data)
            raise _Fault(f"json: cannot unmarshal {kind} into Go value of type string")
        try:
            return timestamps.canonical(data, layout)
        except ValueError as error:
            raise _Fault(str(error)) from error

    return read


def _read_bytes(data: Any) -> str:
    if not isinstance(data, str):
        raise _WrongType
    packed = data.replace("\r", "").replace("\n", "")
    try:
        return base64.b64encode(base64.b64decode(packed, validate=True)).decode()
    except (binascii.Error, ValueError) as error:
        raise _Fault(f"illegal base64 data at input byte {_bad_byte(packed)}") from error


_ALPHABET = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")


def _bad_byte(text: str) -> int:
    """Where Go's decoder gives up: the first foreign character, or the quantum cut short."""
    for index, char in enumerate(text):
        if char not in _ALPHABET:
            if char == "=" and index % 4 >= 2:
                continue
            return index
    return len(text) - len(text) % 4 if len(text) % 4 else len(text)


_SCALARS: dict[str, Callable[[Any], Any]] = {
    "string": _exactly(str),
    "duration": _exactly(str),
    "bool": _exactly(bool),
    "double": _read_double,
    "rawJson": lambda data: data,
    "quantity": _read_quantity,
    "intOrString": _read_int_or_string,
    "time": _read_time(timestamps.SECONDS),
    "microTime": _read_time(timestamps.MICROS),
    "bytes": _read_bytes,
}
