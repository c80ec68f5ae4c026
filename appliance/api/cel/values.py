"""Values of the expression language that Python has no type for, and what is equal or less.

int, double, string, bytes, bool, null, list and map are Python's own.
"""

import ipaddress
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import SplitResult

from appliance.api.quantity import Amount


class CelError(Exception):
    """An expression could not be worked out; the text says why."""


class OutOfBudget(CelError):
    """It took more steps than one expression may."""


class Uint(int):
    """An unsigned number; apart from int, as the language has it."""


@dataclass(frozen=True, slots=True)
class Maybe:
    """An optional value."""

    present: bool
    value: Any = None


NOTHING = Maybe(present=False)


@dataclass(frozen=True, slots=True)
class TypeName:
    """What `type(x)` gives."""

    name: str


@dataclass(frozen=True, slots=True)
class Made:
    """An object that an expression makes: `Object{…}`, `JSONPatch{…}`."""

    type: str
    fields: dict[str, Any]


Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Interface | ipaddress.IPv6Interface
_TYPES: tuple[tuple[type, str], ...] = (
    (bool, "bool"),
    (Uint, "uint"),
    (int, "int"),
    (float, "double"),
    (str, "string"),
    (bytes, "bytes"),
    (list, "list"),
    (dict, "map"),
    (datetime, "google.protobuf.Timestamp"),
    (timedelta, "google.protobuf.Duration"),
    (TypeName, "type"),
    (Maybe, "optional_type"),
    (Amount, "kubernetes.Quantity"),
    (SplitResult, "kubernetes.URL"),
    (ipaddress.IPv4Interface, "net.CIDR"),
    (ipaddress.IPv6Interface, "net.CIDR"),
    (ipaddress.IPv4Address, "net.IP"),
    (ipaddress.IPv6Address, "net.IP"),
)


def type_of(value: Any) -> str:
    """Name a value's type."""
    if value is None:
        return "null_type"
    if isinstance(value, Made):
        return value.type
    return next((name for kind, name in _TYPES if isinstance(value, kind)), "dyn")


def is_number(value: Any) -> bool:
    """Whether it is an int, a uint or a double."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def equal(one: Any, other: Any) -> bool:
    """`==`: numbers by value, all else within its type."""
    if is_number(one) and is_number(other):
        return bool(one == other)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(equal, one, other))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(equal(v, other[k]) for k, v in one.items())
    if isinstance(one, Maybe) and isinstance(other, Maybe):
        return one.present == other.present and equal(one.value, other.value)
    return type(one) is type(other) and bool(one == other)


def compare(one: Any, other: Any, test: Callable[[Any, Any], bool]) -> bool:
    """`<` and its like.

    Raises:
        CelError: the two have no order.
    """
    if is_number(one) and is_number(other):
        return test(one, other)
    ordered = (str, bytes, bool, datetime, timedelta)
    if type(one) is type(other) and isinstance(one, ordered):
        return test(one, other)
    raise CelError("no such overload")
