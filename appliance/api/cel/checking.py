"""What can be said of an expression before it is worked out: names, functions, declared fields.

Types are not inferred beyond the fields of schemas: a sum of a text and a number is found when the
expression runs. Source: for the messages, cel-go `checker`.
"""

from collections.abc import Iterator
from typing import Any

from appliance.api.cel.library import FUNCTIONS, METHODS
from appliance.api.cel.operators import BINARY, UNARY
from appliance.api.cel.syntax import (
    Call,
    CelSyntaxError,
    Ident,
    Index,
    ListOf,
    Loop,
    MapOf,
    Node,
    Select,
    Struct,
)

Json = dict[str, Any]
_TYPES = frozenset({
    *("int", "uint", "double", "string", "bool", "bytes", "list", "map"),
    *("null_type", "type", "optional", "sets", "lists"),
})  # fmt: skip
_OPERATORS = frozenset({"_&&_", "_||_", "_?_:_", *BINARY, *UNARY})
_OPEN = "x-kubernetes-preserve-unknown-fields"


def check(text: str, node: Node, names: frozenset[str] | set[str], schemas: Json) -> None:
    """Go through an expression; `schemas` are of variables whose fields are known.

    Raises:
        CelSyntaxError: it names what is not there.
    """
    for fault, at in _faults(node, frozenset(names), schemas):
        raise CelSyntaxError(text, at, fault)


def _faults(node: Node, names: frozenset[str], schemas: Json) -> Iterator[tuple[str, int]]:
    if isinstance(node, Call):
        yield from _call(node, names, schemas)
    elif isinstance(node, Loop):
        yield from _loop(node, names, schemas)
    else:
        yield from _own(node, names, schemas)
        for part in _parts(node):
            yield from _faults(part, names, schemas)


def _own(node: Node, names: frozenset[str], schemas: Json) -> Iterator[tuple[str, int]]:
    if isinstance(node, Ident) and node.name not in names and node.name not in _TYPES:
        yield f"undeclared reference to '{node.name}' (in container '')", node.at
    elif isinstance(node, Select):
        known = _schema(node.target, schemas)
        if known is not None and _is_closed(known) and node.name not in known["properties"]:
            yield f"undefined field '{node.name}'", node.at


def _loop(node: Loop, names: frozenset[str], schemas: Json) -> Iterator[tuple[str, int]]:
    yield from _faults(node.target, names, schemas)
    element = _element(_schema(node.target, schemas), node)
    inner = {k: v for k, v in schemas.items() if k not in node.names} | element
    for part in (node.keep, node.step):
        if part is not None:
            yield from _faults(part, names | set(node.names), inner)


def _call(node: Call, names: frozenset[str], schemas: Json) -> Iterator[tuple[str, int]]:
    target = node.target
    if target is None:
        if node.name not in _OPERATORS and node.name not in FUNCTIONS:
            yield f"undeclared reference to '{node.name}' (in container '')", node.at
    elif isinstance(target, Ident) and f"{target.name}.{node.name}" in FUNCTIONS:
        target = None
    elif node.name not in METHODS:
        yield f"undeclared reference to '{node.name}' (in container '')", node.at
    for part in (*([target] if target is not None else ()), *node.args):
        yield from _faults(part, names, schemas)


def _parts(node: Node) -> Iterator[Node]:
    if isinstance(node, Select):
        yield node.target
    elif isinstance(node, Index):
        yield from (node.target, node.key)
    elif isinstance(node, ListOf):
        yield from node.items
    elif isinstance(node, MapOf):
        for key, value in node.entries:
            yield from (key, value)
    elif isinstance(node, Struct):
        for _, value in node.fields:
            yield value


def _is_closed(schema: Json) -> bool:
    return bool(schema.get("properties")) and not schema.get(_OPEN) and "x-open" not in schema


def _schema(node: Node, schemas: Json) -> Json | None:
    """The schema of what a chain of fields gives, where it is known."""
    found: Any = None
    if isinstance(node, Ident):
        found = schemas.get(node.name)
    elif isinstance(node, Select) and not node.test:
        above = _schema(node.target, schemas)
        found = above and (above.get("properties") or {}).get(node.name)
    elif isinstance(node, Index):
        above = _schema(node.target, schemas)
        found = above and (above.get("items") or above.get("additionalProperties"))
    return found if isinstance(found, dict) else None


def _element(schema: Json | None, node: Loop) -> Json:
    """Schemas of a loop's names."""
    inside = schema.get("items") if schema else None
    return {node.names[-1]: inside} if isinstance(inside, dict) else {}
