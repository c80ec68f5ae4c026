"""Give the temporary controller's pods and spec to the old name (update by image). Pure.

begin     finalizer on new → delete new, its pods orphaned
go on     (new is going, its pods are nobody's) → old takes new's spec → finalizer off
"""

from collections.abc import Sequence

from appliance.api.kinds.core.pod.kind import Pod
from appliance.api.kinds.core.replicationcontroller import ReplicationController
from appliance.client.base import clone
from appliance.client.rolling import marks
from appliance.client.rolling.order import Action, Delete, Patch, Replace, Wait

_ORPHAN = "orphan"  # the collector's finalizer: there until the pods have no owner


def begin(old: ReplicationController, new: ReplicationController) -> Action:
    """All pods are exchanged: let go of new, but keep it readable."""
    meta = new.metadata
    if marks.HANDOVER not in meta.finalizers:
        return _with_finalizers(new, [*meta.finalizers, marks.HANDOVER])
    return Delete(new, f"Update succeeded. Renaming {meta.name} to {old.metadata.name}")


def go_on(old: ReplicationController, new: ReplicationController, pods: Sequence[Pod]) -> Action:
    """Finish what `begin` began."""
    uid = new.metadata.uid
    owned = any(ref.uid == uid for pod in pods for ref in pod.metadata.ownerReferences)
    if _ORPHAN in new.metadata.finalizers or owned:
        return Wait(f"the pods of {new.metadata.name} become free")
    if old.spec.selector != new.spec.selector:
        made = clone(old)
        made.spec = clone(new.spec)
        return Replace(made, f"{old.metadata.name} takes over {new.spec.replicas} pods")
    return let_go(new)


def let_go(new: ReplicationController) -> Action:
    """Take our finalizer off."""
    return _with_finalizers(new, [f for f in new.metadata.finalizers if f != marks.HANDOVER])


def _with_finalizers(new: ReplicationController, names: list[str]) -> Action:
    """Lists are replaced whole: the revision keeps us from undoing what another party wrote."""
    meta = new.metadata
    body = {"resourceVersion": meta.resourceVersion, "finalizers": names or None}
    return Patch(new, {"metadata": body})
