"""Pure: what is to be done about a claim, and about a volume.

Called by `claimbinder` and `volumephases` with what their caches hold; the answer says why, in
upstream's words, for events and tests.
Source: kubernetes `pkg/controller/volume/persistentvolume/pv_controller.go`.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from appliance.api import volumebinding as binding
from appliance.api.kinds.core.persistentvolume import PersistentVolume
from appliance.api.kinds.core.persistentvolumeclaim import PersistentVolumeClaim
from appliance.api.kinds.storage.storageclass import StorageClass, default_class

Volumes = Mapping[str, PersistentVolume]
Classes = Mapping[str, StorageClass]

LOST = "Lost"


@dataclass(frozen=True, slots=True)
class Bind:
    """Bring claim and volume together, or finish that."""

    volume: PersistentVolume


@dataclass(frozen=True, slots=True)
class Pending:
    """Nothing can be done now; `reason` "" where there is nothing to say either."""

    reason: str = ""
    message: str = ""
    warns: bool = False


@dataclass(frozen=True, slots=True)
class Lost:
    """It was bound and is no more."""

    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class Provision:
    """Somebody has to make a volume."""

    provisioner: str


@dataclass(frozen=True, slots=True)
class GiveClass:
    """It left its class open, and there is a default."""

    name: str


ClaimStep = Bind | Pending | Lost | Provision | GiveClass


def plan_claim(claim: PersistentVolumeClaim, volumes: Volumes, classes: Classes) -> ClaimStep:
    """Decide about a claim."""
    if binding.BIND_COMPLETED in claim.metadata.annotations:
        return _once_bound(claim, volumes)
    if claim.metadata.deletionTimestamp is not None:
        return Pending()
    if claim.spec.volumeName:
        return _asked_for(claim, volumes)
    storage_class = classes.get(binding.class_of(claim))
    waits = _waits(claim, storage_class)
    match = binding.best_match(claim, volumes.values(), waits=waits)
    if match is not None:
        return Bind(match)
    return _without_volume(claim, classes, storage_class, waits=waits)


def _once_bound(claim: PersistentVolumeClaim, volumes: Volumes) -> ClaimStep:
    if not claim.spec.volumeName:
        text = "Bound claim has lost reference to PersistentVolume. Data on the volume is lost!"
        return Lost("ClaimLost", text)
    volume = volumes.get(claim.spec.volumeName)
    if volume is None:
        text = "Bound claim has lost its PersistentVolume. Data on the volume is lost!"
        return Lost("ClaimLost", text)
    if volume.spec.claimRef is None or binding.is_for(volume, claim):
        return Bind(volume)
    text = "Two claims are bound to the same volume, this one is bound incorrectly"
    return Lost("ClaimMisbound", text)


def _asked_for(claim: PersistentVolumeClaim, volumes: Volumes) -> ClaimStep:
    """The claim names its volume."""
    name = claim.spec.volumeName
    volume = volumes.get(name)
    if volume is None:
        return Pending()
    if volume.spec.claimRef is None:
        why = binding.mismatch(volume, claim)
        if why:
            text = f'Cannot bind to requested volume "{name}": {why}'
            return Pending("VolumeMismatch", text, warns=True)
        return Bind(volume)
    if binding.is_for(volume, claim):
        return Bind(volume)
    text = f'volume "{name}" already bound to a different claim.'
    return Pending("FailedBinding", text, warns=True)


def _without_volume(
    claim: PersistentVolumeClaim,
    classes: Classes,
    storage_class: StorageClass | None,
    *,
    waits: bool,
) -> ClaimStep:
    if binding.names_no_class(claim):
        default = default_class(classes.values())
        if default is not None:
            return GiveClass(default.metadata.name)
    name = binding.class_of(claim)
    if not name:
        text = "no persistent volumes available for this claim and no storage class is set"
        return Pending("FailedBinding", text)
    if storage_class is None:
        text = f'storageclass.storage.k8s.io "{name}" not found'
        return Pending("ProvisioningFailed", text, warns=True)
    if waits:
        text = "waiting for first consumer to be created before binding"
        return Pending("WaitForFirstConsumer", text)
    if storage_class.provisioner == binding.NO_PROVISIONER:
        text = f"no volume plugin matched name: {binding.NO_PROVISIONER}"
        return Pending("ProvisioningFailed", text, warns=True)
    return Provision(storage_class.provisioner)


def _waits(claim: PersistentVolumeClaim, storage_class: StorageClass | None) -> bool:
    """Whether only a pod brings it together with a volume, and none has yet."""
    if storage_class is None or storage_class.volumeBindingMode != binding.WAITS:
        return False
    return binding.SELECTED_NODE not in claim.metadata.annotations


@dataclass(frozen=True, slots=True)
class VolumeStep:
    """The phase that a volume has now; whether it shall be freed of its claim."""

    phase: str
    frees: bool = False


def plan_volume(volume: PersistentVolume, claim: PersistentVolumeClaim | None) -> VolumeStep:
    """Decide about a volume; `claim` is the one that its `claimRef` names by uid, if it is there.

    What is under way is left alone: a claim that does not name its volume yet soon will.
    """
    ref = volume.spec.claimRef
    if ref is None or not ref.uid:
        return VolumeStep(binding.AVAILABLE)
    phase = volume.status.phase
    if claim is None:
        # The data is another's: a new claim of that name does not get it.
        return VolumeStep(phase if phase == binding.FAILED else binding.RELEASED)
    if claim.spec.volumeName == volume.metadata.name:
        return VolumeStep(binding.BOUND)
    if not claim.spec.volumeName:
        return VolumeStep(phase or binding.AVAILABLE)
    # Its claim has got another volume.
    if binding.PROVISIONED_BY in volume.metadata.annotations:
        return VolumeStep(binding.RELEASED)
    return VolumeStep(binding.AVAILABLE, frees=True)
