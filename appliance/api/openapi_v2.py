"""OpenAPI v2: all kinds in one document, for clients from before v3 (kubectl up to 1.28).

The schemas are those of v3, put into the words of Swagger 2.0: no `oneOf`, references beside
their description. Made once and kept, as JSON and as protobuf (`openapi_wire`), which is what
old kubectl asks for.
"""

from collections.abc import Iterable
from functools import cache
from typing import Any

from appliance.api import openapi_paths as paths
from appliance.api import openapi_schemas as schemas
from appliance.api import openapi_v3, openapi_wire
from appliance.api.kind import Kind
from appliance.kit import jsonio

Json = dict[str, Any]

PROTOBUF_ASKED = "application/com.github.proto-openapi.spec.v2@v1.0+protobuf"
"""What old clients write in Accept …"""
PROTOBUF_SENT = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf"
"""… and the Content-Type they want for it: a media type may not have an @."""

_PREFIX = "#/definitions/"
_GVK = "x-kubernetes-group-version-kind"
_TEXT_OR_NUMBER = "oneOf"


@cache
def encoded() -> bytes:
    """Give the document of this server as JSON."""
    return jsonio.dumps(document())


@cache
def encoded_protobuf() -> bytes:
    """Give the document of this server as protobuf."""
    return openapi_wire.encode(document())


def with_custom(kinds: Iterable[Kind[Any]]) -> Json:
    """Give the document of this server with users' kinds in it."""
    whole: Json = jsonio.loads(encoded())
    theirs = document(kinds)
    whole["paths"] |= theirs["paths"]
    for name, schema in theirs["definitions"].items():
        whole["definitions"].setdefault(name, schema)
    return whole


def document(kinds: Iterable[Kind[Any]] = openapi_v3.DOCUMENTED) -> Json:
    """Make the document."""
    found: Json = {}
    known: Json = {}
    kinds = tuple(kinds)
    for group, version in sorted({(k.group, k.version) for k in kinds}):
        modern = openapi_v3.document(group, version, kinds)
        for name, schema in modern["components"]["schemas"].items():
            # a kind may be a part of others, too: only its own document says that it is one
            if _GVK in schema or name not in known:
                known[name] = schema
    for kind in kinds:
        for operation in paths.operations(kind):
            place = found.setdefault(operation.path, _path_parameters(operation.path))
            place[operation.method] = _operation(operation)
    return {
        "swagger": "2.0",
        "info": {"title": "Kubernetes", "version": "v1.36.2"},
        "paths": dict(sorted(found.items())),
        "definitions": {name: _plain(schema) for name, schema in sorted(known.items())},
        "securityDefinitions": {
            "BearerToken": {
                "description": "Bearer token",
                "type": "apiKey",
                "name": "authorization",
                "in": "header",
            }
        },
        "security": [{"BearerToken": []}],
    }


def _plain(schema: Any) -> Any:
    """Put a schema of v3 into the words of v2."""
    if isinstance(schema, list):
        return [_plain(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    made = {key: _plain(value) for key, value in schema.items()}
    if reference := made.get("$ref"):
        made["$ref"] = _PREFIX + reference.rpartition("/")[2]
    if isinstance(inner := made.get("allOf"), list):
        del made["allOf"]
        made.update(inner[0])
    if isinstance(made.get(_TEXT_OR_NUMBER), list):
        del made[_TEXT_OR_NUMBER]
        made["type"] = "string"
    return made


def _path_parameters(path: str) -> Json:
    found = [
        {
            "name": name,
            "in": "path",
            "required": True,
            "type": "string",
            "uniqueItems": True,
            "description": f"The {name} of the object.",
        }
        for name in ("name", "namespace")
        if f"{{{name}}}" in path
    ]
    return {"parameters": found} if found else {}


def _operation(operation: paths.Operation) -> Json:
    names = openapi_v3.body_and_answer(operation)
    parameters = [_query(name) for name in operation.query]
    if names.body:
        body = {"name": "body", "in": "body", "schema": schemas.reference(names.body, _PREFIX)}
        parameters.insert(0, {**body, "required": names.required})
    answer = {"description": "OK", "schema": schemas.reference(names.answer, _PREFIX)}
    return {
        "tags": ["_".join((operation.kind.group or "core", operation.kind.version))],
        "description": f"{operation.verb} {operation.kind.kind}",
        "operationId": operation.operation_id,
        "consumes": list(paths.PATCH_TYPES) if operation.verb == "patch" else ["*/*"],
        "produces": ["application/json", "application/yaml"],
        "parameters": parameters,
        "responses": {"200": answer, "401": {"description": "Unauthorized"}},
        "x-kubernetes-action": operation.action,
        "x-kubernetes-group-version-kind": paths.gvk(operation.body_kind),
    }


def _query(name: str) -> Json:
    kind, doc = paths.parameter_text(name)
    return {"name": name, "in": "query", "description": doc, "type": kind, "uniqueItems": True}
