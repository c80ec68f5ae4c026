"""Checks a configuration for server-side apply against the schema of its kind.

Upstream turns the body into a typed value before anything else and answers 500 when that fails;
the messages name paths as field ownership does (`.data.a: expected string, got …`).
"""

from typing import Any

from appliance.api import fieldsets
from appliance.api.errors import InternalError
from appliance.api.fieldsets import NO_RULES, known, rules_below, step_of_item
from appliance.api.fieldtypes import Shape, shape_of_struct
from appliance.api.gotext import go_value
from appliance.api.schema import Message, Rules

_EXPECTED = {
    "string": ("string", (str,)),
    "bytes": ("string", (str,)),
    "time": ("string", (str,)),
    "microTime": ("string", (str,)),
    "duration": ("string", (str,)),
    "bool": ("boolean", (bool,)),
    "int32": ("numeric (int or float)", (int, float)),
    "int64": ("numeric (int or float)", (int, float)),
    "double": ("numeric (int or float)", (int, float)),
}


def check_configuration(struct: type[Message], patch: Any) -> None:
    """Refuse what cannot be applied.

    Raises:
        InternalError: an unknown field, a wrong type, or elements that cannot be told apart.
    """
    faults: list[str] = []
    _check(shape_of_struct(struct), NO_RULES, patch, "", faults=faults)
    if not faults:
        return
    meta = patch.get("metadata") if isinstance(patch, dict) else None
    meta = meta if isinstance(meta, dict) else {}
    name = f"{meta.get('namespace', '')}/{meta.get('name', '')}"
    group, _, version = str(patch.get("apiVersion", "")).rpartition("/")
    kind = f"{group}/{version}, Kind={patch.get('kind', '')}"
    problem = faults[0] if len(faults) == 1 else "errors:\n" + "".join(f"  {f}\n" for f in faults)
    error = InternalError(f"failed to create typed patch object ({name}; {kind}): {problem}")
    error.reason = ""  # type: ignore[misc]  # upstream gives no reason with this one
    raise error


def _check(shape: Shape, rules: Rules, data: Any, path: str, *, faults: list[str]) -> None:
    if data is None or shape.scalar == "rawJson" or known(shape, data) is None:
        return
    if shape.form == "scalar":
        _check_scalar(shape, data, path, faults)
    elif shape.form == "list":
        _check_list(shape, rules, data, path, faults=faults)
    elif not isinstance(data, dict):
        faults.append(f"{path}: expected map, got {_got(data)}")
    else:
        for key, value in data.items():
            child, child_rules, _ = rules_below(shape, key)
            if child is None:
                faults.append(f"{path}.{key}: field not declared in schema")
            else:
                _check(child, child_rules, value, f"{path}.{key}", faults=faults)


def _check_scalar(shape: Shape, data: Any, path: str, faults: list[str]) -> None:
    if shape.scalar not in _EXPECTED:
        if isinstance(data, dict | list):
            faults.append(f"{path}: expected string, got {_got(data)}")
        return
    name, types = _EXPECTED[shape.scalar]
    if not isinstance(data, types) or (isinstance(data, bool) and bool not in types):
        faults.append(f"{path}: expected {name}, got {_got(data)}")


def _check_list(shape: Shape, rules: Rules, data: Any, path: str, *, faults: list[str]) -> None:
    if not isinstance(data, list):
        faults.append(f"{path}: expected list, got {_got(data)}")
        return
    seen: set[str] = set()
    for index, item in enumerate(data):
        where = f"{path}[{index}]"
        if rules.list_type in {"map", "set"}:
            try:
                step = step_of_item(rules, item)
            except fieldsets.FieldSetError as error:
                faults.append(f"{path}: element {index}: {error}")
                continue
            if step in seen:
                faults.append(f"{path}: duplicate entries for key {fieldsets.show((step,))}")
            seen.add(step)
            where = path + fieldsets.show((step,))
        if shape.element is not None:
            _check(shape.element, NO_RULES, item, where, faults=faults)


def _got(data: Any) -> str:
    """Go's %v of a value that is held by interface, as upstream happens to print it."""
    if isinstance(data, list):
        return f"&{{{go_value(data)}}}"
    return f"&value.valueUnstructured{{Value:{_quoted(data)}}}"


def _quoted(data: Any) -> str:
    return f'"{data}"' if isinstance(data, str) else go_value(data)
