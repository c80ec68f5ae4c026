"""Values against a schema, refused in the words that users of custom resources know.

`validate` gives every fault of the content of an object. Rules in the expression language
(x-kubernetes-validations) are in `rules.py`. Pure.
Source: kube-openapi `pkg/validation`, apiextensions-apiserver `pkg/apiserver/validation`.
"""

import math
import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import msgspec

from appliance.api import faults
from appliance.api.custom import formats
from appliance.api.custom.structural import INT_OR_STRING, LIST_KEYS, LIST_TYPE, has_rules
from appliance.api.errors import Cause

Json = dict[str, Any]

UNCHECKED = (
    "some validation rules were not checked because the object was invalid; correct the existing"
    " errors to complete validation"
)
_BLOCKING = frozenset({
    "FieldValueRequired",
    "FieldValueTooLong",
    "FieldValueTooMany",
    "FieldValueTypeInvalid",
    "FieldValueNotSupported",
})  # fmt: skip
"""With one of these upstream does not go on to its rules, and says so."""


def validate(schema: Json, content: Json) -> tuple[list[Cause], bool]:
    """Give every fault of the content, which is all of an object but its metadata.

    And whether the schema's rules can be asked: they cannot where a type is wrong.
    """
    found = list(_value(schema, content, ""))
    found += _lists(schema, content, "")
    if has_rules(schema) and any(c.reason in _BLOCKING for c in found):
        found.append(Cause("FieldValueInvalid", f"Invalid value: null: {UNCHECKED}", "<nil>"))
        return found, False
    return found, True


def _value(schema: Json, value: Any, path: str) -> Iterator[Cause]:
    if value is None and schema.get("nullable"):
        return
    wrong = list(_type(schema, value, path))
    yield from wrong
    if wrong:
        return
    if "enum" in schema and not any(_same(value, allowed) for allowed in schema["enum"]):
        yield _unsupported(path, value, schema["enum"])
    if isinstance(value, str):
        yield from _string(schema, value, path)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield from _number(schema, value, path)
    elif isinstance(value, list):
        yield from _items(schema, value, path)
    elif isinstance(value, dict):
        yield from _object(schema, value, path)
    yield from _junctors(schema, value, path)


def _type(schema: Json, value: Any, path: str) -> Iterator[Cause]:
    if schema.get(INT_OR_STRING):
        wanted: tuple[str, ...] = ("integer", "string")
    elif kind := schema.get("type"):
        wanted = (kind,)
    else:
        return
    have = type_name(value)
    if have in wanted or (have == "integer" and wanted == ("number",)):
        return
    if have == "number" and "integer" in wanted:
        if float(value).is_integer():
            return
        text = f"Checked value must be of type integer (default format) in {path}"
        yield Cause("FieldValueInvalid", f'Invalid value: "": {text}', "<nil>")
    why = f'{path} in body must be of type {",".join(wanted)}: "{have}"'
    yield Cause("FieldValueTypeInvalid", f'Invalid value: "{have}": {why}', path)


def compact(value: Any) -> str:
    """Print a value as short JSON."""
    return msgspec.json.encode(value).decode()


def type_name(value: Any) -> str:
    """Name the type of a JSON value as schemas do."""
    if value is None:
        return "null"
    names = {bool: "boolean", int: "integer", float: "number", str: "string", list: "array"}
    return names.get(type(value), "object")


def _same(one: Any, other: Any) -> bool:
    return type_name(one) == type_name(other) and bool(one == other)


def _unsupported(path: str, value: Any, allowed: list[Any]) -> Cause:
    listed = ", ".join(f'"{a}"' if isinstance(a, str) else f'"{faults.show(a)}"' for a in allowed)
    message = f"Unsupported value: {faults.show(value)}: supported values: {listed}"
    return Cause("FieldValueNotSupported", message, path)


def _string(schema: Json, value: str, path: str) -> Iterator[Cause]:
    least, most = schema.get("minLength"), schema.get("maxLength")
    pattern = schema.get("pattern")
    # upstream stops at the first of these
    if most is not None and len(value) > most:
        yield faults.too_long(path, most)
    elif least is not None and len(value) < least:
        yield faults.wrong(path, value, f"{path} in body should be at least {least} chars long")
    elif pattern and not _compiled(pattern).search(value):
        yield faults.wrong(path, value, f"{path} in body should match '{pattern}'")
    name = schema.get("format")
    if name and not formats.fits(name, value):
        why = f"{path} in body must be of type {name}: {faults.show(value)}"
        yield faults.wrong(path, value, why)


@lru_cache(maxsize=512)
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern)


