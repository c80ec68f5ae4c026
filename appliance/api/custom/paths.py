"""The little of JSONPath that definitions use: `.spec.a.b`, `.status.list[0].x`,
`.status.conditions[?(@.type=="Ready")].status`. Pure.

A path that makes no sense finds nothing.
"""

import re
from functools import lru_cache
from typing import Any

_STEP = re.compile(
    r"""\.(?P<name>[\w\-/]+)            # .name
      |\[['"](?P<quoted>[^'"]+)['"]\]   # ['name']
      |\[(?P<index>-?\d+)\]             # [0]
      |\[\?\(@\.(?P<key>[\w\-.]+)\s*==\s*['"](?P<value>[^'"]*)['"]\)\]
      |(?P<all>\[\*\])""",
    re.VERBOSE,
)


@lru_cache(maxsize=1024)
def _steps(path: str) -> tuple[dict[str, str | None], ...]:
    text = path.strip().removeprefix("{").removesuffix("}").removeprefix("$").replace("\\.", "\0")
    text = text if text.startswith((".", "[")) else f".{text}"
    return tuple(found.groupdict() for found in _STEP.finditer(text.replace("\0", "\uffff")))


def find(path: str, data: Any) -> list[Any]:
    """Everything that a path leads to."""
    found = [data]
    for step in _steps(path):
        found = [below for value in found for below in _below(step, value)]
    return found


def first(path: str, data: Any) -> Any:
    """The first that a path leads to, or None."""
    return next(iter(find(path, data)), None)


def put(path: str, data: Any, value: Any) -> None:
    """Set what a path of names leads to, making objects on the way."""
    names = [(step["name"] or step["quoted"] or "").replace("\uffff", ".") for step in _steps(path)]
    for name in names[:-1]:
        data = data.setdefault(name, {})
    data[names[-1]] = value


def _below(step: dict[str, str | None], value: Any) -> list[Any]:
    name = step["name"] or step["quoted"]
    if name is not None:
        key = name.replace("\uffff", ".")
        return [value[key]] if isinstance(value, dict) and key in value else []
    if step["all"]:
        return list(value.values() if isinstance(value, dict) else value or ())
    if not isinstance(value, list):
        return []
    if step["index"] is not None:
        index = int(step["index"])
        return [value[index]] if -len(value) <= index < len(value) else []
    field, wanted = step["key"], step["value"]
    return [item for item in value if isinstance(item, dict) and _text(item, field) == wanted]


def _text(item: dict[str, Any], key: str | None) -> str | None:
    value = first(f".{key}", item)
    return str(value).lower() if isinstance(value, bool) else value if value is None else str(value)
