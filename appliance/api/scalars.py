"""Plain values of API objects, read from JSON as Go's types read them.

`codec` calls one reader per scalar. A value of another JSON kind is a `WrongType`, which is noted
while decoding goes on; a value that cannot be is a `Fault`, which ends it. What comes out is the
one canonical text of a quantity, a time or base64. Pure.
"""

import base64
import binascii
from collections.abc import Callable
from typing import Any

from appliance.api import quantity, timestamps

INT_RANGES = {"int32": 2**31, "int64": 2**63}


class Fault(Exception):
    """A value that ends decoding at once, as an error of a Go UnmarshalJSON method does."""


class WrongType(Exception):
    """The JSON value is of another kind than the scalar wants."""


def json_kind(data: Any) -> str:
    """Name the kind of a JSON value as Go does."""
    if isinstance(data, bool):
        return "bool"
    if isinstance(data, int | float):
        return "number"
    if isinstance(data, str):
        return "string"
    return "array" if isinstance(data, list) else "object"


def _exactly(kind: type) -> Callable[[Any], Any]:
    def read(data: Any) -> Any:
        if type(data) is not kind:
            raise WrongType
        return data

    return read


def _read_double(data: Any) -> Any:
    if type(data) not in {int, float}:
        raise WrongType
    return data


def _read_quantity(data: Any) -> str:
    if isinstance(data, bool) or not isinstance(data, str | int | float):
        raise Fault(quantity.SYNTAX)
    try:
        return quantity.canonical(data.strip() if isinstance(data, str) else data)
    except quantity.QuantityError as error:
        raise Fault(str(error)) from error


def _read_int_or_string(data: Any) -> Any:
    if isinstance(data, str):
        return data
    if type(data) is int and -(2**31) <= data < 2**31:
        return data
    kind = json_kind(data)
    found = f"number {data}" if kind == "number" else kind
    raise Fault(f"json: cannot unmarshal {found} into Go value of type int32")


def _read_time(layout: timestamps.Layout) -> Callable[[Any], str]:
    def read(data: Any) -> str:
        if not isinstance(data, str):
            kind = json_kind(data)
            raise Fault(f"json: cannot unmarshal {kind} into Go value of type string")
        try:
            return timestamps.canonical(data, layout)
        except ValueError as error:
            raise Fault(str(error)) from error

    return read


def _read_bytes(data: Any) -> str:
    if not isinstance(data, str):
        raise WrongType
    packed = data.replace("\r", "").replace("\n", "")
    try:
        return base64.b64encode(base64.b64decode(packed, validate=True)).decode()
    except (binascii.Error, ValueError) as error:
        raise Fault(f"illegal base64 data at input byte {_bad_byte(packed)}") from error


_ALPHABET = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")


def _bad_byte(text: str) -> int:
    """Where Go's decoder gives up: the first foreign character, or the quantum cut short."""
    for index, char in enumerate(text):
        if char not in _ALPHABET:
            if char == "=" and index % 4 >= 2:
                continue
            return index
    return len(text) - len(text) % 4 if len(text) % 4 else len(text)


READERS: dict[str, Callable[[Any], Any]] = {
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
