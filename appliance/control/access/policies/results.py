"""What expressions give, as JSON: objects to apply, lists of patches. Pure."""

import base64
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from appliance.api.cel.times import print_duration, print_timestamp
from appliance.api.cel.values import Made, Maybe
from appliance.api.quantity import Amount


class Unusable(Exception):
    """An expression gave what nothing can be done with."""


_PLAIN: dict[type, Callable[[Any], Any]] = {
    bytes: lambda value: base64.b64encode(value).decode(),
    datetime: print_timestamp,
    timedelta: print_duration,
    Amount: str,
}


def to_json(value: Any) -> Any:
    """Give a value as JSON has it.

    Raises:
        Unusable: JSON has no such thing.
    """
    if isinstance(value, Made):
        return {k: to_json(v) for k, v in value.fields.items() if not _is_left_out(v)}
    if isinstance(value, dict):
        return {str(k): to_json(v) for k, v in value.items()}
    if isinstance(value, list):
        return [to_json(item) for item in value]
    if isinstance(value, Maybe):
        return to_json(value.value)
    if value is None or isinstance(value, bool | int | float | str):
        return int(value) if type(value) is not bool and isinstance(value, int) else value
    if (change := _PLAIN.get(type(value))) is None:
        raise Unusable(f"a {type(value).__name__} cannot be part of an object")
    return change(value)


def _is_left_out(value: Any) -> bool:
    return isinstance(value, Maybe) and not value.present


def patches(made: Any) -> list[dict[str, Any]]:
    """Give the operations of a list of `JSONPatch{…}`.

    Raises:
        Unusable: it is none.
    """
    if not isinstance(made, list):
        raise Unusable("jsonPatch must give a list of JSONPatch")
    found = []
    for item in made:
        if not isinstance(item, Made) or item.type != "JSONPatch":
            raise Unusable("jsonPatch must give a list of JSONPatch")
        found.append(to_json(item))
    return found
