"""The OpenAPI v2 document as protobuf: numbers of gnostic's `OpenAPIv2.proto`, what we use of it.

Called once by `openapi_v2`. Values of any type (extensions, defaults) travel as YAML text; JSON
is YAML, so they are written as JSON.
"""

from typing import Any

from appliance.api.protowire import bytes_field, integer_field
from appliance.kit import jsonio

Json = dict[str, Any]

_METHODS = {"get": 2, "put": 3, "post": 4, "delete": 5, "options": 6, "head": 7, "patch": 8}


def encode(document: Json) -> bytes:
    """Write a Document."""
    info = _text(1, document["info"]["title"]) + _text(2, document["info"]["version"])
    paths = b"".join(
        bytes_field(2, _named(name, _path(item))) for name, item in document["paths"].items()
    )
    definitions = b"".join(
        bytes_field(1, _named(name, _schema(schema)))
        for name, schema in document["definitions"].items()
    )
    return (
        _text(1, document["swagger"])
        + bytes_field(2, info)
        + bytes_field(8, paths)
        + bytes_field(9, definitions)
    )


def _text(number: int, value: str) -> bytes:
    return bytes_field(number, value.encode()) if value else b""


def _texts(number: int, values: list[str]) -> bytes:
    return b"".join(bytes_field(number, value.encode()) for value in values)


def _flag(number: int, value: Any) -> bytes:
    return integer_field(number, 1) if value else b""


def _named(name: str, value: bytes) -> bytes:
    return _text(1, name) + bytes_field(2, value)


def _any(value: Any) -> bytes:
    return bytes_field(2, jsonio.dumps(value) + b"\n")


def _extensions(number: int, holder: Json) -> bytes:
    return b"".join(
        bytes_field(number, _named(name, _any(value)))
        for name, value in holder.items()
        if name.startswith("x-")
    )


def _schema(schema: Json) -> bytes:
    out = (
        _text(1, schema.get("$ref", ""))
        + _text(2, schema.get("format", ""))
        + _text(4, schema.get("description", ""))
    )
    if "default" in schema:
        out += bytes_field(5, _any(schema["default"]))
    out += _texts(19, schema.get("required", []))
    out += b"".join(bytes_field(20, _any(value)) for value in schema.get("enum", ()))
    if "additionalProperties" in schema:
        out += bytes_field(21, bytes_field(1, _schema(schema["additionalProperties"])))
    if "type" in schema:
        out += bytes_field(22, _text(1, schema["type"]))
    if "items" in schema:
        out += bytes_field(23, bytes_field(1, _schema(schema["items"])))
    if "properties" in schema:
        named = (_named(name, _schema(part)) for name, part in schema["properties"].items())
        out += bytes_field(25, b"".join(bytes_field(1, part) for part in named))
    return out + _extensions(31, schema)


def _path(item: Json) -> bytes:
    out = b""
    for method, number in _METHODS.items():
        if method in item:
            out += bytes_field(number, _operation(item[method]))
    return out + _parameters(9, item.get("parameters", []))


def _operation(operation: Json) -> bytes:
    answers = b"".join(
        bytes_field(1, _named(code, bytes_field(1, _response(answer))))
        for code, answer in operation["responses"].items()
    )
    return (
        _texts(1, operation["tags"])
        + _text(3, operation["description"])
        + _text(5, operation["operationId"])
        + _texts(6, operation["produces"])
        + _texts(7, operation["consumes"])
        + _parameters(8, operation["parameters"])
        + bytes_field(9, answers)
        + _extensions(13, operation)
    )


def _response(answer: Json) -> bytes:
    out = _text(1, answer["description"])
    if "schema" in answer:
        out += bytes_field(2, bytes_field(1, _schema(answer["schema"])))
    return out


def _parameters(number: int, parameters: list[Json]) -> bytes:
    # ParametersItem{1: Parameter}
    return b"".join(bytes_field(number, bytes_field(1, _parameter(p))) for p in parameters)


def _parameter(parameter: Json) -> bytes:
    place = parameter["in"]
    if place == "body":
        body = (
            _text(1, parameter.get("description", ""))
            + _text(2, parameter["name"])
            + _text(3, place)
            + _flag(4, parameter.get("required"))
            + bytes_field(5, _schema(parameter["schema"]))
        )
        return bytes_field(1, body)
    # Query and path parameters differ in one field that only queries have (5)
    is_query = place == "query"
    shift = 1 if is_query else 0
    inner = (
        _flag(1, parameter.get("required"))
        + _text(2, place)
        + _text(3, parameter.get("description", ""))
        + _text(4, parameter["name"])
        + _text(5 + shift, parameter["type"])
        + _flag(19 + shift, parameter.get("uniqueItems"))
    )
    return bytes_field(2, bytes_field(3 if is_query else 4, inner))
