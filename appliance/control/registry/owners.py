"""Which manager owns which fields, on every write (metadata.managedFields).

A thin door to `api.managedfields`, which has the rules.
"""

from typing import Any

from appliance.api.kind import Kind
from appliance.control.registry.base import Call


def record(kind: Kind[Any], new: Any, old: Any, call: Call, *, subresource: str = "") -> None:
    """Note in `new` that the caller set what differs from `old` (None: everything)."""
    del kind, call, subresource
    if old is not None and not new.metadata.managedFields:
        new.metadata.managedFields = old.metadata.managedFields
