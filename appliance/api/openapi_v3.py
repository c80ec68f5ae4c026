"""OpenAPI v3: one document per group and version, made from the table of kinds.

kubectl reads them to validate, to apply and to explain. The HTTP layer serves `index` at
/openapi/v3 and `encoded` below it; both are made once and kept, since kinds do not change while
the server runs.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from typing import Any

from appliance.api import openapi_paths as paths
from appliance.api import openapi_schemas as schemas
from appliance.api.kind import Kind
from appliance.api.kinds.autoscaling.scale import Scale
from appliance.api.kinds.core.pod.kind import Binding
from appliance.api.kinds.policy.eviction import Eviction
from appliance.api.kinds.posted import POSTED
from appliance.api.kinds.table import KINDS
from appliance.api.meta import DeleteOptions, ListMeta
from appliance.api.schema import Message
from appliance.kit import jsonio

Json = dict[str, Any]

_PREFIX = "#/components/schemas/"
_STATUS = schemas.META + "Status"
_PATCH = schemas.META + "Patch"

BODIES: dict[tuple[str, str, str], type[Message]] = {
    ("", "v1", "Binding"): Binding,
    ("autoscaling", "v1", "Scale"): Scale,
    ("policy", "v1", "Eviction"): Eviction,
}
"""Kinds that are posted to sub-resources and are not stored."""
DOCUMENTED = (*KINDS, *POSTED)
"""All that is told of."""


def index(kinds: Iterable[Kind[Any]] = DOCUMENTED) -> Json:
    """Give the list of documents with their hashes, so that clients may keep them."""
    found = {}
    for group, version in sorted({(k.group, k.version) for k in kinds}):
        name = path_of(group, version)
        digest = hashlib.sha512(encoded(group, version)).hexdigest().upper()
        found[name] = {"serverRelativeURL": f"/openapi/v3/{name}?hash={digest}"}
    return {"paths": found}


def path_of(group: str, version: str) -> str:
    """Name a document: `api/v1`, `apis/apps/v1`."""
    return f"apis/{group}/{version}" if group else f"api/{version}"


@cache
def encoded(group: str, version: str) -> bytes:
    """Give a document as JSON bytes; empty where there is none."""
    made = document(group, version)
    return jsonio.dumps(made) if made["paths"] else b""


def document(group: str, version: str, kinds: Iterable[Kind[Any]] = DOCUMENTED) -> Json:
    """Make the document of a group and version."""
    mine = [k for k in kinds if (k.group, k.version) == (group, version)]
    found: Json = {}
    for kind in mine:
        for operation in paths.operations(kind):
            place = found.setdefault(operation.path, _path_parameters(operation.path))
            place[operation.method] = _operation(operation)
    return {
        "openapi": "3.0.0",
        "info": {"title": "Kubernetes", "version": "v1.36.2"},
        "paths": dict(sorted(found.items())),
        "components": {
            "schemas": _schemas(mine),
            "securitySchemes": {
                "BearerToken": {
                    "type": "apiKey",
                    "name": "authorization",
                    "in": "header",
                    "description": "Bearer token",
                }
            },
        },
    }


def struct_of(kind: tuple[str, str, str], kinds: Iterable[Kind[Any]]) -> type[Message] | None:
    """Find the struct of a group, version and kind."""
    for candidate in kinds:
        if (candidate.group, candidate.version, candidate.kind) == kind:
            found: type[Message] = candidate.type
            return found
    return BODIES.get(kind)


def _schemas(kinds: list[Kind[Any]]) -> Json:
    bodies = {
        key: struct
        for kind in kinds
        for operation in paths.operations(kind)
        if (struct := struct_of(key := operation.body_kind, kinds)) is not None
    }
    made = schemas.definitions([*bodies.values(), DeleteOptions, ListMeta], _PREFIX)
    for key, struct in bodies.items():
        made[schemas.name_of(struct)]["x-kubernetes-group-version-kind"] = [paths.gvk(key)]
    for kind in kinds:
        if "list" in kind.verbs:
            made[list_name(kind)] = list_schema(kind, _PREFIX)
    made[_STATUS] = status_schema()
    made[_PATCH] = {"type": "object", "description": "A patch, as its media type says."}
    options = made[schemas.META + "DeleteOptions"]
    options["x-kubernetes-group-version-kind"] = [
        paths.gvk((g, v, "DeleteOptions")) for g, v in sorted({(k.group, k.version) for k in KINDS})
    ]
    return dict(sorted(made.items()))


def list_name(kind: Kind[Any]) -> str:
    """Name the definition of the list of a kind."""
    struct: type[Message] = kind.type
    return schemas.name_of(struct) + "List"


def list_schema(kind: Kind[Any], prefix: str) -> Json:
    """Make the schema of the list of a kind."""
    return {
        "type": "object",
        "description": f"A list of objects of kind {kind.kind}.",
        "properties": {
            "apiVersion": {"type": "string", "description": "Version of the schema."},
            "items": {
                "type": "array",
                "description": "The objects.",
                "items": schemas.reference(list_name(kind).removesuffix("List"), prefix),
            },
            "kind": {"type": "string", "description": "Kind of this list."},
            "metadata": {
                "allOf": [schemas.reference(schemas.META + "ListMeta", prefix)],
                "default": {},
                "description": "Revision of the list, and the token for its next page.",
            },
        },
        "required": ["items"],
        "x-kubernetes-group-version-kind": [paths.gvk((kind.group, kind.version, kind.list_kind))],
    }


def status_schema() -> Json:
    """Make the schema of an answer without an object."""
    texts = {
        "apiVersion": "Version of the schema.",
        "kind": "Status.",
        "message": "What happened, for people.",
        "reason": "Why, as one word.",
        "status": "Success or Failure.",
    }
    properties: Json = {name: {"type": "string", "description": doc} for name, doc in texts.items()}
    properties["code"] = {"type": "integer", "format": "int32", "description": "HTTP status."}
    properties["details"] = {"type": "object", "description": "What it is about."}
    properties["metadata"] = {"type": "object", "description": "Empty."}
    return {
        "type": "object",
        "description": "The answer to a request that gives no object.",
        "properties": properties,
        "x-kubernetes-group-version-kind": [paths.gvk(("", "v1", "Status"))],
    }


def _path_parameters(path: str) -> Json:
    found = [
        {
            "name": name,
            "in": "path",
            "required": True,
            "description": f"The {name} of the object.",
            "schema": {"type": "string", "uniqueItems": True},
        }
        for name in ("name", "namespace")
        if f"{{{name}}}" in path
    ]
    return {"parameters": found} if found else {}


@dataclass(frozen=True, slots=True)
class BodyAndAnswer:
    """Names of the schemas of what is sent and what comes back; an empty body is none."""

    body: str
    answer: str
    required: bool = True


def body_and_answer(operation: paths.Operation) -> BodyAndAnswer:
    """Say what an operation takes and gives."""
    struct = struct_of(operation.body_kind, (operation.kind, *KINDS))
    main = schemas.name_of(struct) if struct else _STATUS
    if operation.method == "delete":
        return BodyAndAnswer(schemas.META + "DeleteOptions", _STATUS, required=False)
    if operation.verb == "patch":
        return BodyAndAnswer(_PATCH, main)
    if operation.verb == "list":
        return BodyAndAnswer("", main + "List")
    sends = operation.verb in {"create", "update"} and struct is not None
    return BodyAndAnswer(main if sends else "", main)


def _operation(operation: paths.Operation) -> Json:
    names = body_and_answer(operation)
    made: Json = {
        "tags": ["_".join((operation.kind.group or "core", operation.kind.version))],
        "description": f"{operation.verb} {operation.kind.kind}",
        "operationId": operation.operation_id,
        "parameters": [_query(name) for name in operation.query],
        "responses": {
            "200": {"description": "OK", "content": _content((_JSON,), names.answer)},
            "401": {"description": "Unauthorized"},
        },
        "x-kubernetes-action": operation.action,
        "x-kubernetes-group-version-kind": paths.gvk(operation.body_kind),
    }
    if names.body:
        media = paths.PATCH_TYPES if operation.verb == "patch" else ("*/*",)
        made["requestBody"] = {"content": _content(media, names.body)}
        if names.required:
            made["requestBody"]["required"] = True
    return made


_JSON = "application/json"


def _content(media: tuple[str, ...], name: str) -> Json:
    return {m: {"schema": schemas.reference(name, _PREFIX)} for m in media}


def _query(name: str) -> Json:
    kind, doc = paths.parameter_text(name)
    return {
        "name": name,
        "in": "query",
        "description": doc,
        "schema": {"type": kind, "uniqueItems": True},
    }
