"""Claims and volumes carry a finalizer, so that neither goes while something uses it.

The protection controller takes it away. Source: kubernetes
`plugin/pkg/admission/storage/storageobjectinuseprotection`.
"""

from appliance.api.kinds.core.persistentvolume import PERSISTENT_VOLUME
from appliance.api.kinds.core.persistentvolumeclaim import PERSISTENT_VOLUME_CLAIM
from appliance.control.access.steps.base import Attempt

FINALIZERS = {
    PERSISTENT_VOLUME.kind: "kubernetes.io/pv-protection",
    PERSISTENT_VOLUME_CLAIM.kind: "kubernetes.io/pvc-protection",
}


class StorageInUse:
    """Adds the finalizer to what is created."""

    async def admit(self, attempt: Attempt) -> None:
        """See the module."""
        finalizer = FINALIZERS.get(attempt.kind.kind)
        if finalizer is None or attempt.kind.group or attempt.verb != "create":
            return
        present: list[str] = attempt.obj.metadata.finalizers
        if finalizer not in present:
            attempt.obj.metadata.finalizers = [*present, finalizer]
