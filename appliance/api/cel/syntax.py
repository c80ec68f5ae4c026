"""What an expression is made of after parsing. `at` is the place in the text, for messages."""

from dataclasses import dataclass, field
from typing import Any


class CelSyntaxError(ValueError):
    """The text is no expression, or names something that is not there; printed as upstream does."""

    def __init__(self, text: str, at: int, why: str) -> None:
        line = text.count("\n", 0, at) + 1
        start = text.rfind("\n", 0, at) + 1
        column = at - start
        shown = text[start:].partition("\n")[0]
        marker = "." * column + "^"
        super().__init__(f"ERROR: <input>:{line}:{column + 1}: {why}\n | {shown}\n | {marker}")


@dataclass(frozen=True, slots=True)
class Literal:
    """A value that stands in the text."""

    value: Any
    at: int


@dataclass(frozen=True, slots=True)
class Ident:
    """A variable, or the first part of a qualified name."""

    name: str
    at: int


@dataclass(frozen=True, slots=True)
class Select:
    """A field: `a.b`; with `test` it is has(a.b); `optional` is `a.?b`."""

    target: "Node"
    name: str
    at: int
    test: bool = False
    optional: bool = False


@dataclass(frozen=True, slots=True)
class Index:
    """An element: `a[b]`; `optional` is `a[?b]`."""

    target: "Node"
    key: "Node"
    at: int
    optional: bool = False


@dataclass(frozen=True, slots=True)
class Call:
    """A function, a method where there is a target, or an operator such as `_+_`."""

    name: str
    target: "Node | None"
    args: tuple["Node", ...]
    at: int


@dataclass(frozen=True, slots=True)
class ListOf:
    """`[a, b, ?c]`; `optional` are the places of those that may be left out."""

    items: tuple["Node", ...]
    at: int
    optional: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class MapOf:
    """`{a: b}`."""

    entries: tuple[tuple["Node", "Node"], ...]
    at: int
    optional: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Struct:
    """`Object.spec{a: b}`."""

    type: str
    fields: tuple[tuple[str, "Node"], ...]
    at: int


@dataclass(frozen=True, slots=True)
class Loop:
    """A macro over elements: `all`, `exists`, `exists_one`, `filter`, `map`, and with two names."""

    kind: str
    target: "Node"
    names: tuple[str, ...]
    step: "Node"
    at: int
    keep: "Node | None" = field(default=None)
    """Only elements for which this holds; map with three arguments has it."""


Node = Literal | Ident | Select | Index | Call | ListOf | MapOf | Struct | Loop
