"""Request bodies → typed objects or plain patches, refused in the words of Go's decoders.

Called by `resources` and `subresources` with bytes that are already in memory. Pure.
Source: apimachinery `runtime/serializer`, apiserver `endpoints/handlers/create.go`, `patch.go`.
"""

import json
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import msgspec

from appliance.api import codec, proto
from appliance.api.custom.object import is_custom
from appliance.api.errors import BadRequest, Details, UnsupportedMediaType, invalid
from appliance.api.faults import wrong
from appliance.api.json_fault import json_fault
from appliance.api.jsontext import loads
from appliance.api.kind import Kind
from appliance.api.kinds.table import by_kind
from appliance.api.meta import DeleteOptions
from appliance.api.schema import Message
from appliance.client.base import PatchType
from appliance.control.http.negotiate import JSON, PROTOBUF, YAML, media_type
from appliance.control.registry.base import Call
from appliance.kit import jsonio
from appliance.kit.yamltext import from_yaml

M = TypeVar("M", bound=Message)

_SNIPPET = 30  # bytes of a broken body that the message shows
_ACCEPTED = f"{JSON}, {YAML}, {PROTOBUF}"
_SCHEME = "pkg/api/legacyscheme/scheme.go:30"
_OPTIONS_SCHEME = "k8s.io/apimachinery/pkg/apis/meta/internalversion/scheme/register.go:27"
_TYPE_META = (
    'struct { APIVersion string "json:\\"apiVersion,omitempty\\""; '
    'Kind string "json:\\"kind,omitempty\\"" }'
)


@dataclass(frozen=True, slots=True)
class Expected(Generic[M]):
    """What a URL takes: a struct, and how it names itself."""

    struct: type[M]
    kind: str
    api_version: str

    @property
    def internal(self) -> str:
        """Go's name of the unversioned type, for one message."""
        group = self.api_version.rpartition("/")[0]
        return f"{group.partition('.')[0] or 'core'}.{self.kind}"


def expected_of(kind: Kind[Any]) -> Expected[Any]:
    """What the main resource of a kind takes."""
    return Expected(kind.type, kind.kind, kind.api_version)


class _TypeMeta(msgspec.Struct):
    apiVersion: Any = None  # noqa: N815 - a JSON name
    kind: Any = None


_peek = msgspec.json.Decoder(_TypeMeta)


def decode_object(expected: Expected[M], raw: bytes, content_type: str, call: Call) -> M:
    """Decode a POST or PUT body; warnings go to `call`, or are errors under Strict.

    Raises:
        BadRequest: it can't be read as what is expected.
        UnsupportedMediaType: nobody knows its media type.
    """
    media = media_type(content_type) or JSON
    if media == PROTOBUF:
        return _decode_protobuf(expected, raw)
    if media == YAML:
        raw = _yaml_to_json(expected, raw)
    elif media != JSON:
        raise UnsupportedMediaType(
            "the body of the request was in an unknown format - accepted media types include: "
            + _ACCEPTED,
            Details(),
        )
    if is_custom(expected.struct):
        _check_custom(expected, raw)
    found = _type_of(expected, raw)
    title = codec.heading(found[1], found[0], expected.kind)
    if found != (expected.api_version, expected.kind):
        _refuse_other(expected, found, raw, title=title)
    obj, warnings = codec.decode_bytes(expected.struct, raw, title=title)
    note(warnings, title, call)
    return obj


def _check_custom(expected: Expected[Any], raw: bytes) -> None:
    """Objects of users' kinds must name themselves, and rightly."""
    try:
        meta = _peek.decode(raw)
    except (msgspec.DecodeError, RecursionError):
        return  # said better in a moment
    if not meta.kind:
        why = f"Object 'Kind' is missing in '{raw.decode(errors='replace')}'"
        raise BadRequest(_unrecognized_text(expected, why, raw))
    version = meta.apiVersion or expected.api_version
    if version != expected.api_version:
        raise BadRequest(
            f"the API version in the data ({version}) does not match the expected API version"
            f" ({expected.api_version})"
        )
    if meta.kind != expected.kind:
        data, _ = loads(raw)
        named = data.get("metadata") if isinstance(data.get("metadata"), dict) else {}
        group = expected.api_version.rpartition("/")[0]
        cause = wrong("kind", meta.kind, f"must be {expected.kind}")
        raise invalid(str(meta.kind), group, str(named.get("name", "")), [cause])


