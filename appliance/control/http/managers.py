"""managedFields of what is posted, answered and never stored: reviews and token requests."""

import msgspec

from appliance.api import codec
from appliance.api.managedfields import on_update
from appliance.api.meta import KubeObject, ManagedFieldsEntry
from appliance.control.registry.base import Call
from appliance.kit.clock import rfc3339


def note_manager(obj: KubeObject, call: Call, *, now: float, subresource: str = "") -> None:
    """Note that the caller set what is in `obj`."""
    entries = on_update(
        type(obj),
        None,
        codec.to_plain(obj),
        manager=call.field_manager,
        api_version=obj.apiVersion,
        now=rfc3339(now),
        subresource=subresource,
    )
    obj.metadata.managedFields = msgspec.convert(entries, list[ManagedFieldsEntry])
