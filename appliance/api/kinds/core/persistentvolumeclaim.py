"""PersistentVolumeClaim: a user's demand for storage, and the volume that meets it."""

from typing import Annotated, Any

from appliance.api.errors import Cause
from appliance.api.kind import Column, Kind, Subresource
from appliance.api.kinds.cells import age
from appliance.api.kinds.core import claim_rules as rules
from appliance.api.kinds.core.claim_spec import PersistentVolumeClaimSpec
from appliance.api.kinds.core.storage_words import modes_cell, volume_mode_cell
from appliance.api.meta import KubeObject
from appliance.api.schema import F, Message, Quantity, Time, always, nullable


class ModifyVolumeStatus(Message):
    """How far a change of a volume's attributes is."""

    targetVolumeAttributesClassName: Annotated[str, F(1, "Class that is being changed to.")] = ""
    status: Annotated[str, F(2, "Pending, InProgress or Infeasible.", required=True)] = always(str)


class PersistentVolumeClaimCondition(Message):
    """One aspect of how the object is."""

    type: Annotated[str, F(1, "Which aspect, as one CamelCase word.", required=True)] = always(str)
    status: Annotated[str, F(2, "True, False or Unknown.", required=True)] = always(str)
    lastProbeTime: Annotated[Time | None, F(3, "When it was last looked at.")] = nullable()
    lastTransitionTime: Annotated[Time | None, F(4, "When the status last changed.")] = nullable()
    reason: Annotated[str, F(5, "Why, as one CamelCase word.")] = ""
    message: Annotated[str, F(6, "Why, for people.")] = ""


class PersistentVolumeClaimStatus(Message):
    """What the claim has got."""

    phase: Annotated[str, F(1, "Pending, Bound or Lost.")] = ""
    accessModes: Annotated[list[str], F(2, "How the volume can be used.", list_type="atomic")] = []
    capacity: Annotated[dict[str, Quantity], F(3, "How large the volume is.")] = {}
    conditions: Annotated[
        list[PersistentVolumeClaimCondition],
        F(
            4,
            "How it is, aspect by aspect.",
            merge=True,
            merge_key="type",
            list_type="map",
            list_keys=("type",),
        ),
    ] = []
    allocatedResources: Annotated[dict[str, Quantity], F(5, "What a resize has set aside.")] = {}
    allocatedResourceStatuses: Annotated[
        dict[str, str], F(7, "How far each resize is.", map_type="granular")
    ] = {}
    currentVolumeAttributesClassName: Annotated[
        str | None, F(8, "Class of attributes that holds now.")
    ] = None
    modifyVolumeStatus: Annotated[
        ModifyVolumeStatus | None, F(9, "How far a change of attributes is.")
    ] = None


class PersistentVolumeClaim(KubeObject):
    """A user's demand for storage, and the volume that meets it."""

    spec: Annotated[PersistentVolumeClaimSpec, F(2, "What is wanted.")] = always(
        PersistentVolumeClaimSpec
    )
    status: Annotated[PersistentVolumeClaimStatus, F(3, "What was seen last.")] = always(
        PersistentVolumeClaimStatus
    )


def set_claim_defaults(obj: PersistentVolumeClaim) -> None:
    """Default a claim, or the template of one."""
    rules.set_defaults(obj.spec)
    obj.status.phase = obj.status.phase or "Pending"


def _cells(obj: PersistentVolumeClaim, now: float) -> list[Any]:
    spec, status = obj.spec, obj.status
    phase = "Terminating" if obj.metadata.deletionTimestamp else status.phase
    bound = bool(spec.volumeName)
    attributes = spec.volumeAttributesClassName
    return [
        obj.metadata.name,
        phase,
        spec.volumeName,
        status.capacity.get("storage", "0") if bound else "",
        modes_cell(status.accessModes) if bound else "",
        obj.metadata.annotations.get(rules.CLASS_ANNOTATION) or spec.storageClassName or "",
        "<unset>" if attributes is None else attributes,
        age(obj, now),
        volume_mode_cell(spec.volumeMode),
    ]


def _prepare_create(obj: PersistentVolumeClaim) -> None:
    obj.status = PersistentVolumeClaimStatus(phase="Pending")
    rules.join_sources(obj.spec)


def _prepare_status_update(new: PersistentVolumeClaim, old: PersistentVolumeClaim) -> None:
    new.spec = old.spec


def _validate(obj: PersistentVolumeClaim) -> list[Cause]:
    return list(rules.validate(obj.spec, "spec"))


def _validate_update(new: PersistentVolumeClaim, old: PersistentVolumeClaim) -> list[Cause]:
    is_bound = old.status.phase == "Bound"
    return [*_validate(new), *rules.validate_update(new.spec, old.spec, is_bound=is_bound)]


def _validate_status(new: PersistentVolumeClaim, _old: PersistentVolumeClaim) -> list[Cause]:
    found: list[Cause] = []
    for name, amount in new.status.capacity.items():
        found += rules.quantity_of(name, amount, f"status.capacity[{name}]")
    return found


def _warn(obj: PersistentVolumeClaim) -> list[str]:
    return list(rules.warn(obj.spec, obj.metadata.annotations))


PERSISTENT_VOLUME_CLAIM = Kind(
    group="",
    version="v1",
    kind="PersistentVolumeClaim",
    plural="persistentvolumeclaims",
    singular="persistentvolumeclaim",
    namespaced=True,
    type=PersistentVolumeClaim,
    short_names=("pvc",),
    subresources=(
        Subresource(name="status", verbs=("get", "patch", "update"), kind="PersistentVolumeClaim"),
    ),
    columns=(
        Column("Name", format="name"),
        Column("Status"),
        Column("Volume"),
        Column("Capacity"),
        Column("Access Modes"),
        Column("StorageClass"),
        Column("VolumeAttributesClass"),
        Column("Age"),
        Column("VolumeMode", wide=True),
    ),
    cells=_cells,
    set_defaults=set_claim_defaults,
    prepare_create=_prepare_create,
    prepare_status_update=_prepare_status_update,
    validate=_validate,
    validate_update=_validate_update,
    validate_status=_validate_status,
    warn=_warn,
    has_generation=False,
)