def _decode_protobuf(expected: Expected[M], body: bytes) -> M:
    envelope = proto.decode_envelope(body)
    found = (envelope.api_version or expected.api_version, envelope.kind or expected.kind)
    title = codec.heading(found[1], found[0], expected.kind)
    if found != (expected.api_version, expected.kind):
        _refuse_other(expected, found, None, title=title)
    return proto.decode(expected.struct, envelope.raw, title=title)


def note(warnings: list[str], title: str, call: Call) -> None:
    """Report unknown and doubled fields as the writer wished.

    Raises:
        BadRequest: there are some, and validation is Strict.
    """
    if not warnings or call.field_validation == "Ignore":
        return
    if call.field_validation == "Strict":
        raise codec.strict_error(title, warnings)
    call.warnings.extend(warnings)


def _type_of(expected: Expected[Any], raw: bytes) -> tuple[str, str]:
    """Say what the body calls itself: (apiVersion, kind), by the URL what it leaves out."""
    if raw == b"null":
        return expected.api_version, expected.kind
    try:
        meta = _peek.decode(raw)
    except (msgspec.DecodeError, RecursionError):
        raise _unrecognized(expected, f"json parse error: {go_json_error(raw)}", raw) from None
    for name, value in (("apiVersion", meta.apiVersion), ("kind", meta.kind)):
        if value is not None and not isinstance(value, str):
            why = f"{_wrong_go_type(value)} into Go struct field .{name} of type string"
            raise _unrecognized(expected, f"json parse error: {why}", raw)
    version = meta.apiVersion or expected.api_version
    if version.count("/") > 1:
        message = f"unexpected GroupVersion string: {version}"
        raise BadRequest(_unrecognized_text(expected, message, raw))
    return version, meta.kind or expected.kind


def _refuse_other(
    expected: Expected[Any], found: tuple[str, str], raw: bytes | None, *, title: str
) -> None:
    """Say why an object of another kind won't do; its own faults come first, as in Go."""
    other = by_kind(*found)
    known = other is not None or found == ("v1", "List")
    if not known:
        version, kind = found
        why = f'no kind "{kind}" is registered for version "{version}" in scheme "{_SCHEME}"'
        raise BadRequest(title + why)
    if other is not None and raw is not None:
        codec.decode_bytes(other.type, raw, title=title)
    version = found[0].rpartition("/")[2]
    raise BadRequest(
        f"{title}converting ({version}.{found[1]}) to ({expected.internal}): unknown conversion"
    )


def _yaml_to_json(expected: Expected[Any], raw: bytes) -> bytes:
    try:
        return jsonio.dumps(from_yaml(raw))
    except (ValueError, TypeError) as error:
        message = f"error converting YAML to JSON: {error}"
        raise BadRequest(_unrecognized_text(expected, message, raw)) from error


def _unrecognized(expected: Expected[Any], why: str, raw: bytes) -> BadRequest:
    return BadRequest(_unrecognized_text(expected, f"couldn't get version/kind; {why}", raw))


def _unrecognized_text(expected: Expected[Any], why: str, raw: bytes) -> str:
    start = f"the object provided is unrecognized (must be of type {expected.kind}): "
    return f"{start}{why} ({snippet(raw)})"


def snippet(raw: bytes) -> str:
    """The start of a body, as text where it looks like JSON, else in hex."""
    if not raw:
        return "<empty>"
    shown = raw[:_SNIPPET]
    text = shown.decode(errors="replace") if raw[:1] == b"{" else shown.hex()
    return text if len(raw) <= _SNIPPET else f"{text} ..."


