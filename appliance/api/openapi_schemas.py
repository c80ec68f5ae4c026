"""OpenAPI schemas of API types, made from the structs; what `kubectl explain` prints.

Both documents (v2, v3) are made of these. Definitions bear upstream's names, because clients look
types up by them (`io.k8s.api.core.v1.Pod`). Descriptions come from docstrings and `F.doc`. Pure.
"""

import inspect
from collections.abc import Iterable
from functools import cache
from typing import Any

from appliance.api.custom.object import CustomObject
from appliance.api.fieldtypes import ATOMIC_STRUCTS, Field, Shape, fields_of
from appliance.api.meta import ObjectMeta
from appliance.api.schema import Message

Json = dict[str, Any]

META = "io.k8s.apimachinery.pkg.apis.meta.v1."

_SCALARS: dict[str, Json] = {
    "string": {"type": "string"},
    "bool": {"type": "boolean"},
    "int32": {"type": "integer", "format": "int32"},
    "int64": {"type": "integer", "format": "int64"},
    "double": {"type": "number", "format": "double"},
    "bytes": {"type": "string", "format": "byte"},
}

_NAMED_SCALARS: dict[str, tuple[str, Json]] = {
    "time": (
        META + "Time",
        {"type": "string", "format": "date-time", "description": "A moment, in RFC 3339, UTC."},
    ),
    "microTime": (
        META + "MicroTime",
        {
            "type": "string",
            "format": "date-time",
            "description": "A moment to the microsecond, in RFC 3339, UTC.",
        },
    ),
    "duration": (
        META + "Duration",
        {"type": "string", "description": "A span of time such as 1h30m."},
    ),
    "quantity": (
        "io.k8s.apimachinery.pkg.api.resource.Quantity",
        {
            "description": "An amount of a resource: a number with an optional suffix such as m,"
            " k, M, G, Ki, Mi, Gi.",
            "oneOf": [{"type": "string"}, {"type": "number"}],
        },
    ),
    "intOrString": (
        "io.k8s.apimachinery.pkg.util.intstr.IntOrString",
        {
            "description": "A whole number, or a text such as a name or a percentage.",
            "format": "int-or-string",
            "oneOf": [{"type": "integer"}, {"type": "string"}],
        },
    ),
    "rawJson": (
        "io.k8s.apimachinery.pkg.runtime.RawExtension",
        {"type": "object", "description": "Any JSON value, kept as it is."},
    ),
}

_GROUP_PACKAGES = {
    "apiextensions": "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.",
    "apiregistration": "io.k8s.kube-aggregator.pkg.apis.apiregistration.",
}


def name_of(struct: type[Message]) -> str:
    """Give upstream's name of a definition, from the folder that the struct is in."""
    if issubclass(struct, CustomObject):
        return struct.OPENAPI_NAME
    return _name_of(struct)


@cache
def _name_of(struct: type[Message]) -> str:
    parts = struct.__module__.split(".")
    if "kinds" not in parts[:-1]:
        return META + struct.__name__
    group = parts[parts.index("kinds") + 1]
    version = "v2" if parts[-1].endswith("_v2") else "v1"
    package = _GROUP_PACKAGES.get(group, f"io.k8s.api.{group}.")
    return f"{package}{version}.{struct.__name__}"


def definitions(structs: Iterable[type[Message]], prefix: str) -> dict[str, Json]:
    """Give the schemas of these structs and of all they are made of, by name.

    `prefix` is where references point: `#/components/schemas/` or `#/definitions/`.
    """
    found: dict[str, Json] = {}
    waiting = list(structs)
    while waiting:
        struct = waiting.pop()
        name = name_of(struct)
        if name in found:
            continue
        if issubclass(struct, CustomObject):
            found[name] = _custom(struct, prefix)
            waiting.append(ObjectMeta)
            continue
        found[name] = _struct(struct, prefix)
        for field in fields_of(struct).values():
            innermost = _innermost(field.shape)
            if innermost.struct is not None:
                waiting.append(innermost.struct)
            elif innermost.scalar in _NAMED_SCALARS:
                scalar, schema = _NAMED_SCALARS[innermost.scalar]
                found[scalar] = dict(schema)
    return dict(sorted(found.items()))


def _custom(struct: type[CustomObject], prefix: str) -> Json:
    """The schema of the definition, and what every object has."""
    texts = {"apiVersion": "Version of the schema.", "kind": "Kind of this object."}
    own: Json = {name: {"type": "string", "description": doc} for name, doc in texts.items()}
    meta = {"allOf": [reference(META + "ObjectMeta", prefix)]}
    own["metadata"] = {**meta, "description": "Standard object's metadata."}
    declared = struct.SCHEMA.get("properties") or {}
    return {**struct.SCHEMA, "type": "object", "properties": {**declared, **own}}


def reference(name: str, prefix: str) -> Json:
    """Point to a definition."""
    return {"$ref": prefix + name}


def _innermost(shape: Shape) -> Shape:
    while shape.element is not None:
        shape = shape.element
    return shape


def _struct(struct: type[Message], prefix: str) -> Json:
    table = fields_of(struct)
    schema: Json = {"type": "object"}
    if struct.__doc__:
        schema["description"] = inspect.cleandoc(struct.__doc__)
    if table:
        schema["properties"] = {name: _field(f, prefix) for name, f in sorted(table.items())}
    if required := sorted(name for name, f in table.items() if f.facts.required):
        schema["required"] = required
    if struct.__name__ in ATOMIC_STRUCTS:
        schema["x-kubernetes-map-type"] = "atomic"
    return schema


def _field(field: Field, prefix: str) -> Json:
    schema = _shape(field.shape, prefix)
    if "$ref" in schema:
        # Siblings of $ref are ignored by readers, so the reference moves inward.
        schema = {"allOf": [schema]}
    if field.facts.doc:
        schema["description"] = field.facts.doc
    if field.facts.default is not None:
        schema["default"] = field.facts.default
    elif field.shape.struct is not None and not field.pointer:
        schema["default"] = {}
    if field.facts.enum:
        schema["enum"] = list(field.facts.enum)
    schema.update(_merge_rules(field))
    return schema


def _merge_rules(field: Field) -> Json:
    rules = field.rules
    strategy = [
        word for word, said in (("merge", rules.merge), ("retainKeys", rules.retain_keys)) if said
    ]
    found: Json = {
        "x-kubernetes-list-type": rules.list_type,
        "x-kubernetes-list-map-keys": list(rules.list_keys),
        "x-kubernetes-map-type": rules.map_type,
        "x-kubernetes-patch-merge-key": rules.merge_key,
        "x-kubernetes-patch-strategy": ",".join(strategy),
    }
    return {key: value for key, value in found.items() if value}


def _shape(shape: Shape, prefix: str) -> Json:
    if shape.struct is not None:
        return reference(name_of(shape.struct), prefix)
    if shape.element is not None:
        inner = _shape(shape.element, prefix)
        if shape.form == "list":
            return {"type": "array", "items": inner}
        return {"type": "object", "additionalProperties": inner}
    if shape.scalar in _NAMED_SCALARS:
        return reference(_NAMED_SCALARS[shape.scalar][0], prefix)
    return dict(_SCALARS[shape.scalar])
