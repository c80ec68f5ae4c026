"""Claims that leave their class open get the default one; claims grow only where their class lets.

Source: kubernetes `plugin/pkg/admission/storage/{storageclass/setdefault,persistentvolume/resize}`.
"""

from appliance.api import quantity
from appliance.api.kinds.core.claim_rules import quantity_text
from appliance.api.kinds.core.persistentvolumeclaim import (
    PERSISTENT_VOLUME_CLAIM,
    PersistentVolumeClaim,
)
from appliance.api.kinds.storage.storageclass import STORAGE_CLASS, default_class
from appliance.api.volumebinding import BOUND, class_of, names_no_class
from appliance.control.access.steps.base import Attempt
from appliance.control.registry.base import Lookup


class DefaultStorageClass:
    """Writes the default class into new claims; without one the binder does it later."""

    def __init__(self, lookup: Lookup) -> None:
        self._lookup = lookup

    async def admit(self, attempt: Attempt) -> None:
        """See the module."""
        if attempt.kind is not PERSISTENT_VOLUME_CLAIM or attempt.verb != "create":
            return
        claim: PersistentVolumeClaim = attempt.obj
        if attempt.subresource or not names_no_class(claim):
            return
        default = default_class(await self._lookup.every(STORAGE_CLASS))
        if default is not None:
            claim.spec.storageClassName = default.metadata.name


class ClaimGrowth:
    """Refuses larger sizes that nobody could give."""

    def __init__(self, lookup: Lookup) -> None:
        self._lookup = lookup

    async def admit(self, attempt: Attempt) -> None:
        """See the module."""
        if attempt.kind is not PERSISTENT_VOLUME_CLAIM or attempt.verb != "update":
            return
        if attempt.subresource:
            return
        new: PersistentVolumeClaim = attempt.obj
        old: PersistentVolumeClaim = attempt.old
        wanted, had = quantity_text(new.spec), quantity_text(old.spec)
        if not quantity.read(had) < quantity.read(wanted):
            return
        if old.status.phase != BOUND:
            raise attempt.forbid("Only bound persistent volume claims can be expanded")
        found = await self._lookup.find(STORAGE_CLASS, "", class_of(old))
        if found is None or not found.allowVolumeExpansion:
            raise attempt.forbid(
                "only dynamically provisioned pvc can be resized and the storageclass that "
                "provisions the pvc must support resize"
            )
