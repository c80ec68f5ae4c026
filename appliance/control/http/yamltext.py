"""YAML in and out, restricted to what JSON can say. Pure.

YAML's dates stay text (a ConfigMap value `2024-01-01` is a string), other tags are refused.
"""

from typing import Any

import yaml

from appliance.kit import jsonio

_SafeLoader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_SafeDumper: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
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
    try:
        return yaml.load(text, Loader=_Loader)  # noqa: S506 - a safe loader, less the dates
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        line = mark.line + 1 if mark is not None else 0
        raise ValueError(f"yaml: line {line}: {error.problem}") from error
    except yaml.YAMLError as error:
        raise ValueError(f"yaml: {error}") from error


def to_yaml(body: bytes) -> bytes:
    """Write JSON text as YAML."""
    text: str = yaml.dump(jsonio.loads(body), Dumper=_SafeDumper, sort_keys=False)
    return text.encode()
