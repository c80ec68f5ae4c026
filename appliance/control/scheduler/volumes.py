"""Pure: what a pod's volumes ask of its node.

Claims that are bound say where their volume can be reached. Claims that wait for this pod get, on
the node that is looked at, a free volume or a new one that can be made there. Called by
`volumebinding` for each node, and for the chosen one; both decide by `choices`, so that what is
bound is what was found to fit.
Source: kubernetes `pkg/scheduler/framework/plugins/volumebinding`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from appliance.api import volumebinding as binding
from appliance.api.kinds.core.node import Node
from appliance.api.kinds.core.persistentvolume import PersistentVolume
from appliance.api.kinds.core.persistentvolumeclaim import PersistentVolumeClaim
from appliance.api.kinds.core.pod.kind import Pod
from appliance.api.kinds.storage.storageclass import StorageClass

ELSEWHERE = "node(s) didn't match PersistentVolume's node affinity"
NONE_FREE = "node(s) didn't find available persistent volumes to bind"
LOST = "node(s) unavailable due to one or more pvc(s) bound to non-existent pv(s)"
UNBOUND = "pod has unbound immediate PersistentVolumeClaims"
BEING_MADE = "node(s) wait for the pod's volumes to be made or bound"
TAKEN = (
    "node has pod using PersistentVolumeClaim with the same name and ReadWriteOncePod access mode"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class VolumeNeeds:
    """The claims of one pod, as they are now."""

    fault: str = ""
    """Why no node will do."""
    refusal: str = ""
    """What every node objects to."""
    bound: tuple[PersistentVolume, ...] = ()
    unbound: tuple[PersistentVolumeClaim, ...] = ()
    """Those that wait for this pod, the largest first."""
    free: Sequence[PersistentVolume] = ()
    """What they may get: volumes that no claim has, or that are set aside for one of them."""
    classes: Mapping[str, StorageClass] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Choice:
    """A claim and the volume that it gets; None: one that is made."""

    claim: PersistentVolumeClaim
    volume: PersistentVolume | None


def claim_names(pod: Pod) -> list[str]:
    """Names of the claims that a pod uses, in its namespace."""
    names = []
    for volume in pod.spec.volumes:
        if volume.persistentVolumeClaim is not None:
            names.append(volume.persistentVolumeClaim.claimName)
        elif volume.ephemeral is not None:
            names.append(f"{pod.metadata.name}-{volume.name}")
    return list(dict.fromkeys(names))


def needs(
    pod: Pod,
    claims: Mapping[str, PersistentVolumeClaim],
    volumes: Mapping[str, PersistentVolume],
    classes: Mapping[str, StorageClass],
) -> VolumeNeeds:
    """Sum up the claims of a pod; `claims` are those of its namespace by name."""
    bound: list[PersistentVolume] = []
    unbound: list[PersistentVolumeClaim] = []
    lost = False
    for name in claim_names(pod):
        claim = claims.get(name)
        fault = _fault(name, claim)
        if fault or claim is None:
            return VolumeNeeds(fault=fault)
        if binding.is_bound(claim):
            volume = volumes.get(claim.spec.volumeName)
            lost |= volume is None
            bound += [volume] if volume is not None else []
        elif _waits(claim, classes):
            unbound.append(claim)
        else:
            return VolumeNeeds(fault=UNBOUND)
    unbound.sort(key=binding.size_of, reverse=True)
    return VolumeNeeds(
        refusal=LOST if lost else "",
        bound=tuple(bound),
        unbound=tuple(unbound),
        free=[v for v in volumes.values() if _may_serve(v, unbound)] if unbound else (),
        classes=classes,
    )


def are_decided(wanted: VolumeNeeds) -> bool:
    """Whether all that waits has been given its volume, or the place for one, already."""
    return bool(wanted.unbound) and all(
        binding.SELECTED_NODE in claim.metadata.annotations
        or any(binding.is_for(volume, claim) for volume in wanted.free)
        for claim in wanted.unbound
    )


def _fault(name: str, claim: PersistentVolumeClaim | None) -> str:
    if claim is None:
        return f'persistentvolumeclaim "{name}" not found'
    if claim.status.phase == "Lost":
        volume = claim.spec.volumeName
        return f'persistentvolumeclaim "{name}" bound to non-existent persistentvolume "{volume}"'
    if claim.metadata.deletionTimestamp is not None:
        return f'persistentvolumeclaim "{name}" is being deleted'
    return ""


def _waits(claim: PersistentVolumeClaim, classes: Mapping[str, StorageClass]) -> bool:
    if claim.spec.volumeName:
        return False  # a volume of that name will come, or be bound in a moment
    found = classes.get(binding.class_of(claim))
    return found is not None and found.volumeBindingMode == binding.WAITS


def _may_serve(volume: PersistentVolume, claims: Sequence[PersistentVolumeClaim]) -> bool:
    return volume.spec.claimRef is None or any(binding.is_for(volume, c) for c in claims)


def objection(wanted: VolumeNeeds, node: Node) -> str:
    """Why the pod's volumes can't be had on a node; "" if they can."""
    if wanted.refusal:
        return wanted.refusal
    if not all(binding.reaches(node, volume) for volume in wanted.bound):
        return ELSEWHERE
    return NONE_FREE if choices(wanted, node) is None else ""


def choices(wanted: VolumeNeeds, node: Node) -> list[Choice] | None:
    """What each claim that waits would get on a node; None where one gets nothing."""
    made: list[Choice] = []
    taken: set[str] = set()
    for claim in wanted.unbound:
        selected = claim.metadata.annotations.get(binding.SELECTED_NODE)
        if selected is not None and selected != node.metadata.name:
            return None  # its volume is being made there
        match = binding.best_match(claim, wanted.free, node=node, taken=taken)
        if match is not None:
            taken.add(match.metadata.name)
        elif not _can_be_made(claim, wanted, node):
            return None
        made.append(Choice(claim, match))
    return made


def _can_be_made(claim: PersistentVolumeClaim, wanted: VolumeNeeds, node: Node) -> bool:
    if any(binding.is_for(volume, claim) for volume in wanted.free):
        return False  # it has one set aside, which this node can't reach
    found = wanted.classes[binding.class_of(claim)]
    return found.provisioner != binding.NO_PROVISIONER and binding.may_provision_on(node, found)
