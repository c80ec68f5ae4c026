"""JSON to typed objects and back, with the tolerance and the words of kube-apiserver.

The registry and the HTTP layer decode request bodies here; stored bytes take the fast path
(`from_stored`). Rules, as Go's decoder has them: null means absent, unknown fields are dropped
and reported, doubled keys are reported and the last one counts, names are case-sensitive. A
value of a wrong type is a BadRequest that names the Go type and the path without indices. Times,
quantities and base64 come out in their one canonical text.

Pure; the tables it keeps are one decoder per type.
"""

from functools import cache
from typing import Any, TypeVar

import msgspec

from appliance.api.custom import structural
from appliance.api.custom.object import CustomObject, is_custom
from appliance.api.custom.structural import OWN
from appliance.api.errors import BadRequest, Invalid, invalid
from appliance.api.faults import wrong
from appliance.api.fieldtypes import Shape, fields_of, shape_of_struct
from appliance.api.jsontext import Doubled, loads
from appliance.api.meta import ObjectMeta
from appliance.api.scalars import INT_RANGES, READERS, Fault, WrongType, json_kind
from appliance.api.schema import Message
from appliance.kit import jsonio

M = TypeVar("M", bound=Message)

MAX_WARNINGS = 100
"""Upstream reports no more strict errors than this for one body."""


def heading(body_kind: str, body_version: str, kind: str) -> str:
    """Start of the message when a body does not decode.

    `Pod in version "v1" cannot be handled as a Pod: `; the version is without its group.
    """
    version = body_version.rsplit("/", 1)[-1]
    return f'{body_kind} in version "{version}" cannot be handled as a {kind}: '


def strict_error(title: str, warnings: list[str]) -> BadRequest:
    """What fieldValidation=Strict answers where Warn would only warn."""
    return BadRequest(f"{title}strict decoding error: {', '.join(warnings)}")


def strict_patch_error(shown: str, warnings: list[str]) -> Invalid:
    """What Strict answers to a patch; `shown` is the patch or the patched object as text."""
    problem = f"strict decoding error: {', '.join(warnings)}"
    return invalid("", "", "", [wrong("patch", shown, problem)])


def decode(struct: type[M], data: Any, *, title: str = "") -> tuple[M, list[str]]:
    """Turn plain JSON data into a typed object, with the warnings of strict validation.

    Raises:
        BadRequest: a value has the wrong type; the message starts with `title`.
    """
    clean, warnings = prune(struct, data, title=title)
    return msgspec.convert(clean, struct), warnings


def decode_bytes(struct: type[M], raw: bytes, *, title: str = "") -> tuple[M, list[str]]:
    """Decode JSON text; doubled keys are reported too.

    Raises:
        BadRequest: not JSON, or a value has the wrong type.
    """
    data, doubled = loads(raw)
    reader = _Reader(doubled=doubled)
    clean = _run(reader, struct, data, title)
    return msgspec.convert(clean, struct), reader.warnings


def prune(struct: type[Message], data: Any, *, title: str = "") -> tuple[dict[str, Any], list[str]]:
    """Give the plain data that is left when unknown fields and nulls are dropped, and warnings.

    Raises:
        BadRequest: a value has the wrong type.
    """
    reader = _Reader()
    return _run(reader, struct, data, title), reader.warnings


_encoder = msgspec.json.Encoder(order="deterministic")


def encode(obj: Message) -> bytes:
    """JSON bytes: fields in the order of the schema, keys of maps sorted, both as Go has it."""
    if isinstance(obj, CustomObject):
        return _encode_custom(obj)
    return _encoder.encode(obj)


def _encode_custom(obj: CustomObject) -> bytes:
    """The same order as everybody's: kind, apiVersion and metadata first, then the rest sorted."""
    names = {"kind": obj.kind, "apiVersion": obj.apiVersion}
    parts = [b'"%b":%b' % (k.encode(), _encoder.encode(v)) for k, v in names.items() if v]
    parts.append(b'"metadata":' + _encoder.encode(obj.metadata))
    if obj.content:
        parts.append(_encoder.encode(obj.content)[1:-1])
    return b"{" + b",".join(parts) + b"}"


def to_plain(obj: Message) -> Any:
    """Plain JSON data of an object; a fresh tree that may be changed."""
    return jsonio.loads(encode(obj))


def from_stored(struct: type[M], raw: bytes) -> M:
    """Decode bytes that this server wrote itself; nothing is checked beyond types."""
    if is_custom(struct):
        clean, _ = prune(struct, jsonio.loads(raw))
        return msgspec.convert(clean, struct)
    obj: M = _decoder(struct).decode(raw)
    return obj


@cache
def _decoder(struct: type[Message]) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(struct)


def _run(reader: "_Reader", struct: type[Message], data: Any, title: str) -> dict[str, Any]:
    data = {} if data is None else data  # Go leaves the object as it is for null
    try:
        if is_custom(struct):
            clean: dict[str, Any] = reader.custom(struct, data)
        else:
            clean = reader.struct(struct, data, "", "")
    except Fault as fault:
        raise BadRequest(title + str(fault)) from fault
    except RecursionError as error:
        raise BadRequest(f"{title}exceeded max depth") from error
    if reader.mismatch:
        raise BadRequest(title + reader.mismatch)
    return clean


