"""How an API type is written down, once, for every use.

A type is a msgspec Struct whose attributes bear their JSON names. Each annotation carries a `F`
with the protobuf field number, a description in our own words and the merge rules:

    class ContainerPort(Message):
        "A port that a container listens on."
        containerPort: Annotated[Int32, F(3, "Port number.", required=True)] = always(int)
        protocol: Annotated[str, F(4, "TCP, UDP or SCTP.")] = ""

From this one source come: typed decoding and encoding (msgspec, C speed), errors with field
paths, unknown-field warnings, OpenAPI v2 and v3, merge keys of strategic patches and of
server-side apply, and the protobuf codec.

Go's rules of presence are kept: a field at its default is left out of the JSON (`omitempty`);
one made with `always` is written even when it is zero. Pointers in Go are `X | None` here.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

import msgspec


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """How lists and maps of a field are merged; see F."""

    merge: bool = False
    merge_key: str = ""
    retain_keys: bool = False
    list_type: str = ""
    list_keys: tuple[str, ...] = ()
    map_type: str = ""


class F:
    """Facts about one field.

    number      protobuf field number
    doc         description, one or two sentences
    required    named in OpenAPI's `required`
    merge       strategic merge patch merges this list or map (patchStrategy=merge)
    merge_key   by this key (patchMergeKey); empty for lists of plain values
    retain_keys patchStrategy has retainKeys
    list_type   server-side apply: "map", "set" or "atomic" (the default)
    list_keys   keys of a list of type map
    map_type    "atomic" for structs and maps owned as a whole
    enum        allowed values, for documentation
    default     value that defaulting puts in, for documentation
    """

    __slots__ = ("default", "doc", "enum", "number", "required", "rules")

    def __init__(  # noqa: PLR0913 - a record with names
        self,
        number: int,
        doc: str = "",
        *,
        required: bool = False,
        merge: bool = False,
        merge_key: str = "",
        retain_keys: bool = False,
        list_type: str = "",
        list_keys: tuple[str, ...] = (),
        map_type: str = "",
        enum: tuple[str, ...] = (),
        default: Any = None,
    ) -> None:
        self.number = number
        self.doc = doc
        self.required = required
        self.enum = enum
        self.default = default
        self.rules = Rules(
            merge=merge,
            merge_key=merge_key,
            retain_keys=retain_keys,
            list_type=list_type,
            list_keys=list_keys,
            map_type=map_type,
        )


@dataclass(frozen=True, slots=True)
class Scalar:
    """Marks a plain value with a meaning of its own; walkers look for it in annotations."""

    name: str


Int32 = Annotated[int, msgspec.Meta(ge=-(2**31), le=2**31 - 1), Scalar("int32")]
Int64 = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1), Scalar("int64")]
Quantity = Annotated[str | int | float, Scalar("quantity")]
"""A resource amount; users may write a number, the registry stores the canonical text."""
IntOrString = Annotated[int | str, Scalar("intOrString")]
Time = Annotated[str, Scalar("time")]
"""RFC 3339, whole seconds, UTC."""
MicroTime = Annotated[str, Scalar("microTime")]
"""RFC 3339 with six decimals, UTC."""
Duration = Annotated[str, Scalar("duration")]
Bytes = Annotated[bytes, Scalar("bytes")]
"""base64 in JSON, raw in Python and protobuf."""
RawJson = Annotated[Any, Scalar("rawJson")]
"""Any JSON value, kept as it is (RawExtension, FieldsV1)."""


class Message(msgspec.Struct, omit_defaults=True, kw_only=True, gc=False):
    """Base of all API structs.

    They are trees of plain values, so the cycle collector need not look at them: reading 5,000
    pods takes half the time without it.
    """


Inline = tuple[tuple[type[Message], int], ...]
"""Go embeds some structs: their fields stand among those of the outer one in JSON (here: base
class), but are a message of their own in protobuf. `INLINE: ClassVar[Inline] = ((Base, 2),)` on
the outer class gives the base and its field number."""


def always(make: Callable[[], Any]) -> Any:
    """Give a field that is written even at its zero value, e.g. `always(int)`, `always(Spec)`.

    msgspec leaves out a field whose factory is list or dict and whose value is empty, and any
    field at its plain default; a lambda is neither, so the field stays.
    """
    return msgspec.field(default_factory=lambda: make())  # noqa: PLW0108 - see above


def nullable() -> Any:
    """Give a list or map without omitempty: Go writes null when it was never set."""
    return msgspec.field(default_factory=lambda: None)
