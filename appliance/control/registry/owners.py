"""Which manager owns which fields, on every write (metadata.managedFields).

A thin door to `api.managedfields`, which has the rules and works on plain data.
"""

from typing import Any

import msgspec

from appliance.api import codec
from appliance.api.kind import Kind
from appliance.api.managedfields import on_update
from appliance.api.meta import KubeObject, ManagedFieldsEntry
from appliance.control.registry.base import Call
from appliance.control.registry.parts import Parts
from appliance.kit.clock import rfc3339

_NOBODY = "unknown"


def record(
    parts: Parts, kind: Kind[Any], new: Any, old: Any, *, call: Call, subresource: str = ""
) -> None:
    """Note in `new` that the caller set what differs from `old` (None: everything)."""
    entries = on_update(
        kind.type,
        None if old is None else codec.to_plain(old),
        codec.to_plain(new),
        manager=call.field_manager or _NOBODY,
        api_version=kind.api_version,
        now=rfc3339(parts.clock.wall()),
        subresource=subresource,
    )
    new.metadata.managedFields = msgspec.convert(entries, list[ManagedFieldsEntry])
    forget_times(new.metadata.managedFields, subresource)


def same_but_for_times(new: KubeObject, old: KubeObject) -> bool:
    """Whether a write changes nothing but when a manager last wrote."""
    if new == old:
        return True
    ours, theirs = new.metadata.managedFields, old.metadata.managedFields
    if len(ours) != len(theirs) or not all(map(_same_entry, ours, theirs)):
        return False
    meta = msgspec.structs.replace(new.metadata, managedFields=theirs)
    return msgspec.structs.replace(new, metadata=meta) == old


def _same_entry(one: ManagedFieldsEntry, other: ManagedFieldsEntry) -> bool:
    return msgspec.structs.replace(one, time=other.time) == other


def forget_times(entries: list[ManagedFieldsEntry], subresource: str) -> None:
    """A scale is too small to carry times; upstream loses them on the way through it."""
    if subresource == "scale":
        for entry in entries:
            if entry.subresource == subresource:
                entry.time = None
