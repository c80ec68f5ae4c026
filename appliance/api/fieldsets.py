"""Sets of field paths: who owns what in an object.

A path is a tuple of steps as FieldsV1 writes them:

    f:name                                a field or a key of a map
    k:{"port":80,"protocol":"TCP"}        an element of a list, by its keys
    v:"text"                              an element of a list of plain values

A set of fields is a frozenset of paths, so union, difference and intersection are Python's own.
`{"f:data": {".": {}, "f:k": {}}}` is the set {(f:data), (f:data, f:k)}. Pure; sizes follow the
object. Source: structured-merge-diff, `fieldpath` and `typed`.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from appliance.api.fieldtypes import DEDUCED, Shape, fields_of, shape_of_struct
from appliance.api.schema import Message, Rules
from appliance.kit import jsonio

Path = tuple[str, ...]
FieldSet = frozenset[Path]

EMPTY: FieldSet = frozenset()
ABSENT: Any = object()
"""Stands for a value that is not there; null is a value."""

NO_RULES = Rules()

_KEY_DEFAULTS: Mapping[str, Any] = {"protocol": "TCP", "name": ""}
"""List keys with a default: a port is a TCP port, and references may lack their name."""


class FieldSetError(ValueError):
    """Elements of a list cannot be told apart, or a stored set makes no sense."""


def parse(tree: Any) -> FieldSet:
    """Read FieldsV1.

    Raises:
        FieldSetError: it is no tree of steps.
    """
    return frozenset(_parse(tree, ()))


def _parse(tree: Any, path: Path) -> Iterator[Path]:
    if not isinstance(tree, dict):
        raise FieldSetError("FieldsV1 must be an object of objects")
    for step, below in tree.items():
        if step == ".":
            yield path
        elif step[:2] not in {"f:", "k:", "v:", "i:"}:
            raise FieldSetError(f"{step!r} is no step of a path")
        elif below == {}:
            yield (*path, step)
        else:
            yield from _parse(below, (*path, step))


def render(fields: FieldSet) -> dict[str, Any]:
    """Write FieldsV1."""
    root: dict[str, Any] = {}
    for path in sorted(fields):
        node = root
        for step in path:
            node = node.setdefault(step, {})
        node["."] = {}
    for path in fields:
        _shorten(root, path)
    return root


def _shorten(root: dict[str, Any], path: Path) -> None:
    """A leaf is written `{}`, not `{".": {}}`."""
    node = root
    for step in path[:-1]:
        node = node[step]
    if node[path[-1]].keys() == {"."}:
        node[path[-1]] = {}


def show(path: Path) -> str:
    """Print a path for people: `.spec.containers[name="c"].image`."""
    return "".join(_show_step(step) for step in path)


def _show_step(step: str) -> str:
    kind, text = step[:2], step[2:]
    if kind == "f:":
        return f".{text}"
    if kind == "k:":
        return show_keys(json.loads(text))
    return f"[{'=' if kind == 'v:' else ''}{text}]"


def show_keys(keys: Mapping[str, Any]) -> str:
    """`[port=80,protocol="TCP"]`."""
    inside = ",".join(f"{k}={jsonio.dumps(v).decode()}" for k, v in keys.items())
    return f"[{inside}]"


def in_order(fields: FieldSet) -> list[Path]:
    """Sort as upstream walks a set: at each level what ends there comes first."""
    return sorted(
        fields, key=lambda path: [(place < len(path) - 1, s) for place, s in enumerate(path)]
    )


def without_below(fields: FieldSet, roots: Iterable[Path]) -> FieldSet:
    """Drop the paths at and below each of `roots`."""
    roots = tuple(roots)
    return frozenset(p for p in fields if not any(p[: len(r)] == r for r in roots))


def rules_below(shape: Shape, key: str) -> tuple[Shape | None, Rules, bool]:
    """Shape and rules of a key of a struct or map, and whether a struct declares it."""
    if shape is DEDUCED:
        return DEDUCED, NO_RULES, False
    if shape.table is not None or shape.struct is not None:
        table = shape.table if shape.struct is None else fields_of(shape.struct)
        found = table.get(key) if table else None
        return (found.shape, found.rules, True) if found else (shape.element, NO_RULES, False)
    return shape.element, NO_RULES, False


def known(shape: Shape | None, *values: Any) -> Shape | None:
    """What is deduced is a map only where all values are; else it is owned as a whole."""
    if shape is DEDUCED and any(v is not ABSENT and not isinstance(v, dict) for v in values):
        return None
    return shape


def step_of_item(rules: Rules, item: Any) -> str:
    """Name an element of a list that is not atomic.

    Raises:
        FieldSetError: it has none of the keys.
    """
    if rules.list_type == "set":
        return "v:" + jsonio.dumps(item).decode()
    keys = {}
    for key in sorted(rules.list_keys):
        value = item.get(key, _KEY_DEFAULTS.get(key)) if isinstance(item, dict) else None
        if value is not None:
            keys[key] = value
    if not keys:
        raise FieldSetError(
            "associative list with keys has an element that omits key field"
            f' "{rules.list_keys[0]}" (and doesn\'t have default value)'
        )
    return "k:" + jsonio.dumps(keys).decode()


def of_object(struct: type[Message], data: Any) -> FieldSet:
    """Give the fields that a configuration states: what an applier comes to own.

    Raises:
        FieldSetError: an element of a list cannot be named.
    """
    found: set[Path] = set()
    _collect(shape_of_struct(struct), NO_RULES, data, (), into=found)
    return frozenset(found)


def _collect(shape: Shape | None, rules: Rules, data: Any, path: Path, *, into: set[Path]) -> None:
    shape = known(shape, data)
    if shape is None or shape.is_atomic(rules):
        into.add(path)
    elif shape.form == "list":
        for item in data or ():
            below = (*path, step_of_item(rules, item))
            _collect(shape.element, NO_RULES, item, below, into=into)
            into.add(below)
    else:
        for key, value in (data or {}).items():
            child, child_rules, declared = rules_below(shape, key)
            below = (*path, f"f:{key}")
            _collect(child, child_rules, value, below, into=into)
            if value is None or value == {} or not declared:
                into.add(below)


@dataclass(slots=True)
class Difference:
    """What one object has and another has not, or has otherwise."""

    added: set[Path] = field(default_factory=set)
    modified: set[Path] = field(default_factory=set)
    removed: set[Path] = field(default_factory=set)

    @property
    def touched(self) -> FieldSet:
        """Added and modified paths."""
        return frozenset(self.added | self.modified)

    def without(self, roots: Iterable[Path]) -> "Difference":
        """Leave out what lies at or below these paths."""
        roots = tuple(roots)
        parts = (self.added, self.modified, self.removed)
        return Difference(*(set(without_below(frozenset(part), roots)) for part in parts))


def compare(struct: type[Message], old: Any, new: Any) -> Difference:
    """Compare two objects field by field.

    Raises:
        FieldSetError: an element of a list cannot be named.
    """
    difference = Difference()
    _compare(shape_of_struct(struct), NO_RULES, (old, new), (), into=difference)
    return difference


def _compare(
    shape: Shape | None, rules: Rules, pair: tuple[Any, Any], path: Path, *, into: Difference
) -> None:
    old, new = pair
    shape = known(shape, old, new)
    if old == new and old is not ABSENT:
        return
    leaf = shape is None or shape.is_atomic(rules) or (_is_hollow(old) and _is_hollow(new))
    if shape is not None and not leaf:
        for step, part in _pairs(shape, rules, old, new).items():
            child, child_rules = shape.element, NO_RULES
            if shape.form != "list":
                child, child_rules, _ = rules_below(shape, step[2:])
            _compare(child, child_rules, part, (*path, step), into=into)
    if old is ABSENT:
        into.added.add(path)
    elif new is ABSENT:
        into.removed.add(path)
    elif leaf:
        into.modified.add(path)


def _is_hollow(value: Any) -> bool:
    return value is ABSENT or value is None or value in ({}, [])


def _pairs(shape: Shape, rules: Rules, old: Any, new: Any) -> dict[str, tuple[Any, Any]]:
    """Match the parts of two structs, maps or lists by their steps."""
    if shape.form == "list":
        sides = [_by_step(rules, side) for side in (old, new)]
    else:
        sides = [
            {f"f:{k}": v for k, v in side.items()} if isinstance(side, dict) else {}
            for side in (old, new)
        ]
    steps = dict.fromkeys([*sides[0], *sides[1]])
    return {s: (sides[0].get(s, ABSENT), sides[1].get(s, ABSENT)) for s in steps}


def _by_step(rules: Rules, items: Any) -> dict[str, Any]:
    """Elements by name; elements of one name (older objects have them) stand together."""
    found: dict[str, Any] = {}
    for item in items if isinstance(items, list) else ():
        step = step_of_item(rules, item)
        found[step] = [found[step], item] if step in found else item
    return found
