"""A JSON value as the expression language sees it, by its schema. Pure.

Numbers are doubles where the schema says number, texts with a format are times, fields whose
names are no identifiers bear escaped ones. Source: apiserver `pkg/cel/common/values.go`,
`pkg/cel/escaping.go`.
"""

import base64
import binascii
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from appliance.api.cel.times import duration, timestamp
from appliance.api.cel.values import CelError

Json = dict[str, Any]
_RESERVED = frozenset({
    *("true", "false", "null", "in", "as", "break", "const", "continue", "else", "for"),
    *("function", "if", "import", "let", "loop", "package", "namespace", "return", "var"),
    *("void", "while"),
})  # fmt: skip


@lru_cache(maxsize=4096)
def escaped(name: str) -> str:
    """The name that an expression knows a field under."""
    if name in _RESERVED:
        return f"__{name}__"
    made = name.replace("__", "__underscores__")
    for sign, word in ((".", "__dot__"), ("-", "__dash__"), ("/", "__slash__")):
        made = made.replace(sign, word)
    return made


def view(schema: Any, value: Any) -> Any:
    """Give a value as expressions see it."""
    schema = schema if isinstance(schema, dict) else {}
    if isinstance(value, dict):
        return _object(schema, value)
    if isinstance(value, list):
        inside = schema.get("items")
        return [view(inside, item) for item in value]
    if schema.get("type") == "number" and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    read = _FORMATS.get(schema.get("format", "")) if isinstance(value, str) else None
    return read(value) if read and schema.get("type") == "string" else value


def _object(schema: Json, value: Json) -> Json:
    declared = schema.get("properties") or {}
    others = schema.get("additionalProperties")
    made: Json = {}
    for key, part in value.items():
        if key in declared:
            made[escaped(key)] = view(declared[key], part)
        elif declared:
            made[escaped(key)] = part
        else:
            made[key] = view(others, part)
    return made


def _or_text(read: Callable[[str], Any]) -> Callable[[str], Any]:
    def convert(text: str) -> Any:
        try:
            return read(text)
        except (CelError, binascii.Error):
            return text  # the schema's own check says what is wrong with it

    return convert


_FORMATS: dict[str, Callable[[str], Any]] = {
    "date-time": _or_text(timestamp),
    "date": _or_text(lambda text: timestamp(f"{text}T00:00:00Z")),
    "duration": _or_text(duration),
    "byte": _or_text(lambda text: base64.b64decode(text, validate=True)),
}
