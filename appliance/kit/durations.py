"""Durations as people write them; read by `config`, verbs and the node."""

import re
from typing import Any

_UNITS_S = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_PART = r"(\d+(?:\.\d+)?)(ms|s|m|h)"


def seconds(raw: Any) -> float:
    """Seconds of a duration such as `20s`, `5m`, `1m30s`; ValueError says what it must be."""
    if isinstance(raw, int | float) and not isinstance(raw, bool):
        return float(raw)
    if not re.fullmatch(rf"(?:{_PART})+", str(raw)):
        raise ValueError("must be a duration such as 20s, 5m or 1h")
    return sum(float(number) * _UNITS_S[unit] for number, unit in re.findall(_PART, str(raw)))
