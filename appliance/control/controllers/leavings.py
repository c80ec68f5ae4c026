"""What is left in a namespace on its way out, and the conditions that tell of it. Pure.

Source: kubernetes `pkg/controller/namespace/deletion`,
whose reasons and messages these are.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from appliance.api.kind import Kind
from appliance.api.kinds.core.namespace import NamespaceCondition


@dataclass(slots=True)
class Leavings:
    """Objects that are still there."""

    resources: Counter[str] = field(default_factory=Counter)
    """By `pods.` or `deployments.apps`."""
    finalizers: Counter[str] = field(default_factory=Counter)

    def note(self, kind: Kind[Any], objects: Sequence[Any]) -> None:
        """Count objects that are left."""
        if objects:
            self.resources[f"{kind.plural}.{kind.group}"] += len(objects)
        self.finalizers.update(name for obj in objects for name in obj.metadata.finalizers)

    def __bool__(self) -> bool:
        return bool(self.resources)


def conditions(left: Leavings, now: str) -> list[NamespaceCondition]:
    """Tell of it, aspect by aspect."""
    remaining = ", ".join(
        f"{name} has {count} resource instances" for name, count in sorted(left.resources.items())
    )
    held = ", ".join(
        f"{name} in {count} resource instances" for name, count in sorted(left.finalizers.items())
    )
    told = (
        (
            "NamespaceDeletionDiscoveryFailure",
            "False",
            "ResourcesDiscovered",
            "All resources successfully discovered",
        ),
        (
            "NamespaceDeletionGroupVersionParsingFailure",
            "False",
            "ParsedGroupVersions",
            "All legacy kube types successfully parsed",
        ),
        (
            "NamespaceDeletionContentFailure",
            "False",
            "ContentDeleted",
            "All content successfully deleted, may be waiting on finalization",
        ),
        (
            "NamespaceContentRemaining",
            "True" if remaining else "False",
            "SomeResourcesRemain" if remaining else "ContentRemoved",
            f"Some resources are remaining: {remaining}"
            if remaining
            else "All content successfully removed",
        ),
        (
            "NamespaceFinalizersRemaining",
            "True" if held else "False",
            "SomeFinalizersRemain" if held else "ContentHasNoFinalizers",
            f"Some content in the namespace has finalizers remaining: {held}"
            if held
            else "All content-preserving finalizers finished",
        ),
    )
    return [
        NamespaceCondition(
            type=kind, status=status, reason=reason, message=message, lastTransitionTime=now
        )
        for kind, status, reason, message in told
    ]
