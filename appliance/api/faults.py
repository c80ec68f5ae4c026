"""Field errors of validation, worded as upstream words them.

Each function gives a `Cause` whose message is what `kubectl` shows after the field path.
Source: apimachinery `util/validation/field`.
"""

from typing import Any

from appliance.api.errors import Cause


def required(path: str, detail: str = "") -> Cause:
    """`Required value`."""
    return Cause("FieldValueRequired", "Required value" + (f": {detail}" if detail else ""), path)


def wrong(path: str, value: Any, detail: str) -> Cause:
    """`Invalid value: "x": why`."""
    return Cause("FieldValueInvalid", f"Invalid value: {show(value)}: {detail}", path)


def unsupported(path: str, value: Any, allowed: tuple[str, ...]) -> Cause:
    """`Unsupported value: "x": supported values: "a", "b"`."""
    listed = ", ".join(f'"{a}"' for a in sorted(allowed))
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


def show(value: Any) -> str:
    """Print a value as Go's %v / %q mix does in these messages."""
    if isinstance(value, str):
        escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
        return f'"{escaped}"'
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is None:
        return "null"
    return str(value)