def _number(schema: Json, value: float, path: str) -> Iterator[Cause]:
    most, least = schema.get("maximum"), schema.get("minimum")
    if most is not None:
        strict = bool(schema.get("exclusiveMaximum"))
        if value > most or (strict and value == most):
            word = "less than" if strict else "less than or equal to"
            yield faults.wrong(path, value, f"{path} in body should be {word} {_plain(most)}")
    if least is not None:
        strict = bool(schema.get("exclusiveMinimum"))
        if value < least or (strict and value == least):
            word = "greater than" if strict else "greater than or equal to"
            yield faults.wrong(path, value, f"{path} in body should be {word} {_plain(least)}")
    step = schema.get("multipleOf")
    if step and not _is_multiple(value, step):
        yield faults.wrong(path, value, f"{path} in body should be a multiple of {_plain(step)}")
    bits = {"int32": 31, "int64": 63}.get(schema.get("format", ""))
    if bits and not -(2**bits) <= value < 2**bits:
        why = f"{path} in body should be a {schema['format']}"
        yield faults.wrong(path, value, why)


def _plain(number: float) -> str:
    return str(int(number)) if float(number).is_integer() else repr(number)


def _is_multiple(value: float, step: float) -> bool:
    if isinstance(value, int) and isinstance(step, int):
        return value % step == 0
    ratio = value / step
    return math.isclose(ratio, round(ratio), rel_tol=1e-12)


def _items(schema: Json, value: list[Any], path: str) -> Iterator[Cause]:
    least, most = schema.get("minItems"), schema.get("maxItems")
    if most is not None and len(value) > most:
        yield faults.too_many(path, len(value), most)
    if least is not None and len(value) < least:
        yield faults.wrong(path, len(value), f"{path} in body should have at least {least} items")
    inside = schema.get("items")
    if isinstance(inside, dict):
        for index, item in enumerate(value):
            yield from _value(inside, item, f"{path}[{index}]")


def _object(schema: Json, value: Json, path: str) -> Iterator[Cause]:
    least, most = schema.get("minProperties"), schema.get("maxProperties")
    if most is not None and len(value) > most:
        yield faults.too_many(path, len(value), most)
    if least is not None and len(value) < least:
        why = f"{path} in body should have at least {least} properties"
        yield faults.wrong(path, len(value), why)
    declared, others = schema.get("properties") or {}, schema.get("additionalProperties")
    for name in schema.get("required") or ():
        if name not in value and (path or name not in {"apiVersion", "kind", "metadata"}):
            yield faults.required(f"{path}.{name}" if path else name)
    for key, part in value.items():
        inside = declared.get(key, others if isinstance(others, dict) else None)
        if inside is not None:
            yield from _value(inside, part, f"{path}.{key}" if path else key)


def _junctors(schema: Json, value: Any, path: str) -> Iterator[Cause]:
    name = f'"{path}"'
    for part in schema.get("allOf") or ():
        yield from _value(part, value, path)
    if parts := schema.get("anyOf"):
        tried = [list(_value(part, value, path)) for part in parts]
        if all(tried):
            yield faults.wrong(path, "", f"{name} must validate at least one schema (anyOf)")
            yield from min(tried, key=len)
    if parts := schema.get("oneOf"):
        fits = sum(not list(_value(part, value, path)) for part in parts)
        if fits != 1:
            how = "none valid" if not fits else f"{fits} valid alternatives"
            why = f"{name} must validate one and only one schema (oneOf). Found {how}"
            yield faults.wrong(path, "", why)
    if (part := schema.get("not")) is not None and not list(_value(part, value, path)):
        yield faults.wrong(path, "", f"{name} must not validate the schema (not)")


def _lists(schema: Json, value: Any, path: str) -> Iterator[Cause]:
    """Elements of sets and of lists with keys must differ."""
    if isinstance(value, dict):
        declared, others = schema.get("properties") or {}, schema.get("additionalProperties")
        for key, part in value.items():
            inside = declared.get(key, others if isinstance(others, dict) else None)
            if inside:
                yield from _lists(inside, part, f"{path}.{key}" if path else key)
    elif isinstance(value, list):
        kind = schema.get(LIST_TYPE)
        if kind in {"set", "map"}:
            yield from _doubled(schema.get(LIST_KEYS) if kind == "map" else None, value, path)
        inside = schema.get("items")
        if isinstance(inside, dict):
            for index, item in enumerate(value):
                yield from _lists(inside, item, f"{path}[{index}]")


def _doubled(keys: list[str] | None, items: list[Any], path: str) -> Iterator[Cause]:
    seen: set[bytes] = set()
    for index, item in enumerate(items):
        shown = item
        if keys is not None:
            whole = item if isinstance(item, dict) else {}
            shown = {key: whole[key] for key in sorted(keys) if key in whole}
        packed = msgspec.json.encode(shown, order="sorted")
        if packed in seen:
            yield faults.duplicate(f"{path}[{index}]", shown)
        seen.add(packed)
