"""Pruning and defaulting by a structural schema.

Schemas are used as the definition has them, plain JSON. `prune` drops what no property declares
and says what it dropped, `set_defaults` puts in what is missing. Both change the value they are
given. Pure; depth is bounded by the JSON reader. Source: apiextensions-apiserver
`pkg/apiserver/schema/{pruning,defaulting}`.
"""

import copy
from collections.abc import Iterator
from typing import Any

Json = dict[str, Any]

PRESERVE = "x-kubernetes-preserve-unknown-fields"
EMBEDDED = "x-kubernetes-embedded-resource"
INT_OR_STRING = "x-kubernetes-int-or-string"
LIST_TYPE = "x-kubernetes-list-type"
LIST_KEYS = "x-kubernetes-list-map-keys"
MAP_TYPE = "x-kubernetes-map-type"
RULES = "x-kubernetes-validations"
OWN = ("apiVersion", "kind", "metadata")
"""What every object has without saying so in its schema."""


def prune(schema: Json, value: Any, path: str = "", *, is_root: bool = True) -> list[str]:
    """Drop what the schema does not declare; give the paths of what was dropped."""
    return list(_prune(schema, value, path, is_object=is_root))


def _prune(schema: Json, value: Any, path: str, *, is_object: bool) -> Iterator[str]:
    if isinstance(value, dict):
        yield from _prune_map(schema, value, path, is_object=is_object)
    elif isinstance(value, list) and isinstance(schema.get("items"), dict):
        for index, item in enumerate(value):
            inside = schema["items"]
            embedded = bool(inside.get(EMBEDDED))
            yield from _prune(inside, item, f"{path}[{index}]", is_object=embedded)


def _prune_map(schema: Json, value: Json, path: str, *, is_object: bool) -> Iterator[str]:
    declared = schema.get("properties") or {}
    others = schema.get("additionalProperties")
    keeps = bool(schema.get(PRESERVE))
    for key in list(value):
        below = f"{path}.{key}" if path else key
        if is_object and key in OWN:
            continue
        inside = declared.get(key)
        if inside is None and isinstance(others, dict):
            inside = others
        if inside is not None:
            embedded = bool(inside.get(EMBEDDED))
            yield from _prune(inside, value[key], below, is_object=embedded)
        elif not keeps and others is not True:
            del value[key]
            yield below


def set_defaults(schema: Json, value: Any) -> None:
    """Put in what is missing; null where no null may be counts as missing."""
    inside = schema.get("items")
    if isinstance(value, list) and isinstance(inside, dict):
        for item in value:
            set_defaults(inside, item)
    elif isinstance(value, dict):
        _default_declared(schema, value)
        _default_others(schema, value)


def _default_declared(schema: Json, value: Json) -> None:
    for key, inside in (schema.get("properties") or {}).items():
        if key in value and value[key] is None and not inside.get("nullable"):
            del value[key]
        if key not in value and "default" in inside:
            value[key] = copy.deepcopy(inside["default"])
        if key in value:
            set_defaults(inside, value[key])


def _default_others(schema: Json, value: Json) -> None:
    others = schema.get("additionalProperties")
    if isinstance(others, dict):
        for key in [k for k in value if k not in (schema.get("properties") or {})]:
            if value[key] is None and not others.get("nullable"):
                if "default" not in others:
                    del value[key]
                    continue
                value[key] = copy.deepcopy(others["default"])
            set_defaults(others, value[key])


def has_rules(schema: Any) -> bool:
    """Whether there are rules in the expression language anywhere in a schema."""
    if isinstance(schema, dict):
        return RULES in schema or any(has_rules(part) for part in schema.values())
    return isinstance(schema, list) and any(has_rules(part) for part in schema)
