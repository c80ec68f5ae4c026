"""Tables of the fields of API types, read once from their annotations.

Everything that walks objects by schema (decoding, patches, field ownership, protobuf, OpenAPI)
asks here instead of looking at type hints itself. Tables are made on first use and kept: there
are as many as there are types.

    fields_of(Container)["ports"]
      -> Field(name="ports", number=6, shape=Shape(form="list", element=Shape(struct=...)), ...)
"""

import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any, Literal

import msgspec

from appliance.api.schema import F, Inline, Message, Rules, Scalar

Form = Literal["scalar", "struct", "list", "map"]

_PLAIN: dict[Any, str] = {
    str: "string",
    bool: "bool",
    int: "int64",
    float: "double",
    bytes: "bytes",
    Any: "rawJson",
}

_GO_NAMES = {
    "bytes": "[]uint8",
    "double": "float64",
    "quantity": "resource.Quantity",
    "intOrString": "intstr.IntOrString",
    "time": "v1.Time",
    "microTime": "v1.MicroTime",
    "duration": "v1.Duration",
    "rawJson": "runtime.RawExtension",
}


ATOMIC_STRUCTS = frozenset({
    "ConfigMapKeySelector",
    "EndpointAddress",
    "EndpointPort",
    "FileKeySelector",
    "LabelSelector",
    "LocalObjectReference",
    "NodeSelector",
    "NodeSelectorTerm",
    "ObjectFieldSelector",
    "ObjectReference",
    "OwnerReference",
    "ResourceFieldSelector",
    "RoleRef",
    "ScopeSelector",
    "ScopedResourceSelectorRequirement",
    "SecretKeySelector",
    "SecretReference",
    "ServiceBackendPort",
    "Subject",
    "TopologySelectorTerm",
    "TypedLocalObjectReference",
})  # fmt: skip
"""Types that one manager owns as a whole wherever they stand (structType=atomic upstream)."""


@dataclass(frozen=True, slots=True)
class Shape:
    """What a value is: a scalar by name, a struct, or a list or map of `element`."""

    form: Form
    scalar: str = ""
    struct: type[Message] | None = None
    element: "Shape | None" = None
    table: "Mapping[str, Field] | None" = None
    """Fields of a struct that is no Python type but comes from a schema; `element` is then what
    other keys are, None where there may be none."""

    def is_atomic(self, rules: Rules) -> bool:
        """Whether one manager owns such a value as a whole; lists are unless they say else."""
        if self.form == "list":
            return rules.list_type not in {"map", "set"}
        if self.struct is not None and self.struct.__name__ in ATOMIC_STRUCTS:
            return True
        return self.form == "scalar" or rules.map_type == "atomic"

    @property
    def go_name(self) -> str:
        """Name of the type as error messages of Go's JSON decoder give it."""
        if self.element is not None:
            return ("[]" if self.form == "list" else "map[string]") + self.element.go_name
        if self.struct is not None:
            return f"{_package(self.struct)}.{self.struct.__name__}"
        return _GO_NAMES.get(self.scalar, self.scalar)


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One field: its JSON name, its Python attribute, its facts and its shape."""

    name: str
    attribute: str
    facts: F
    shape: Shape
    pointer: bool
    """Go has a pointer: absent and zero differ."""
    always: bool
    """Written even at its zero value."""

    @property
    def rules(self) -> Rules:
        """Merge rules."""
        return self.facts.rules


@cache
def fields_of(struct: type[Message]) -> Mapping[str, Field]:
    """Give all fields, those of embedded structs too, by JSON name, in order of writing."""
    table = {}
    for info in msgspec.structs.fields(struct):
        shape, facts, pointer = _read(info.type)
        factory = info.default_factory
        table[info.encode_name] = Field(
            name=info.encode_name,
            attribute=info.name,
            facts=facts or F(0),
            shape=shape,
            pointer=pointer,
            always=factory is not msgspec.NODEFAULT and factory not in {list, dict},
        )
    return types.MappingProxyType(table)


def inlined(struct: type[Message]) -> Inline:
    """Give the structs that `struct` itself embeds, each with its protobuf number."""
    own: Inline = struct.__dict__.get("INLINE", ())
    return own


DEDUCED = Shape("map", "deduced")
"""What a schema leaves open: maps by their keys, all else as a whole."""


def shape_of_struct(struct: type[Message]) -> Shape:
    """Give the shape of a whole object; types of custom objects bring their own."""
    own: Shape | None = getattr(struct, "SHAPE", None)
    return own or Shape("struct", struct=struct)


def top_fields(struct: type[Message]) -> Mapping[str, Field]:
    """Give the fields of an object's first level."""
    shape = shape_of_struct(struct)
    return shape.table if shape.table is not None else fields_of(struct)


def _package(struct: type[Message]) -> str:
    """Go's packages of API types bear the version's name."""
    last = struct.__module__.rsplit(".", 1)[-1]
    return "v2" if last.endswith("_v2") else "v1"


def _read(hint: Any) -> tuple[Shape, F | None, bool]:
    facts: F | None = None
    scalar = ""
    pointer = False
    while True:
        if typing.get_origin(hint) is Annotated:
            hint, *notes = typing.get_args(hint)
            facts = next((n for n in notes if isinstance(n, F)), facts)
            scalar = next((n.name for n in notes if isinstance(n, Scalar)), scalar)
        elif _is_optional(hint) and not scalar:
            (hint,) = (a for a in typing.get_args(hint) if a is not types.NoneType)
            pointer = True
        else:
            break
    return (Shape("scalar", scalar) if scalar else _shape(hint)), facts, pointer


def _is_optional(hint: Any) -> bool:
    is_union = typing.get_origin(hint) in {typing.Union, types.UnionType}
    return is_union and types.NoneType in typing.get_args(hint)


def _shape(hint: Any) -> Shape:
    origin = typing.get_origin(hint)
    if origin is list:
        return Shape("list", element=_read(typing.get_args(hint)[0])[0])
    if origin is dict:
        return Shape("map", element=_read(typing.get_args(hint)[1])[0])
    if isinstance(hint, type) and issubclass(hint, Message):
        return Shape("struct", struct=hint)
    if hint in _PLAIN:
        return Shape("scalar", _PLAIN[hint])
    raise TypeError(f"no API type is written as {hint!r}")
