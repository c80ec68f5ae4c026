"""Server-side apply (PATCH application/apply-patch+yaml): create or change, tracking owners.

The rules are in `api.apply`; here its answer goes the way of a create or of an update.
"""

from typing import Any

from appliance.api import errors
from appliance.api.apply import server_side_apply
from appliance.api.codec import to_plain
from appliance.api.errors import BadRequest
from appliance.api.gotext import go_value
from appliance.api.kind import Kind, T
from appliance.control.registry import metadata
from appliance.control.registry.base import Call, Stored
from appliance.control.registry.creating import create
from appliance.control.registry.owners import forget_times
from appliance.control.registry.parts import Parts
from appliance.control.registry.patching import check_revision, decode
from appliance.control.registry.updating import Rewrite, rewrite
from appliance.kit.clock import rfc3339


async def apply(
    parts: Parts,
    kind: Kind[T],
    body: Any,
    *,
    namespace: str,
    name: str,
    call: Call,
    subresource: str = "",
    owned_through: str = "",
) -> tuple[Stored[T], bool]:
    """Bring an object to what the body states; True where that created it.

    `owned_through`: the sub-resource that managedFields names, for an apply of a view (scale).
    """
    if not isinstance(body, dict):
        raise BadRequest("the body of an apply must be an object")

    def merged(old: Stored[T] | None) -> T:
        plain = server_side_apply(
            kind.type,
            None if old is None else to_plain(old.obj),
            body,
            manager=call.field_manager,
            force=call.force,
            api_version=kind.api_version,
            now=rfc3339(parts.clock.wall()),
            subresource=subresource or owned_through,
        )
        new = decode(kind, plain, call, shown=lambda: go_value(body))
        new.metadata.name = new.metadata.name or name
        metadata.check_name(new.metadata, name)
        metadata.check_namespace(kind, new.metadata, namespace)
        if old is not None:
            check_revision(kind, new, old)
        forget_times(new.metadata.managedFields, owned_through)
        return new

    may_create = not subresource and not owned_through
    if may_create and await parts.storage.get(kind, namespace, name) is None:
        if call.check_create is not None:
            await call.check_create()
        try:
            made = await create(
                parts, kind, merged(None), namespace=namespace, call=call, record_owners=False
            )
        except errors.AlreadyExists:
            pass  # somebody was faster: merge into theirs
        else:
            return made, True
    wanted = Rewrite(
        kind=kind,
        namespace=namespace,
        name=name,
        change=merged,
        call=call,
        subresource=subresource,
        record_owners=False,
    )
    return await rewrite(parts, wanted), False
