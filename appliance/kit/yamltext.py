"""YAML in and out, restricted to what JSON can say. Pure.

YAML's dates stay text (a ConfigMap value `2024-01-01` is a string), other tags are refused.
Bounded by: `_VALUES_MAX` values once all aliases are written out, so that a few lines that
double themselves can't fill the memory.
"""

from collections.abc import Callable
from typing import Any

import yaml

from appliance.kit import jsonio

_SafeLoader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_SafeDumper: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
_VALUES_MAX = 1_000_000  # a body of 3 MiB has fewer without aliases
_TIMESTAMP = "tag:yaml.org,2002:timestamp"


class _Loader(_SafeLoader):  # type: ignore[misc]
    """Reads plain values only."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != _TIMESTAMP]
    for first, resolvers in _SafeLoader.yaml_implicit_resolvers.items()
}


def from_yaml(text: bytes) -> Any:
    """Read one YAML document.

    Raises:
        ValueError: it is no YAML, or says more than JSON can.
    """
    return _read(text, yaml.load)


def all_from_yaml(text: bytes) -> list[Any]:
    """Read every document of a file, without the empty ones.

    Raises:
        ValueError: as `from_yaml`.
    """
    found = _read(text, lambda given, loader: list(yaml.load_all(given, loader)))
    return [document for document in found if document is not None]


def _read(text: bytes, read: Callable[..., Any]) -> Any:
    try:
        value = read(text, _Loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        line = mark.line + 1 if mark is not None else 0
        raise ValueError(f"yaml: line {line}: {error.problem}") from error
    except yaml.YAMLError as error:
        raise ValueError(f"yaml: {error}") from error
    if b"*" in text and _written_out(value, {}) > _VALUES_MAX:
        raise ValueError("yaml: document contains excessive aliasing")
    return value


def _written_out(value: Any, known: dict[int, int]) -> int:
    """Count values as if every alias were written out; each part is visited once."""
    if not isinstance(value, dict | list):
        return 1
    if id(value) not in known:
        known[id(value)] = _VALUES_MAX + 1  # what contains itself has no end
        parts = value.values() if isinstance(value, dict) else value
        known[id(value)] = 1 + sum(_written_out(part, known) for part in parts)
    return known[id(value)]


def to_yaml(body: bytes) -> bytes:
    """Write JSON text as YAML."""
    text: str = yaml.dump(jsonio.loads(body), Dumper=_SafeDumper, sort_keys=False)
    return text.encode()
