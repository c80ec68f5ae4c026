"""Merging and taking apart objects by their schema, for server-side apply.

Pure functions on plain JSON data; inputs are not changed, untouched parts are shared. Source:
structured-merge-diff `typed/merge.go` and `typed/remove.go`.
"""

from collections import deque
from typing import Any

from appliance.api.fieldsets import (
    ABSENT,
    NO_RULES,
    FieldSet,
    Path,
    known,
    rules_below,
    step_of_item,
)
from appliance.api.fieldtypes import Shape, shape_of_struct
from appliance.api.schema import Message, Rules


def merge(struct: type[Message], live: dict[str, Any], patch: dict[str, Any]) -> dict[str, Any]:
    """Put what `patch` states into `live`."""
    merged: dict[str, Any] = _merge(shape_of_struct(struct), NO_RULES, live, patch)
    return merged


def _merge(shape: Shape | None, rules: Rules, live: Any, patch: Any) -> Any:
    if patch is ABSENT:
        return live
    shape = known(shape, live, patch)
    if shape is None or live is ABSENT or shape.is_atomic(rules):
        return patch
    if shape.form == "list":
        return _merge_list(shape, rules, live or [], patch or [])
    if not isinstance(live, dict) or not isinstance(patch, dict):
        return live if patch is None else patch
    merged = dict(live)
    for key, value in patch.items():
        child, child_rules, _ = rules_below(shape, key)
        merged[key] = _merge(child, child_rules, live.get(key, ABSENT), value)
    return merged


def _merge_list(shape: Shape, rules: Rules, live: list[Any], patch: list[Any]) -> list[Any]:
    """Elements of the patch keep their order; others stay where they were around them."""
    ours = {step_of_item(rules, item): item for item in patch}
    lives: dict[str, Any] = {}
    for item in live:
        lives.setdefault(step_of_item(rules, item), item)
    order = merged_order([step_of_item(rules, item) for item in live], list(ours))
    result = []
    done: set[str] = set()
    spare = [item for item in live if step_of_item(rules, item) not in ours]
    extras = iter(spare)
    for step in order:
        if step in ours:
            if step not in done:
                old = lives.get(step, ABSENT)
                result.append(_merge(shape.element, NO_RULES, old, ours[step]))
            done.add(step)
        else:
            result.append(next(extras))
    return result


def merged_order(live: list[str], ours: list[str]) -> list[str]:
    """Interleave two orders: ours holds, and what only the other has stays in its place.

    An element that both have is where ours wants it; those that only the live list has come
    before the first shared element that stood behind them.
    """
    in_live, in_ours = set(live), set(ours)
    shared = deque(step for step in ours if step in in_live)
    left = deque(live)
    merged: list[str] = []
    for step in ours:
        wanted = shared[0] if shared else None
        while left and left[0] != wanted:
            head = left.popleft()
            if head not in in_ours:
                merged.append(head)
        merged.append(step)
        if step == wanted:
            shared.popleft()
            if left:
                left.popleft()
    return merged + [step for step in left if step not in in_ours]


def remove(struct: type[Message], data: dict[str, Any], fields: FieldSet) -> dict[str, Any]:
    """Take these fields out; what becomes empty by it goes too."""
    left = _remove(shape_of_struct(struct), NO_RULES, data, _tree(fields))
    return left if isinstance(left, dict) else {}


class _Node(dict[str, "_Node"]):
    """A set of fields as a tree: whether the step itself is in it, and the steps below."""

    __slots__ = ("member",)

    def __init__(self) -> None:
        super().__init__()
        self.member = False


def _tree(fields: FieldSet) -> _Node:
    root = _Node()
    for path in fields:
        node = root
        for step in path:
            node = node.setdefault(step, _Node())
        node.member = True
    return root


def _remove(shape: Shape | None, rules: Rules, data: Any, gone: _Node) -> Any:
    """Give what is left, or None where nothing is."""
    shape = known(shape, data)
    if shape is None or not data or shape.is_atomic(rules):
        return data
    if shape.form == "list":
        return _remove_items(shape, rules, data, gone)
    if not isinstance(data, dict):
        return data
    kept: dict[str, Any] = {}
    for key, value in data.items():
        node = gone.get(f"f:{key}")
        if node is None:
            kept[key] = value
        elif not node.member:
            child, child_rules, _ = rules_below(shape, key)
            part = _remove(child, child_rules, value, node)
            if part is not None:
                kept[key] = part
    return kept or None


def _remove_items(shape: Shape, rules: Rules, data: list[Any], gone: _Node) -> Any:
    items = []
    for item in data:
        node = gone.get(step_of_item(rules, item))
        if node is None:
            items.append(item)
        elif not node.member:
            # The element itself stays, and what names it with it.
            left = _remove(shape.element, NO_RULES, item, node)
            items.append({k: item[k] for k in rules.list_keys if k in item} | (left or {}))
    return items or None


def named_fields(struct: type[Message], fields: FieldSet) -> FieldSet:
    """Add the fields of structs that lie on the way to members: they can be removed as such."""
    found: set[Path] = set(fields)
    for path in fields:
        for length in _declared(struct, path):
            found.add(path[:length])
    return frozenset(found)


def _declared(struct: type[Message], path: Path) -> list[int]:
    """Lengths of the beginnings of a path that end with a field that a struct declares."""
    lengths = []
    shape: Shape | None = shape_of_struct(struct)
    for place, step in enumerate(path):
        if shape is None:
            break
        if shape.form == "struct" and step.startswith("f:"):
            below, _, declared = rules_below(shape, step[2:])
            if not declared:
                break
            lengths.append(place + 1)
            shape = below
        else:
            shape = shape.element
    return lengths
