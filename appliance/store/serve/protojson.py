"""proto3 JSON of the messages, from the same tables as their bytes.

Out: the protocol's own field names, zeros left out, 64-bit numbers as texts, bytes in base64,
enums by name. In: those and camel case, numbers as numbers or texts, enums by name or number;
unknown fields are ignored.

Source: the proto3 JSON mapping, as etcd's gateway sets it up.
"""

import base64
import binascii
import re
from typing import Any, TypeVar

from appliance.store.serve.wire import UINT32, Field, Message, fields_of

M = TypeVar("M", bound=Message)


class JsonError(ValueError):
    """The JSON is no such message; the text is for the client."""


def to_json(message: Message) -> dict[str, Any]:
    """A message as plain JSON data."""
    found = {}
    for field in fields_of(type(message)):
        value: Any = getattr(message, field.name)
        if field.repeated and value:
            found[field.name] = [_out(field, part) for part in value]
        elif value or isinstance(value, Message):
            found[field.name] = _out(field, value)
    return found


def _out(field: Field, value: Any) -> Any:
    if field.message is not None:
        return to_json(field.message.decode(value.encode()))  # shared ones are bytes already
    if field.scalar is bytes:
        return base64.b64encode(value).decode()
    if field.choices:
        return field.choices[value] if 0 <= value < len(field.choices) else value
    if field.scalar is int and field.mark != UINT32:
        return str(value)
    return value


def from_json(message: type[M], data: Any) -> M:
    """A message from plain JSON data.

    Raises:
        JsonError: a value does not fit its field.
    """
    if not isinstance(data, dict):
        raise JsonError(f"json: cannot unmarshal {data!r} into {message.__name__}")
    names = {
        spelled: field
        for field in fields_of(message)
        for spelled in (field.name, _camel(field.name))
    }
    found = message()
    for name, value in data.items():
        field = names.get(name)
        if field is None or value is None:
            continue
        if field.repeated:
            parts = value if isinstance(value, list) else [value]
            setattr(found, field.name, [_in(field, part) for part in parts])
        else:
            setattr(found, field.name, _in(field, value))
    return found


def _camel(name: str) -> str:
    return re.sub(r"_(.)", lambda found: found[1].upper(), name)


def _in(field: Field, value: Any) -> Any:
    if field.message is not None:
        return from_json(field.message, value)
    if field.scalar is bytes:
        return _bytes(field, value)
    if isinstance(value, str) and value in field.choices:
        return field.choices.index(value)
    if field.scalar is int:
        return _int(field, value)
    if not isinstance(value, field.scalar):
        raise JsonError(f"json: {field.name} cannot be {value!r}")
    return value


def _bytes(field: Field, value: Any) -> bytes:
    if not isinstance(value, str):
        raise JsonError(f"json: {field.name} cannot be {value!r}")
    text = value.replace("-", "+").replace("_", "/")
    bad = re.search(r"[^A-Za-z0-9+/=]", text)
    try:
        if bad is None:
            return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except binascii.Error:
        pass  # said below
    place = bad.start() if bad else len(text)
    raise JsonError(f"illegal base64 data at input byte {place}")


def _int(field: Field, value: Any) -> int:
    try:
        number = int(value)
    except (TypeError, ValueError):
        raise JsonError(f"json: {field.name} cannot be {value!r}") from None
    if isinstance(value, bool) or not -(2**63) <= number < 2**64:
        raise JsonError(f"json: {field.name} cannot be {value!r}")
    return number
