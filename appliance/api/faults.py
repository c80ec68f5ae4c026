"""Field errors of validation, worded as upstream words them.

Each function gives a `Cause` whose message is what `kubectl` shows after the field path.
Source: apimachinery `util/validation/field`.
"""

from typing import Any

import msgspec

from appliance.api.errors import Cause


def required(path: str, detail: str = "") -> Cause:
    """`Required value`."""
    return Cause("FieldValueRequired", "Required value" + (f": {detail}" if detail else ""), path)


def wrong(path: str, value: Any, detail: str) -> Cause:
    """`Invalid value: "x": why`."""
    return Cause("FieldValueInvalid", f"Invalid value: {show(value)}: {detail}", path)


def unsupported(path: str, value: Any, allowed: tuple[str, ...]) -> Cause:
    """`Unsupported value: "x": supported values: "a", "b"`, in the order given."""
    listed = ", ".join(f'"{a}"' for a in allowed)
    return Cause(
        "FieldValueNotSupported",
        f"Unsupported value: {show(value)}: supported values: {listed}",
        path,
    )


def duplicate(path: str, value: Any) -> Cause:
    """`Duplicate value: "x"`."""
    return Cause("FieldValueDuplicate", f"Duplicate value: {show(value)}", path)


def forbidden(path: str, detail: str) -> Cause:
    """`Forbidden: why`."""
    return Cause("FieldValueForbidden", f"Forbidden: {detail}", path)


def missing(path: str, value: Any) -> Cause:
    """`Not found: "x"`."""
    return Cause("FieldValueNotFound", f"Not found: {show(value)}", path)


def too_long(path: str, limit: int, unit: str = "bytes") -> Cause:
    """`Too long: may not be more than N bytes`."""
    return Cause("FieldValueTooLong", f"Too long: may not be more than {limit} {unit}", path)


def too_many(path: str, count: int, limit: int) -> Cause:
    """`Too many: N: must have at most M items`."""
    return Cause("FieldValueTooMany", f"Too many: {count}: must have at most {limit} items", path)


def show(value: Any) -> str:
    """Print a value as upstream does in these messages: strings quoted as Go does, else JSON."""
    if isinstance(value, str):
        return quoted(value)
    return msgspec.json.encode(value).decode()


def quoted(text: str) -> str:
    """Quote a string as Go's %q does."""
    out = ""
    for char in text:
        if char in _ESCAPES:
            out += _ESCAPES[char]
        elif char.isprintable():
            out += char
        else:
            code = ord(char)
            out += f"\\x{code:02x}" if code < 0x80 else f"\\u{code:04x}"
    return f'"{out}"'


_ESCAPES = {'"': '\\"', "\\": "\\\\", "\a": "\\a", "\b": "\\b", "\f": "\\f", "\n": "\\n"}
_ESCAPES |= {"\r": "\\r", "\t": "\\t", "\v": "\\v"}
