"""Which volume may serve which claim, and from which node: pure.

The binder (`control/controllers/volumebinder`) asks for claims that are bound at once, the
scheduler (`control/scheduler/volumes`) for claims that wait for a pod; both must say the same.
Source: kubernetes `pkg/controller/volume/persistentvolume/index.go` and
`component-helpers/storage/volume`.
"""

from collections.abc import Collection, Iterable

from appliance.api import labels, quantity
from appliance.api.kinds.core.claim_rules import CLASS_ANNOTATION
from appliance.api.kinds.core.node import Node
from appliance.api.kinds.core.persistentvolume import PersistentVolume
from appliance.api.kinds.core.persistentvolumeclaim import PersistentVolumeClaim
from appliance.api.kinds.storage.storageclass import StorageClass
from appliance.api.nodeaffinity import term_matches

BIND_COMPLETED = "pv.kubernetes.io/bind-completed"
"""On a claim: it was bound once; from then on its volume can only be lost."""
BOUND_BY_CONTROLLER = "pv.kubernetes.io/bound-by-controller"
"""On either side: the other's name was written by us, not by a user, and may be taken back."""
SELECTED_NODE = "volume.kubernetes.io/selected-node"
"""On a claim: where the scheduler wants its pod, for whoever makes the volume."""
PROVISIONER = "volume.kubernetes.io/storage-provisioner"
OLD_PROVISIONER = "volume.beta.kubernetes.io/storage-provisioner"
"""On a claim: who shall make its volume."""
PROVISIONED_BY = "pv.kubernetes.io/provisioned-by"
"""On a volume: who made it, and removes it."""
NO_PROVISIONER = "kubernetes.io/no-provisioner"
"""A class whose volumes are made by people."""
WAITS = "WaitForFirstConsumer"
AVAILABLE, BOUND, RELEASED, FAILED = "Available", "Bound", "Released", "Failed"
ONE_POD = "ReadWriteOncePod"


def class_of(obj: PersistentVolumeClaim | PersistentVolume) -> str:
    """Name of the class of a claim or a volume, "" for none."""
    return obj.metadata.annotations.get(CLASS_ANNOTATION) or obj.spec.storageClassName or ""


def names_no_class(claim: PersistentVolumeClaim) -> bool:
    """Whether a claim leaves its class to the cluster; one that asks for "" does not."""
    return (
        claim.spec.storageClassName is None and CLASS_ANNOTATION not in claim.metadata.annotations
    )


def is_bound(claim: PersistentVolumeClaim) -> bool:
    """Whether both sides were brought together."""
    return bool(claim.spec.volumeName) and BIND_COMPLETED in claim.metadata.annotations


def is_for(volume: PersistentVolume, claim: PersistentVolumeClaim) -> bool:
    """Whether a volume names this claim: by its uid, or by name alone if a user wrote it."""
    ref = volume.spec.claimRef
    meta = claim.metadata
    if ref is None or (ref.namespace, ref.name) != (meta.namespace, meta.name):
        return False
    return not ref.uid or ref.uid == meta.uid


def size_of(claim: PersistentVolumeClaim) -> quantity.Amount:
    """How much a claim asks for."""
    return quantity.read(claim.spec.resources.requests.get("storage", "0"))


def room_of(volume: PersistentVolume) -> quantity.Amount:
    """How large a volume is."""
    return quantity.read(volume.spec.capacity.get("storage", "0"))


def mismatch(volume: PersistentVolume, claim: PersistentVolumeClaim) -> str:
    """Why a volume that a claim names can't serve it; "" if it can."""
    if room_of(volume) < size_of(claim):
        return "requested PV is too small"
    if class_of(volume) != class_of(claim):
        return "storageClassName does not match"
    if _attributes(volume) != _attributes(claim):
        return "volumeAttributesClassName does not match"
    if _mode(volume) != _mode(claim):
        return "incompatible volumeMode"
    if not set(claim.spec.accessModes) <= set(volume.spec.accessModes):
        return "incompatible accessMode"
    return ""


def reaches(node: Node, volume: PersistentVolume) -> bool:
    """Whether pods on the node can use the volume."""
    affinity = volume.spec.nodeAffinity
    if affinity is None or affinity.required is None:
        return True
    return any(term_matches(term, node) for term in affinity.required.nodeSelectorTerms)


def may_provision_on(node: Node, storage_class: StorageClass) -> bool:
    """Whether volumes of a class may be made on a node: any term of its topologies."""
    terms = storage_class.allowedTopologies
    found = node.metadata.labels
    return not terms or any(
        all(found.get(wish.key) in wish.values for wish in term.matchLabelExpressions)
        for term in terms
    )


def best_match(
    claim: PersistentVolumeClaim,
    volumes: Iterable[PersistentVolume],
    *,
    node: Node | None = None,
    waits: bool = False,
    taken: Collection[str] = (),
) -> PersistentVolume | None:
    """Find the smallest free volume that will do, or the one that was set aside for the claim.

    With a `node`, one that it can reach. A claim that `waits` for its pod only gets what was set
    aside. `taken` are names of volumes that other claims of the same pod will get.
    """
    best: PersistentVolume | None = None
    for volume in volumes:
        if volume.metadata.deletionTimestamp is not None or volume.metadata.name in taken:
            continue
        reachable = node is None or reaches(node, volume)
        if volume.spec.claimRef is not None:
            if not is_for(volume, claim) or _unfit(volume, claim):
                continue
            return volume if reachable else None
        if waits or not reachable or not _is_candidate(volume, claim):
            continue
        if best is None or _rank(volume) < _rank(best):
            best = volume
    return best


def _unfit(volume: PersistentVolume, claim: PersistentVolumeClaim) -> bool:
    """What not even the author of a `claimRef` can overrule."""
    return (
        room_of(volume) < size_of(claim)
        or _mode(volume) != _mode(claim)
        or _attributes(volume) != _attributes(claim)
    )


def _is_candidate(volume: PersistentVolume, claim: PersistentVolumeClaim) -> bool:
    if volume.status.phase != AVAILABLE or mismatch(volume, claim):
        return False
    wanted = claim.spec.selector
    return wanted is None or labels.from_label_selector(wanted).matches(volume.metadata.labels)


def _rank(volume: PersistentVolume) -> tuple[quantity.Amount, str]:
    return (room_of(volume), volume.metadata.name)


def _mode(obj: PersistentVolumeClaim | PersistentVolume) -> str:
    return obj.spec.volumeMode or "Filesystem"


def _attributes(obj: PersistentVolumeClaim | PersistentVolume) -> str:
    return obj.spec.volumeAttributesClassName or ""
