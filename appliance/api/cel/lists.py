"""Functions on lists and maps, and on sets."""

import operator
from collections.abc import Callable
from functools import cmp_to_key
from itertools import pairwise
from typing import Any

from appliance.api.cel.operators import NO_OVERLOAD, add
from appliance.api.cel.texts import INDEX, join
from appliance.api.cel.values import CelError, Maybe, compare, equal

_LENGTH = 100_000


def size(value: Any) -> int:
    """How many characters, bytes, elements or entries."""
    if isinstance(value, str | bytes | list | dict):
        return len(value)
    raise CelError(NO_OVERLOAD)


def _order(one: Any, other: Any) -> int:
    return -1 if compare(one, other, operator.lt) else int(compare(one, other, operator.gt))


def _sum(items: list[Any]) -> Any:
    found: Any = 0
    for place, item in enumerate(items):
        found = item if place == 0 else add(found, item)
    return found


def _extreme(sign: int) -> Callable[[list[Any]], Any]:
    def choose(items: list[Any]) -> Any:
        if not items:
            raise CelError(f"{'min' if sign < 0 else 'max'} called on empty list")
        best = items[0]
        for item in items[1:]:
            if _order(item, best) * sign > 0:
                best = item
        return best

    return choose


def _index_of(items: list[Any], wanted: Any) -> int:
    return next((n for n, item in enumerate(items) if equal(item, wanted)), -1)


def _last_index_of(items: list[Any], wanted: Any) -> int:
    return next((n for n in reversed(range(len(items))) if equal(items[n], wanted)), -1)


def _slice(items: list[Any], start: int, end: int) -> list[Any]:
    if not 0 <= start <= end <= len(items):
        raise CelError(f"cannot slice({start}, {end}), list is length {len(items)}")
    return items[start:end]


def _flatten(items: list[Any], depth: int = 1) -> list[Any]:
    made: list[Any] = []
    for item in items:
        made += _flatten(item, depth - 1) if isinstance(item, list) and depth > 0 else [item]
    return made


def _distinct(items: list[Any]) -> list[Any]:
    made: list[Any] = []
    for item in items:
        if not any(equal(item, other) for other in made):
            made.append(item)
    return made


def _is_sorted(items: list[Any]) -> bool:
    return all(_order(one, other) <= 0 for one, other in pairwise(items))


def _either(texts: Callable[..., Any], items: Callable[..., Any]) -> Callable[..., Any]:
    def do(target: Any, *args: Any) -> Any:
        try:
            return (texts if isinstance(target, str) else _listed(items))(target, *args)
        except TypeError as error:
            raise CelError(NO_OVERLOAD) from error

    return do


def _listed(work: Callable[..., Any]) -> Callable[..., Any]:
    def do(target: Any, *args: Any) -> Any:
        if not isinstance(target, list):
            raise CelError(NO_OVERLOAD)
        if len(target) > _LENGTH:
            raise CelError("the list is too long")
        try:
            return work(target, *args)
        except TypeError as error:
            raise CelError(NO_OVERLOAD) from error

    return do


def _contains_all(one: list[Any], other: list[Any]) -> bool:
    return all(any(equal(item, mine) for mine in one) for item in other)


METHODS: dict[str, Callable[..., Any]] = {
    "size": size,
    "isSorted": _listed(_is_sorted),
    "sum": _listed(_sum),
    "min": _listed(_extreme(-1)),
    "max": _listed(_extreme(1)),
    "join": _listed(join),
    "slice": _listed(_slice),
    "flatten": _listed(_flatten),
    "distinct": _listed(_distinct),
    "sort": _listed(lambda items: sorted(items, key=cmp_to_key(_order))),
    "first": _listed(lambda items: Maybe(bool(items), items[0] if items else None)),
    "last": _listed(lambda items: Maybe(bool(items), items[-1] if items else None)),
    "reverse": _either(lambda text: text[::-1], lambda items: items[::-1]),
    "indexOf": _either(INDEX["indexOf"], _index_of),
    "lastIndexOf": _either(INDEX["lastIndexOf"], _last_index_of),
}
FUNCTIONS: dict[str, Callable[..., Any]] = {
    "size": size,
    "lists.range": lambda count: list(range(min(count, _LENGTH))),
    "sets.contains": _listed(_contains_all),
    "sets.equivalent": _listed(lambda a, b: _contains_all(a, b) and _contains_all(b, a)),
    "sets.intersects": _listed(lambda a, b: any(equal(x, y) for x in a for y in b)),
}
