"""From one type to another: `int("3")`, `string(1.5)`."""

import math
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from appliance.api.cel.operators import NO_OVERLOAD, whole
from appliance.api.cel.times import duration, print_duration, print_timestamp, timestamp
from appliance.api.cel.values import CelError, TypeName, Uint, is_number, type_of

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def _digits(value: str, name: str) -> int:
    if not value.lstrip("+-").isdecimal() or not value.isascii():
        raise CelError(f"type conversion error: cannot convert {value!r} to {name}")
    return int(value)


def to_int(value: Any) -> int:
    """`int(x)`."""
    if isinstance(value, float):
        if not math.isfinite(value) or abs(value) >= 2**63:
            raise CelError("integer overflow")
        return int(value)
    if isinstance(value, datetime):
        return int((value - _EPOCH).total_seconds())
    if isinstance(value, str):
        return whole(_digits(value, "int"), 0)
    if isinstance(value, bool) or not isinstance(value, int):
        raise CelError(NO_OVERLOAD)
    return whole(int(value), 0)


def to_uint(value: Any) -> Uint:
    """`uint(x)`."""
    number = _digits(value, "uint") if isinstance(value, str) else value
    if not is_number(number) or (isinstance(number, float) and not math.isfinite(number)):
        raise CelError(NO_OVERLOAD)
    return Uint(whole(int(number), Uint(0)))


def to_double(value: Any) -> float:
    """`double(x)`."""
    if isinstance(value, str) or is_number(value):
        try:
            return float(value)
        except ValueError as error:
            raise CelError(f"type conversion error: {error}") from error
    raise CelError(NO_OVERLOAD)


def text_of(value: Any) -> str:
    """`string(x)`; lists and maps too, as format() prints them."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, bytes):
        return _decoded(value)
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
    shown: dict[type, Callable[[Any], str]] = {
        type(None): lambda _: "null",
        datetime: print_timestamp,
        timedelta: print_duration,
        TypeName: lambda t: str(t.name),
        list: lambda items: f"[{', '.join(map(text_of, items))}]",
        dict: _map_text,
    }
    return shown.get(type(value), str)(value)


def _decoded(value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError as error:
        raise CelError("invalid UTF-8 in bytes, cannot convert to string") from error


def _map_text(value: dict[Any, Any]) -> str:
    entries = sorted((text_of(k), text_of(v)) for k, v in value.items())
    return "{" + ", ".join(f"{k}: {v}" for k, v in entries) + "}"


def to_bool(value: Any) -> bool:
    """`bool(x)`."""
    if isinstance(value, bool):
        return value
    words = {"true": True, "1": True, "t": True, "false": False, "0": False, "f": False}
    if isinstance(value, str) and value.lower() in words:
        return words[value.lower()]
    raise CelError(f"type conversion error: cannot convert {value!r} to bool")


def to_bytes(value: Any) -> bytes:
    """`bytes(x)`."""
    if isinstance(value, str):
        return value.encode()
    if isinstance(value, bytes):
        return value
    raise CelError(NO_OVERLOAD)


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "int": to_int,
    "uint": to_uint,
    "double": to_double,
    "string": text_of,
    "bool": to_bool,
    "bytes": to_bytes,
    "timestamp": timestamp,
    "duration": duration,
    "dyn": lambda value: value,
    "type": lambda value: TypeName(type_of(value)),
}
