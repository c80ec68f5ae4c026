"""Resource quantities: `500m`, `1Gi`, `2e3`.

Parsing keeps the exact value; `text` prints the one canonical form that upstream prints, so that
`0.5` and `500m` are stored alike. Values finer than a billionth are rounded up, values beyond
2**63-1 are cut, both as upstream does. Source: apimachinery `api/resource`.
"""

import re
from dataclasses import dataclass
from fractions import Fraction
from functools import cache, lru_cache, total_ordering
from typing import Any, Literal

from typing_extensions import override

from appliance.api.fieldtypes import Shape, fields_of, shape_of_struct
from appliance.api.schema import Message

SYNTAX = (
    "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"
)
NUMERIC = "unable to parse numeric part of quantity"
SUFFIX = "unable to parse quantity's suffix"

LARGEST = 2**63 - 1
_NANO = 10**9

_FORM = re.compile(r"([+-]?)(\d*)(?:\.(\d*))?([eEinumkKMGTP]*[-+]?\d*)", re.ASCII)
_EXPONENT = re.compile(r"[eE]([-+]?\d+)", re.ASCII)

_DECIMAL = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_BINARY = {"Ki": 1, "Mi": 2, "Gi": 3, "Ti": 4, "Pi": 5, "Ei": 6}
_DECIMAL_NAMES = {power: name for name, power in _DECIMAL.items()}
_BINARY_NAMES = {power: name for name, power in _BINARY.items()} | {0: ""}

Style = Literal["decimal", "binary", "exponent"]


class QuantityError(ValueError):
    """The text is no quantity; the message is upstream's."""


@total_ordering
@dataclass(frozen=True, slots=True, eq=False)
class Amount:
    """An exact amount, and the style it was written in."""

    value: Fraction
    style: Style = "decimal"

    @override
    def __eq__(self, other: object) -> bool:
        return isinstance(other, Amount) and self.value == other.value

    def __lt__(self, other: "Amount") -> bool:
        return self.value < other.value

    @override
    def __hash__(self) -> int:
        return hash(self.value)

    def __add__(self, other: "Amount") -> "Amount":
        # The style of the first one that says something wins, as upstream's Add has it.
        style = self.style if self.value else other.style
        return Amount(self.value + other.value, style)

    def __sub__(self, other: "Amount") -> "Amount":
        style = self.style if self.value else other.style
        return Amount(self.value - other.value, style)

    @override
    def __str__(self) -> str:
        return _print(self)


ZERO = Amount(Fraction(0))


@lru_cache(maxsize=4096)
def parse(text: str) -> Amount:
    """Read a quantity.

    Raises:
        QuantityError: it is none.
    """
    found = _FORM.fullmatch(text)
    if found is None or not text:
        raise QuantityError(SYNTAX)
    sign, whole, part, suffix = found.groups()
    part = part or ""
    if not whole and not part:
        raise QuantityError(SYNTAX if not suffix else NUMERIC)
    factor, style = _suffix(suffix)
    value = Fraction(int(whole + part), 10 ** len(part)) * factor
    value = min(value, Fraction(LARGEST))
    if (value * _NANO).denominator != 1:
        value = Fraction(_up(value * _NANO), _NANO)
    return Amount(-value if sign == "-" else value, style)


def read(value: str | float) -> Amount:
    """Read a quantity as JSON has it: text or a number."""
    return parse(value if isinstance(value, str) else str(value))


def canonical(value: str | float) -> str:
    """Give the one text of this amount: `0.5` becomes `500m`, `1024Mi` becomes `1Gi`."""
    return str(read(value))


def value(amount: str | float) -> int:
    """Whole units, rounded up."""
    return _up(read(amount).value)


def milli(amount: str | float) -> int:
    """Thousandths, rounded up: millicores of CPU."""
    return _up(read(amount).value * 1000)


def canonicalise(obj: Message) -> None:
    """Put every quantity of an object into its canonical text, in place."""
    _walk(obj, shape_of_struct(type(obj)))


def _walk(node: Any, shape: Shape) -> Any:
    if node is None:
        return None
    if shape.scalar == "quantity":
        return canonical(node)
    if shape.struct is not None and _holds_quantity(shape.struct):
        for field in fields_of(shape.struct).values():
            before = getattr(node, field.attribute)
            after = _walk(before, field.shape)
            if after is not before:
                setattr(node, field.attribute, after)
    elif shape.element is not None and _shape_holds(shape.element, set()):
        pairs = enumerate(node) if isinstance(node, list) else list(node.items())
        for key, part in pairs:
            node[key] = _walk(part, shape.element)
    return node


@cache
def _holds_quantity(struct: type[Message]) -> bool:
    return _shape_holds(shape_of_struct(struct), set())


def _shape_holds(shape: Shape, seen: set[type[Message]]) -> bool:
    if shape.element is not None:
        return _shape_holds(shape.element, seen)
    if shape.struct is None:
        return shape.scalar == "quantity"
    if shape.struct in seen:
        return False
    seen.add(shape.struct)
    return any(_shape_holds(f.shape, seen) for f in fields_of(shape.struct).values())


def _suffix(suffix: str) -> tuple[Fraction, Style]:
    if suffix in _DECIMAL:
        return Fraction(10) ** _DECIMAL[suffix], "decimal"
    if suffix in _BINARY:
        return Fraction(1024 ** _BINARY[suffix]), "binary"
    found = _EXPONENT.fullmatch(suffix)
    if found is None:
        raise QuantityError(SUFFIX)
    power = int(found[1])
    if abs(power) > 1000:  # 10**power must not be allowed to eat the machine
        raise QuantityError(SUFFIX)
    return Fraction(10) ** power, "exponent"


def _up(number: Fraction) -> int:
    """Round away from zero."""
    size = -(-abs(number).numerator // number.denominator)
    return size if number >= 0 else -size


def _print(amount: Amount) -> str:
    if not amount.value:
        return "0"
    whole = amount.value.denominator == 1
    if amount.style == "binary" and whole and abs(amount.value) >= 1024:
        number, power = _shed(int(amount.value), 1024)
        return f"{number}{_BINARY_NAMES[power]}"
    nanos = _up(amount.value * _NANO)
    number, power = _shed(nanos, 10)
    power -= 9
    number *= 10 ** (power % 3)
    power -= power % 3
    if amount.style == "exponent":
        return f"{number}e{power}" if power else str(number)
    if power > 18:
        number, power = number * 10 ** (power - 18), 18
    return f"{number}{_DECIMAL_NAMES[power]}"


def _shed(number: int, factor: int) -> tuple[int, int]:
    times = 0
    while number % factor == 0:
        number //= factor
        times += 1
    return number, times
