"""The one JSON encoder and decoder.

Everything that reads or writes JSON calls this module, so that the library behind it (msgspec)
is named once and bytes look the same everywhere: UTF-8, no spaces, key order kept.
"""

from collections.abc import Mapping
from typing import Any

import msgspec

JsonError = msgspec.DecodeError
"""Raised by `loads` on text that is not JSON (also bad UTF-8); `str()` says where."""

JsonObject = dict[str, Any]
"""A decoded JSON object."""

_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder()


def dumps(value: object) -> bytes:
    """Encode a plain value or a msgspec Struct as compact JSON."""
    return _encoder.encode(value)


def loads(data: bytes | str) -> Any:
    """Decode JSON text into plain dicts, lists, strings and numbers.

    Raises:
        JsonError: the text is not JSON.
    """
    return _decoder.decode(data)


def pretty(value: object, indent: int = 2) -> str:
    """JSON for people, two spaces deep as kubectl prints it."""
    return msgspec.json.format(dumps(value), indent=indent).decode()


def indent(data: bytes, spaces: int = 2) -> bytes:
    """JSON text for people, without decoding it."""
    return msgspec.json.format(data, indent=spaces)


def deep_copy(value: Any) -> Any:
    """Copy plain JSON data, so that the copy may be changed.

    Faster than copy.deepcopy because JSON has neither cycles nor shared parts.
    """
    if isinstance(value, Mapping):
        return {key: deep_copy(part) for key, part in value.items()}
    if isinstance(value, list):
        return [deep_copy(part) for part in value]
    return value
