"""PATCH: JSON patch, merge patch, strategic merge patch and server-side apply.

A patch works on the plain JSON of the stored object, then the result goes the way of an update.
It is made anew on each conflict, so two patches of different fields never fail each other; a
resourceVersion inside the patch makes it a precondition instead (A77).
"""

from collections.abc import Callable
from typing import Any

from appliance.api import codec, errors, faults
from appliance.api.gotext import go_value
from appliance.api.kind import Kind, T
from appliance.api.patch_json import json_patch, merge_patch
from appliance.api.patch_strategic import strategic_merge
from appliance.api.schema import Message
from appliance.client.base import PatchType
from appliance.control.registry import metadata
from appliance.control.registry.base import Call, Stored
from appliance.control.registry.creating import warn
from appliance.control.registry.parts import Parts
from appliance.control.registry.updating import Rewrite, rewrite
from appliance.kit import jsonio

Json = dict[str, Any]


async def patch(
    parts: Parts,
    kind: Kind[T],
    *,
    namespace: str,
    name: str,
    how: PatchType,
    body: Any,
    call: Call,
    subresource: str = "",
) -> tuple[Stored[T], bool]:
    """Change parts of an object; True where an apply created it."""

    def change(old: Stored[T]) -> T:
        plain = patched(kind.type, codec.to_plain(old.obj), how, body)
        new = decode(kind, plain, call, shown=_shown(how, plain, body))
        metadata.check_name(new.metadata, name)
        metadata.check_namespace(kind, new.metadata, namespace)
        check_revision(kind, new, old)
        return new

    wanted = Rewrite(
        kind=kind, namespace=namespace, name=name, change=change, call=call, subresource=subresource
    )
    return await rewrite(parts, wanted), False


def patched(struct: type[Message], plain: Json, how: PatchType, body: Any) -> Json:
    """Apply a patch to plain data.

    Raises:
        BadRequest, Invalid: it makes no sense, or does not fit.
    """
    ways: dict[PatchType, Callable[[], Json]] = {
        PatchType.JSON: lambda: json_patch(plain, body),
        PatchType.MERGE: lambda: merge_patch(plain, body),
        PatchType.STRATEGIC: lambda: strategic_merge(struct, plain, body),
    }
    return ways[how]()


def _shown(how: PatchType, plain: Json, body: Any) -> Callable[[], str]:
    """What a refusal quotes: the patch itself, or the object that it made."""
    if how is PatchType.STRATEGIC:
        return lambda: go_value(body)
    return lambda: jsonio.dumps(dict(sorted(plain.items()))).decode()


def decode(kind: Kind[T], plain: Json, call: Call, *, shown: Callable[[], str]) -> T:
    """Read the patched object; unknown fields are refused, told of or ignored as asked.

    Raises:
        BadRequest: a value has the wrong type.
        Invalid: there are unknown fields in strict mode.
    """
    _check_type(kind, plain, shown)
    title = codec.heading(kind.kind, kind.api_version, kind.kind)
    obj, warnings = codec.decode(kind.type, plain, title=title)
    if warnings and call.field_validation == "Strict":
        raise codec.strict_patch_error(shown(), warnings)
    if warnings and call.field_validation != "Ignore":
        warn(call, warnings)
    return obj


def _check_type(kind: Kind[Any], plain: Json, shown: Callable[[], str]) -> None:
    """A patch must not make another kind of object."""
    version = plain.get("apiVersion") or kind.api_version
    name = plain.get("kind") or kind.kind
    if (version, name) != (kind.api_version, kind.kind):
        why = f'no kind "{name}" is registered for version "{version}" at this path'
        raise errors.invalid("", "", "", [faults.wrong("patch", shown(), why)])


def check_revision(kind: Kind[T], new: T, old: Stored[T]) -> None:
    """A revision inside the patch must be the stored one.

    Raises:
        Conflict: it is another.
    """
    wanted = metadata.wanted_revision(new.metadata)
    if wanted and wanted != old.revision:
        raise errors.conflict(kind.plural, kind.group, old.obj.metadata.name, errors.STALE)
