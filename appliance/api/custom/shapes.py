"""A structural schema as a `Shape`, for field ownership and server-side apply.

What the schema leaves open is granular by keys for maps and owned as a whole for lists, as
upstream deduces it. Pure. Source: kube-openapi `pkg/schemaconv`.
"""

import types
from typing import Any

from appliance.api.custom.structural import (
    INT_OR_STRING,
    LIST_KEYS,
    LIST_TYPE,
    MAP_TYPE,
    PRESERVE,
)
from appliance.api.fieldtypes import DEDUCED, Field, Shape, shape_of_struct
from appliance.api.meta import ObjectMeta
from appliance.api.schema import F

Json = dict[str, Any]

_SCALARS = {"string": "string", "boolean": "bool", "integer": "int64", "number": "double"}
_STRING = Shape("scalar", "string")


def shape_of_object(schema: Json) -> Shape:
    """Shape of a whole object: the schema's, with metadata as everybody has it."""
    table = dict(_table(schema))
    for name in ("kind", "apiVersion"):
        table[name] = _field(name, _STRING, {})
    table["metadata"] = _field("metadata", shape_of_struct(ObjectMeta), {})
    rest = DEDUCED if schema.get(PRESERVE) else None
    return Shape("struct", table=types.MappingProxyType(table), element=rest)


def _table(schema: Json) -> dict[str, Field]:
    declared = schema.get("properties") or {}
    return {name: _field(name, _shape(part), part) for name, part in declared.items()}


def _field(name: str, shape: Shape, schema: Json) -> Field:
    facts = F(
        0,
        schema.get("description", ""),
        list_type=schema.get(LIST_TYPE, ""),
        list_keys=tuple(schema.get(LIST_KEYS) or ()),
        map_type=schema.get(MAP_TYPE, ""),
    )
    return Field(name=name, attribute=name, facts=facts, shape=shape, pointer=True, always=False)


def _shape(schema: Json) -> Shape:
    kind = schema.get("type")
    if schema.get(INT_OR_STRING):
        return Shape("scalar", "intOrString")
    if kind == "array" and isinstance(schema.get("items"), dict):
        return Shape("list", element=_shape(schema["items"]))
    if kind in _SCALARS:
        return Shape("scalar", _SCALARS[kind])
    return _map_shape(schema) if kind == "object" else DEDUCED


def _map_shape(schema: Json) -> Shape:
    if schema.get("properties"):
        rest = DEDUCED if schema.get(PRESERVE) else None
        return Shape("struct", table=types.MappingProxyType(_table(schema)), element=rest)
    if isinstance(schema.get("additionalProperties"), dict):
        return Shape("map", element=_shape(schema["additionalProperties"]))
    return DEDUCED