class _Reader:
    """One walk over a body.

    `where` is the path with indices that warnings show, `owner` what type errors show:
    `PodSpec.spec.hostNetwork`, without indices. Like Go, the walk goes on after a mismatch of
    types and reports the first one at the end.
    """

    def __init__(self, *, doubled: bool = False) -> None:
        self.warnings: list[str] = []
        self.mismatch = ""
        self._doubled = doubled

    def struct(self, struct: type[Message], data: Any, where: str, dotted: str) -> Any:
        if not isinstance(data, dict):
            self._mismatch(data, shape_of_struct(struct), dotted)
            return {}
        self._note_doubled(data, where)
        table = fields_of(struct)
        clean: dict[str, Any] = {}
        for key, value in data.items():
            field = table.get(key)
            if field is None:
                self._warn("unknown", f"{where}.{key}" if where else key)
                continue
            if value is None:
                continue
            path = f"{where}.{key}" if where else key
            tail = dotted.partition(".")[2]
            name = f"{struct.__name__}.{tail}.{key}" if tail else f"{struct.__name__}.{key}"
            part = self.value(field.shape, value, path, name)
            if part is not None:
                clean[key] = part
        return clean

    def custom(self, struct: type[Any], data: Any) -> Any:
        """Metadata as everybody has it; the rest is pruned and defaulted by its schema."""
        if not isinstance(data, dict):
            self._mismatch(data, Shape("map", element=Shape("scalar", "rawJson")), "")
            return {}
        content = self._plain({k: v for k, v in data.items() if k not in OWN}, "")
        for path in structural.prune(struct.SCHEMA, content):
            self._warn("unknown", path)
        structural.set_defaults(struct.SCHEMA, content)
        meta = self.struct(
            ObjectMeta, data.get("metadata") or {}, "metadata", "ObjectMeta.metadata"
        )
        names = {k: data[k] for k in ("kind", "apiVersion") if isinstance(data.get(k), str)}
        return {**names, "metadata": meta, "content": content}

    def _plain(self, data: Any, where: str) -> Any:
        """Copy open data, noting doubled keys on the way."""
        if isinstance(data, list):
            return [self._plain(item, f"{where}[{index}]") for index, item in enumerate(data)]
        if not isinstance(data, dict):
            return data
        self._note_doubled(data, where)
        return {k: self._plain(v, f"{where}.{k}" if where else k) for k, v in data.items()}

    def value(self, shape: Shape, data: Any, where: str, dotted: str) -> Any:
        if shape.struct is not None:
            return self.struct(shape.struct, data, where, dotted)
        if shape.element is None:
            return self._scalar(shape, data, dotted)
        if shape.form == "list":
            return self._list(shape, shape.element, data, where=where, dotted=dotted)
        return self._map(shape, shape.element, data, where=where, dotted=dotted)

    def _list(self, shape: Shape, element: Shape, data: Any, *, where: str, dotted: str) -> Any:
        if not isinstance(data, list):
            self._mismatch(data, shape, dotted)
            return None
        items = []
        for index, item in enumerate(data):
            value = _zero(element) if item is None else item
            items.append(self.value(element, value, f"{where}[{index}]", dotted))
        return [item for item in items if item is not None]

    def _map(self, shape: Shape, element: Shape, data: Any, *, where: str, dotted: str) -> Any:
        if not isinstance(data, dict):
            self._mismatch(data, shape, dotted)
            return None
        self._note_doubled(data, where)
        clean = {}
        for key, item in data.items():
            value = _zero(element) if item is None else item
            part = self.value(element, value, f"{where}.{key}", dotted)
            if part is not None:
                clean[key] = part
        return clean

    def _scalar(self, shape: Shape, data: Any, dotted: str) -> Any:
        read = READERS.get(shape.scalar)
        if read is not None:
            try:
                return read(data)
            except WrongType:
                self._mismatch(data, shape, dotted)
                return None
        low = INT_RANGES[shape.scalar]
        if type(data) is int and -low <= data < low:
            return data
        self._mismatch(data, shape, dotted)
        return None

    def _mismatch(self, data: Any, shape: Shape, dotted: str) -> None:
        if self.mismatch:
            return
        found = json_kind(data)
        if shape.scalar in INT_RANGES and found == "number":
            found = f"number {data}"
        target = f"Go struct field {dotted}" if dotted else "Go value"
        self.mismatch = f"json: cannot unmarshal {found} into {target} of type {shape.go_name}"

    def _note_doubled(self, data: Any, where: str) -> None:
        if self._doubled and isinstance(data, Doubled):
            for key in data.keys_twice:
                self._warn("duplicate", f"{where}.{key}" if where else key)

    def _warn(self, what: str, path: str) -> None:
        if len(self.warnings) < MAX_WARNINGS:
            self.warnings.append(f'{what} field "{path}"')


def _zero(shape: Shape) -> Any:
    """What null becomes inside a list or map."""
    if shape.struct is not None or shape.form == "map":
        return {}
    if shape.form == "list":
        return []
    return {"bool": False, "int32": 0, "int64": 0, "double": 0, "quantity": "0"}.get(
        shape.scalar, ""
    )
