"""CustomObject: an object of a kind that a user defined.

Its metadata is typed like everybody's, all else is plain JSON under `content`. Each version of a
definition has a subclass of its own (`make_type`) that carries the schema, so that everything
that walks objects by type (codec, patches, field ownership) finds it. Pure.
"""

from typing import Any, ClassVar

import msgspec

from appliance.api.custom.rules import ruled
from appliance.api.meta import KubeObject
from appliance.api.schema import RawJson

Json = dict[str, Any]


class CustomObject(KubeObject):
    """An object of a user's kind."""

    content: RawJson = {}

    SCHEMA: ClassVar[Json] = {}
    """The structural schema, as the definition has it."""
    SHAPE: ClassVar[Any] = None
    """The same as a `fieldtypes.Shape`."""
    OPENAPI_NAME: ClassVar[str] = ""
    """Name in OpenAPI documents."""
    RULED: ClassVar[frozenset[int]] = frozenset()
    """Parts of the schema that have rules in the expression language (`rules.ruled`)."""
    HAS_STATUS: ClassVar[bool] = False
    """Whether status has a door of its own."""


def make_type(
    kind: str, schema: Json, shape: Any, *, openapi_name: str, has_status: bool
) -> type[CustomObject]:
    """Make the type of one version of a definition."""
    made: Any = msgspec.defstruct(
        kind,
        [],
        bases=(CustomObject,),
        namespace={
            "SCHEMA": schema,
            "SHAPE": shape,
            "OPENAPI_NAME": openapi_name,
            "HAS_STATUS": has_status,
            "RULED": ruled(schema),
        },
        omit_defaults=True,
        kw_only=True,
        gc=False,
    )
    return made  # type: ignore[no-any-return]  # a subclass of its base


def is_custom(struct: type[Any]) -> bool:
    """Whether objects of this type are custom ones."""
    return issubclass(struct, CustomObject)
