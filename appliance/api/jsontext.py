"""JSON text of a request → plain data, with what Go's decoder tolerates and notices.

Doubled keys are kept in mind, broken Unicode is replaced, NaN is refused. Stored bytes do not
come this way: `codec.from_stored` is many times faster. Bounded by the size of a body.
"""

import json
import re
from typing import Any

from appliance.api.errors import BadRequest
from appliance.api.json_fault import json_fault


class Doubled(dict[str, Any]):
    """A JSON object in which keys came up twice; `keys_twice` names them."""

    __slots__ = ("keys_twice",)

    keys_twice: list[str]


def loads(raw: bytes | str) -> tuple[Any, bool]:
    """Decode JSON text to plain data; objects with doubled keys come as `Doubled`.

    Raises:
        BadRequest: it is not JSON; worded as Go words it.
    """
    found = False

    def collect(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        nonlocal found
        plain = dict(pairs)
        if len(plain) == len(pairs):
            return plain
        found = True
        doubled = Doubled(plain)
        seen: set[str] = set()
        doubled.keys_twice = [k for k, _ in pairs if k in seen or seen.add(k)]  # type: ignore[func-returns-value]
        return doubled

    text = raw if isinstance(raw, str) else raw.decode("utf-8", "replace")  # as Go reads it
    try:
        data = json.loads(text, object_pairs_hook=collect, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise BadRequest(f"json parse error: {json_fault(raw) or error}") from error
    return (_mended(data) if _HALF_ESCAPE.search(text) else data), found


_HALF_ESCAPE = re.compile(r"\\u[dD][89a-fA-F]")
_HALF = re.compile("[\ud800-\udfff]")


def _mended(data: Any) -> Any:
    """Replace halves of surrogate pairs, which no UTF-8 can carry, as Go does."""
    if isinstance(data, str):
        return _HALF.sub("\ufffd", data)
    if isinstance(data, list):
        return [_mended(item) for item in data]
    if isinstance(data, dict):
        for key in list(data):
            data[_mended(key)] = _mended(data.pop(key))
    return data


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")
