"""Functions on strings, and regular expressions.

Patterns run on Python's engine, which has no bound on backtracking as RE2 has: so patterns of an
expression are short (`_PATTERN`), and so are texts that they look at (`_SUBJECT`).
"""

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from appliance.api.cel.conversions import text_of
from appliance.api.cel.values import CelError

_PATTERN, _SUBJECT = 1_000, 20_000
_DIRECTIVE = re.compile(r"%(?:\.(\d{1,2}))?(.)", re.DOTALL)


def _typed(kind: type, work: Callable[..., Any]) -> Callable[..., Any]:
    """A method that asks for a receiver of its type and does not fall over other arguments."""

    def do(target: Any, *args: Any) -> Any:
        if type(target) is not kind:
            raise CelError("no such overload")
        try:
            return work(target, *args)
        except (TypeError, AttributeError) as error:
            raise CelError("no such overload") from error

    return do


@lru_cache(maxsize=512)
def compiled(pattern: str) -> re.Pattern[str]:
    """A pattern, ready.

    Raises:
        CelError: it is none.
    """
    if len(pattern) > _PATTERN:
        raise CelError("the pattern is too long")
    try:
        return re.compile(pattern, re.ASCII)
    except (re.error, OverflowError, RecursionError) as error:
        raise CelError(f"error parsing regexp: {error}") from error


def _subject(text: str) -> str:
    if len(text) > _SUBJECT:
        raise CelError("the text is too long for a regular expression")
    return text


def matches(text: Any, pattern: Any) -> bool:
    """Whether a pattern is found in a text."""
    if not isinstance(text, str) or not isinstance(pattern, str):
        raise CelError("no such overload")
    return compiled(pattern).search(_subject(text)) is not None


def _find(text: str, pattern: str) -> str:
    found = compiled(pattern).search(_subject(text))
    return found.group() if found else ""


def _find_all(text: str, pattern: str, limit: int = -1) -> list[str]:
    every = [match.group() for match in compiled(pattern).finditer(_subject(text))]
    return every if limit < 0 else every[:limit]


def _at(text: str, index: int) -> str:
    if not 0 <= index <= len(text):
        raise CelError(f"index out of range: {index}")
    return text[index : index + 1]


def _index_of(text: str, part: str, start: int = 0) -> int:
    if not 0 <= start <= len(text):
        raise CelError(f"index out of range: {start}")
    return text.find(part, start)


def _last_index_of(text: str, part: str, end: int | None = None) -> int:
    if end is None:
        return text.rfind(part)
    if not 0 <= end < max(len(text), 1):
        raise CelError(f"index out of range: {end}")
    return text.rfind(part, 0, end + len(part))


def _substring(text: str, start: int, end: int | None = None) -> str:
    stop = len(text) if end is None else end
    if not 0 <= start <= stop <= len(text):
        raise CelError(f"invalid substring range. start: {start}, end: {stop}")
    return text[start:stop]


def _split(text: str, by: str, limit: int = -1) -> list[str]:
    if limit == 0:
        return []
    if limit == 1:
        return [text]
    if by:
        return text.split(by, limit - 1 if limit > 0 else -1)
    parts = list(text)
    return parts if limit < 0 else [*parts[: limit - 1], "".join(parts[limit - 1 :])]


def _replace(text: str, old: str, new: str, limit: int = -1) -> str:
    if len(text) * max(len(new), 1) > 10_000_000:
        raise CelError("a value grows too long")
    return text.replace(old, new, limit)


def _lower(text: str) -> str:
    return "".join(c.lower() if c.isascii() else c for c in text)


def _upper(text: str) -> str:
    return "".join(c.upper() if c.isascii() else c for c in text)


def join(items: list[Any], by: str = "") -> str:
    """Put texts together."""
    if not all(isinstance(item, str) for item in items):
        raise CelError("no such overload")
    return by.join(items)


def _format(text: str, args: list[Any]) -> str:
    rest = iter(args)

    def one(match: re.Match[str]) -> str:
        precision, how = match.groups()
        if how == "%":
            return "%"
        try:
            return _shown(next(rest), how, int(precision or 6))
        except StopIteration as error:
            raise CelError("index out of range in format()") from error

    return _DIRECTIVE.sub(one, text)


def _shown(value: Any, how: str, precision: int) -> str:
    if how == "s":
        return text_of(value)
    forms = {"d": "d", "x": "x", "X": "X", "o": "o", "b": "b", "f": f".{precision}f"}
    forms["e"] = f".{precision}e"
    if how not in forms:
        raise CelError(f'could not parse formatting clause: unrecognized formatting clause "{how}"')
    if how in "xX" and isinstance(value, str | bytes):
        found = (value.encode() if isinstance(value, str) else value).hex()
        return found.upper() if how == "X" else found
    try:
        return format(int(value) if how == "b" else value, forms[how])
    except (ValueError, TypeError) as error:
        raise CelError("could not parse formatting clause: no such overload") from error


_OWN: dict[str, Callable[..., Any]] = {
    "contains": lambda text, part: part in text,
    "startsWith": lambda text, part: text.startswith(part),
    "endsWith": lambda text, part: text.endswith(part),
    "charAt": _at,
    "substring": _substring,
    "split": _split,
    "replace": _replace,
    "lowerAscii": _lower,
    "upperAscii": _upper,
    "trim": lambda text: text.strip(),
    "format": _format,
    "find": _find,
    "findAll": _find_all,
    "matches": matches,
}
METHODS = {name: _typed(str, work) for name, work in _OWN.items()}
INDEX: dict[str, Callable[..., Any]] = {"indexOf": _index_of, "lastIndexOf": _last_index_of}