def go_json_error(raw: bytes) -> str:
    """Say what Go's encoding/json would say about text that is not a JSON object."""
    if fault := json_fault(raw):
        return fault
    try:
        data = json.loads(raw)
    except UnicodeDecodeError:
        return "invalid UTF-8"
    return f"{_wrong_go_type(data)} into Go value of type {_TYPE_META}"


def _wrong_go_type(value: Any) -> str:
    names = {bool: "bool", int: "number", float: "number", str: "string", list: "array"}
    return f"json: cannot unmarshal {names.get(type(value), 'object')}"


def decode_patch(how: PatchType, raw: bytes) -> Any:
    """Decode a PATCH body to plain data.

    Raises:
        BadRequest: it can't be read.
    """
    if how is PatchType.APPLY:
        return _decode_apply(raw)
    prefix = "" if how is PatchType.STRATEGIC else "error decoding patch: "
    try:
        data, _ = loads(raw)
    except BadRequest:
        raise BadRequest(prefix + go_json_error(raw)) from None
    if how is PatchType.JSON and not isinstance(data, list):
        message = f"{_wrong_go_type(data)} into Go value of type []handlers.jsonPatchOp"
        raise BadRequest(prefix + message)
    if how is not PatchType.JSON and not isinstance(data, dict):
        message = f"{_wrong_go_type(data)} into Go value of type map[string]interface {{}}"
        raise BadRequest(prefix + message)
    return data


def _decode_apply(raw: bytes) -> dict[str, Any]:
    try:
        data = from_yaml(raw) if raw[:1] != b"{" else loads(raw)[0]
        jsonio.dumps(data)  # what JSON can't say is refused here
    except (TypeError, ValueError, RecursionError) as error:
        message = f"error decoding YAML: error converting YAML to JSON: {error}"
        raise BadRequest(message) from error
    if not isinstance(data, dict):
        message = f"{_wrong_go_type(data)} into Go value of type map[string]interface {{}}"
        raise BadRequest(f"error decoding YAML: {message}")
    return data


def patch_type(content_type: str) -> PatchType:
    """Find the kind of patch behind a Content-Type.

    Raises:
        UnsupportedMediaType: it is none that we know.
    """
    media = media_type(content_type)
    for how in PatchType:
        if how.value == media:
            return how
    raise UnsupportedMediaType("415: Unsupported Media Type", Details())


def decode_delete_options(raw: bytes, content_type: str) -> DeleteOptions | None:
    """Decode the body of a DELETE; None where there is none.

    Raises:
        BadRequest: it can't be read as DeleteOptions.
    """
    if not raw:
        return None
    if media_type(content_type) == PROTOBUF:
        return proto.decode(DeleteOptions, proto.decode_envelope(raw).raw)
    try:
        if media_type(content_type) == YAML:
            raw = jsonio.dumps(from_yaml(raw))
        meta = _peek.decode(raw)
    except (msgspec.DecodeError, RecursionError):
        message = f"couldn't get version/kind; json parse error: {go_json_error(raw)}"
        raise BadRequest(message) from None
    except (TypeError, ValueError) as error:
        raise BadRequest(f"error converting YAML to JSON: {error}") from error
    if not isinstance(meta.kind, str | None):
        why = f"{_wrong_go_type(meta.kind)} into Go struct field .kind of type string"
        raise BadRequest(f"couldn't get version/kind; json parse error: {why}")
    if meta.kind not in {None, "", "DeleteOptions"}:
        version = meta.apiVersion or "v1"
        message = f'no kind "{meta.kind}" is registered for version "{version}" in scheme '
        raise BadRequest(f'{message}"{_OPTIONS_SCHEME}"')
    options, _ = codec.decode_bytes(DeleteOptions, raw)
    return options
