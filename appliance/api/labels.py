"""Label selectors: parse, match, print.

    Selector.parse("app=web,tier in (front, edge),!old").matches(pod.metadata.labels)

A selector is a tuple of requirements that must all hold. Errors are worded as upstream's
(apimachinery `labels/selector.go`), whose grammar this follows.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache

from typing_extensions import override

from appliance.api import names
from appliance.api.errors import BadRequest
from appliance.api.meta import LabelSelector

_TOKEN = re.compile(r"\s*(==|!=|=|[(),!<>]|[^\s=!(),<>]+|$)")
_OPERATORS = {
    "in": "in",
    "notin": "notin",
    "=": "=",
    "==": "==",
    "!=": "!=",
    ">": "gt",
    "<": "lt",
}
_SPECIAL = frozenset("=!(),<>")
_INTEGER = re.compile(r"[+-]?\d+", re.ASCII)
_FROM_OPERATOR = {"In": "in", "NotIn": "notin", "Exists": "exists", "DoesNotExist": "!"}


@dataclass(frozen=True, slots=True)
class Requirement:
    """One test on the labels of an object."""

    key: str
    operator: str
    """in, notin, =, ==, !=, exists, !, gt or lt."""
    values: tuple[str, ...] = ()

    def holds(self, labels: Mapping[str, str]) -> bool:
        """Whether these labels pass the test."""
        value = labels.get(self.key)
        if self.operator in {"in", "=", "=="}:
            return value in self.values
        if self.operator in {"notin", "!="}:
            return value not in self.values
        if self.operator == "exists":
            return value is not None
        if self.operator == "!":
            return value is None
        if value is None or not _INTEGER.fullmatch(value):
            return False
        limit = int(self.values[0])
        return int(value) > limit if self.operator == "gt" else int(value) < limit

    @override
    def __str__(self) -> str:
        if self.operator in {"in", "notin"}:
            return f"{self.key} {self.operator} ({','.join(sorted(self.values))})"
        if self.operator == "exists":
            return self.key
        if self.operator == "!":
            return f"!{self.key}"
        sign = {"gt": ">", "lt": "<"}.get(self.operator, self.operator)
        return f"{self.key}{sign}{self.values[0]}"


@dataclass(frozen=True, slots=True)
class Selector:
    """Requirements that must all hold; without any, everything matches."""

    requirements: tuple[Requirement, ...] = ()
    nothing: bool = field(default=False, kw_only=True)
    """Selects no object at all, as a null selector does."""

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Whether an object with these labels is selected."""
        return not self.nothing and all(r.holds(labels) for r in self.requirements)

    @property
    def is_everything(self) -> bool:
        """Whether there is nothing to test."""
        return not self.requirements and not self.nothing

    @override
    def __str__(self) -> str:
        return ",".join(str(r) for r in self.requirements)

    @staticmethod
    def parse(text: str) -> "Selector":
        """Read a selector as `kubectl -l` takes it.

        Raises:
            BadRequest: worded as kube-apiserver does.
        """
        return parse(text)


EVERYTHING = Selector()
NOTHING = Selector(nothing=True)


def everything() -> Selector:
    """Select all objects."""
    return EVERYTHING


def from_map(labels: Mapping[str, str]) -> Selector:
    """Select by exact labels, e.g. spec.selector of a service."""
    return Selector(tuple(Requirement(k, "=", (v,)) for k, v in sorted(labels.items())))


def from_label_selector(selector: LabelSelector | None) -> Selector:
    """Select as the API type says: null nothing, empty everything.

    Raises:
        BadRequest: an operator is unknown.
    """
    if selector is None:
        return NOTHING
    found = [Requirement(k, "=", (v,)) for k, v in selector.matchLabels.items()]
    for expression in selector.matchExpressions:
        operator = _FROM_OPERATOR.get(expression.operator)
        if operator is None:
            raise BadRequest(f'"{expression.operator}" is not a valid label selector operator')
        found.append(Requirement(expression.key, operator, tuple(expression.values)))
    return Selector(tuple(sorted(found, key=lambda r: r.key)))


