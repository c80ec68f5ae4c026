"""A node writes only what is its own: its Node and Lease, pods that run on it, folders it removed.

Authorisation lets nodes write these kinds at all (`access/nodes`); which object it may be is seen
here, where the object is known. Without this one broken-into node could mark any pod as dead or
any other node as ready.
Source: kubernetes `plugin/pkg/admission/noderestriction`, whose messages these are.
"""

from appliance.api import localpath
from appliance.api.kinds.coordination.lease import LEASE
from appliance.api.kinds.core.node import NODE
from appliance.api.kinds.core.persistentvolume import PERSISTENT_VOLUME, PersistentVolume
from appliance.api.kinds.core.pod.kind import POD, Pod
from appliance.client.base import clone
from appliance.control.access.nodes import NODE_LEASES, node_of
from appliance.control.access.steps.base import Attempt
from appliance.control.access.steps.serviceaccounts import MIRROR

RESTRICTED_LABELS = "node-restriction.kubernetes.io/"
"""Labels that say what a node may be trusted with: it may not give them to itself."""


class NodeRestriction:
    """Refuses writes of nodes to what belongs to others."""

    async def admit(self, attempt: Attempt) -> None:
        """See the module."""
        node = node_of(attempt.call.user)
        if node is None:
            return
        if attempt.kind is NODE:
            _admit_node(attempt, node)
        elif attempt.kind is LEASE:
            _admit_lease(attempt, node)
        elif attempt.kind is POD:
            _admit_pod(attempt, node)
        elif attempt.kind is PERSISTENT_VOLUME:
            _admit_volume(attempt, node)


def _admit_node(attempt: Attempt, node: str) -> None:
    name = _name(attempt)
    if name != node:
        raise attempt.forbid(f'node "{node}" is not allowed to modify node "{name}"')
    if attempt.obj is None:
        return
    old = attempt.old.metadata.labels if attempt.old is not None else {}
    new = attempt.obj.metadata.labels
    changed = sorted(
        label
        for label in {*old, *new}
        if label.startswith(RESTRICTED_LABELS) and old.get(label) != new.get(label)
    )
    if changed:
        verb = "modify" if attempt.old is not None else "set"
        listed = ", ".join(changed)
        raise attempt.forbid(
            f'node "{node}" is not allowed to {verb} the following labels: {listed}'
        )


def _admit_lease(attempt: Attempt, node: str) -> None:
    if attempt.namespace != NODE_LEASES:
        raise attempt.forbid(f'can only access leases in the "{NODE_LEASES}" system namespace')
    if _name(attempt) != node:
        raise attempt.forbid("can only access node lease with the same name as the requesting node")


def _admit_pod(attempt: Attempt, node: str) -> None:
    if attempt.verb == "create" and not attempt.subresource:
        _admit_mirror(attempt, attempt.obj, node)
        return
    pod: Pod | None = attempt.old
    if pod is None or pod.spec.nodeName == node:
        return
    what = "delete pods" if attempt.verb == "delete" else "update pod status for pods"
    raise attempt.forbid(f'node "{node}" can only {what} with spec.nodeName set to itself')


def _admit_volume(attempt: Attempt, node: str) -> None:
    """Of a volume that is a folder of its own a node may say that it is gone, nothing else."""
    old: PersistentVolume | None = attempt.old
    new: PersistentVolume | None = attempt.obj
    if attempt.verb != "update" or attempt.subresource or old is None or new is None:
        raise attempt.forbid(f'node "{node}" may not write persistent volumes')
    if old.metadata.labels.get(localpath.NODE) != node:
        raise attempt.forbid(f'node "{node}" can only release volumes that are folders of its own')
    allowed = clone(old)
    allowed.metadata = clone(new.metadata)  # who wrote when, and the revision, are the server's
    left = [name for name in old.metadata.finalizers if name != localpath.FINALIZER]
    kept = (old.metadata.labels, old.metadata.annotations, old.metadata.ownerReferences)
    changed = (new.metadata.labels, new.metadata.annotations, new.metadata.ownerReferences)
    if new != allowed or kept != changed or new.metadata.finalizers != left:
        raise attempt.forbid(
            f'node "{node}" can only remove the finalizer {localpath.FINALIZER} of a volume'
        )


def _admit_mirror(attempt: Attempt, pod: Pod, node: str) -> None:
    """Nodes may show what they run by themselves, as mirrors."""
    if MIRROR not in pod.metadata.annotations:
        raise attempt.forbid(
            f'pod does not have "{MIRROR}" annotation, node "{node}" can only create mirror pods'
        )
    if pod.spec.nodeName != node:
        raise attempt.forbid(f'node "{node}" can only create pods with spec.nodeName set to itself')


def _name(attempt: Attempt) -> str:
    """Name of what is written; a create has it in the object only."""
    return attempt.name or (attempt.obj.metadata.name if attempt.obj is not None else "")
