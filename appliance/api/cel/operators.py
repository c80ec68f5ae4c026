"""Arithmetic, order, membership. Numbers overflow as errors, as the language has it."""

import math
import operator
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from appliance.api.cel.values import CelError, Uint, compare, equal, is_number

NO_OVERLOAD = "no such overload"
_LOWEST, _HIGHEST = -(2**63), 2**63 - 1
_LENGTH = 1_000_000
"""Texts and lists that grow beyond this end the expression."""


def whole(value: int, like: Any) -> int:
    """A number of the kind of `like`, if it is one.

    Raises:
        CelError: it is out of range.
    """
    if isinstance(like, Uint):
        if not 0 <= value < 2**64:
            raise CelError("unsigned integer overflow")
        return Uint(value)
    if not _LOWEST <= value <= _HIGHEST:
        raise CelError("integer overflow")
    return value


def _same_numbers(one: Any, other: Any) -> bool:
    if not is_number(one) or not is_number(other):
        return False
    kinds = {isinstance(v, float) for v in (one, other)} | set()
    return len(kinds) == 1 and isinstance(one, Uint) == isinstance(other, Uint)


def _arithmetic(work: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    def do(one: Any, other: Any) -> Any:
        if not _same_numbers(one, other):
            raise CelError(NO_OVERLOAD)
        found = work(one, other)
        return found if isinstance(one, float) else whole(int(found), one)

    return do


_sum = _arithmetic(operator.add)
_difference = _arithmetic(operator.sub)


def add(one: Any, other: Any) -> Any:
    """`+`."""
    kinds = (type(one), type(other))
    if kinds in {(str, str), (bytes, bytes), (list, list)}:
        if len(one) + len(other) > _LENGTH:
            raise CelError("a value grows too long")
        return one + other
    if isinstance(other, timedelta) and isinstance(one, datetime | timedelta):
        return _timely(lambda: one + other)
    if isinstance(other, datetime) and isinstance(one, timedelta):
        return _timely(lambda: other + one)
    return _sum(one, other)


def subtract(one: Any, other: Any) -> Any:
    """`-`."""
    timely = (datetime, timedelta)
    if isinstance(one, timely) and isinstance(other, timely):
        if isinstance(one, timedelta) and isinstance(other, datetime):
            raise CelError(NO_OVERLOAD)
        return _timely(lambda: operator.sub(one, other))
    return _difference(one, other)


def _timely(work: Callable[[], Any]) -> Any:
    try:
        return work()
    except OverflowError as error:
        raise CelError("timestamp overflow") from error


def _divide(one: Any, other: Any) -> Any:
    if isinstance(one, float):
        return one / other if other else math.copysign(math.inf, one) if one else math.nan
    if not other:
        raise CelError("division by zero")
    found = abs(one) // abs(other)
    return found if (one < 0) == (other < 0) else -found


def _remainder(one: Any, other: Any) -> Any:
    if isinstance(one, float):
        raise CelError(NO_OVERLOAD)
    if not other:
        raise CelError("modulus by zero")
    return abs(one) % abs(other) * (-1 if one < 0 else 1)


def negate(value: Any) -> Any:
    """`-x`."""
    if isinstance(value, timedelta):
        return -value
    if not is_number(value) or isinstance(value, Uint):
        raise CelError(NO_OVERLOAD)
    return -value if isinstance(value, float) else whole(-value, value)


def invert(value: Any) -> bool:
    """`!x`."""
    if not isinstance(value, bool):
        raise CelError(NO_OVERLOAD)
    return not value


def contains(one: Any, other: Any) -> bool:
    """`in`."""
    if isinstance(other, dict):
        return not isinstance(one, list | dict) and one in other
    if isinstance(other, list):
        return any(equal(one, item) for item in other)
    raise CelError(NO_OVERLOAD)


def _ordered(test: Callable[[Any, Any], bool]) -> Callable[[Any, Any], bool]:
    return lambda one, other: compare(one, other, test)


BINARY: dict[str, Callable[[Any, Any], Any]] = {
    "_+_": add,
    "_-_": subtract,
    "_*_": _arithmetic(operator.mul),
    "_/_": _arithmetic(_divide),
    "_%_": _arithmetic(_remainder),
    "_==_": equal,
    "_!=_": lambda one, other: not equal(one, other),
    "_<_": _ordered(operator.lt),
    "_<=_": _ordered(operator.le),
    "_>_": _ordered(operator.gt),
    "_>=_": _ordered(operator.ge),
    "@in": contains,
}
UNARY: dict[str, Callable[[Any], Any]] = {"-_": negate, "!_": invert}