@lru_cache(maxsize=1024)
def parse(text: str) -> Selector:
    """Read a selector; see `Selector.parse`."""
    reader = _Reader(text)
    found: list[Requirement] = []
    while True:
        word = reader.peek()
        if word == "":
            break
        if word in _SPECIAL - {"!"} or word in {"==", "!="}:
            raise BadRequest(f"found '{word}', expected: !, identifier, or 'end of string'")
        found.append(_requirement(reader))
        word = reader.take()
        if not word:
            break
        if word != ",":
            raise BadRequest(f"found '{word}', expected: ',' or 'end of string'")
        after = reader.peek()
        if not _is_identifier(after) and after != "!":
            raise BadRequest(f"found '{after}', expected: identifier after ','")
    return Selector(tuple(sorted(found, key=lambda r: r.key)))


class _Reader:
    def __init__(self, text: str) -> None:
        self._tokens: list[str] = []
        position = 0
        while position < len(text):
            match = _TOKEN.match(text, position)
            if match is None or not match[1]:
                break
            self._tokens.append(match[1])
            position = match.end()
        self._next = 0

    def peek(self) -> str:
        return self._tokens[self._next] if self._next < len(self._tokens) else ""

    def take(self) -> str:
        word = self.peek()
        self._next += 1
        return word


def _is_identifier(word: str) -> bool:
    return bool(word) and word[0] not in _SPECIAL


def _requirement(reader: _Reader) -> Requirement:
    try:
        return _read_requirement(reader)
    except _Fault as fault:
        raise BadRequest(f"unable to parse requirement: {fault}") from fault


class _Fault(Exception):
    pass


def _read_requirement(reader: _Reader) -> Requirement:
    word = reader.take()
    absent = word == "!"
    if absent:
        word = reader.take()
    if not _is_identifier(word):
        raise _Fault(f"found '{word}', expected: identifier")
    key = word
    if faults := names.qualified_name(key):
        raise _Fault(f'key: Invalid value: "{key}": {"; ".join(faults)}')
    if absent:
        return Requirement(key, "!")
    if reader.peek() in {"", ","}:
        return Requirement(key, "exists")
    word = reader.take()
    operator = _OPERATORS.get(word)
    if operator is None:
        raise _Fault(f"found '{word}', expected: in, notin, =, ==, !=, gt, lt")
    values = _set(reader) if operator in {"in", "notin"} else (_exact(reader),)
    _check_values(key, operator, values)
    return Requirement(key, operator, values)


def _exact(reader: _Reader) -> str:
    word = reader.peek()
    if word in {"", ","}:
        return ""
    if not _is_identifier(word):
        raise _Fault(f"found '{word}', expected: identifier")
    return reader.take()


def _set(reader: _Reader) -> tuple[str, ...]:
    word = reader.take()
    if word != "(":
        raise _Fault(f"found '{word}' expected: '('")
    values = [""]
    while (word := reader.take()) != ")":
        if word == ",":
            values.append("")
        elif _is_identifier(word) and not values[-1]:
            values[-1] = word
        elif _is_identifier(word) or not word:
            raise _Fault(f"found '{word}', expected: ',' or ')'")
        else:
            raise _Fault(f"found '{word}', expected: ',', ')' or identifier")
    return tuple(dict.fromkeys(values))


def _check_values(key: str, operator: str, values: tuple[str, ...]) -> None:
    if operator in {"gt", "lt"} and not _INTEGER.fullmatch(values[0]):
        raise _Fault(
            f'values[0]: Invalid value: "{values[0]}":'
            " for 'Gt', 'Lt' operators, the value must be an integer"
        )
    for index, value in enumerate(values):
        if faults := names.label_value(value):
            raise _Fault(f'values[{index}][{key}]: Invalid value: "{value}": {"; ".join(faults)}')
