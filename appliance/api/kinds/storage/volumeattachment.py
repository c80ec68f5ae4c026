"""VolumeAttachment: the intent to attach a volume to a node, and whether it is."""

from typing import Annotated, Any

from appliance.api import faults
from appliance.api.errors import Cause
from appliance.api.kind import Column, Kind, Subresource
from appliance.api.kinds import checks
from appliance.api.kinds.cells import age
from appliance.api.kinds.core.persistentvolume import PersistentVolumeSpec
from appliance.api.meta import KubeObject
from appliance.api.schema import F, Int32, Message, Time, always, nullable


class VolumeAttachmentSource(Message):
    """The volume that is attached; one is given."""

    persistentVolumeName: Annotated[str | None, F(1, "Name of the volume.")] = None
    inlineVolumeSpec: Annotated[
        PersistentVolumeSpec | None, F(2, "A volume that is no object of its own.")
    ] = None


class VolumeAttachmentSpec(Message):
    """What is wanted."""

    attacher: Annotated[str, F(1, "Driver that does it.", required=True)] = always(str)
    source: Annotated[VolumeAttachmentSource, F(2, "The volume.", required=True)] = always(
        VolumeAttachmentSource
    )
    nodeName: Annotated[str, F(3, "The node.", required=True)] = always(str)


class VolumeError(Message):
    """Why something failed."""

    time: Annotated[Time | None, F(1, "When.")] = nullable()
    message: Annotated[str, F(2, "Why, for people.")] = ""
    errorCode: Annotated[Int32 | None, F(3, "The driver's gRPC code.")] = None


class VolumeAttachmentStatus(Message):
    """How far it is."""

    attached: Annotated[bool, F(1, "Whether it is attached.", required=True)] = always(bool)
    attachmentMetadata: Annotated[dict[str, str], F(2, "What the driver said about it.")] = {}
    attachError: Annotated[VolumeError | None, F(3, "Why attaching failed last.")] = None
    detachError: Annotated[VolumeError | None, F(4, "Why detaching failed last.")] = None


class VolumeAttachment(KubeObject):
    """Intent to attach a volume to a node, and whether it is."""

    spec: Annotated[VolumeAttachmentSpec, F(2, "What is wanted.", required=True)] = always(
        VolumeAttachmentSpec
    )
    status: Annotated[VolumeAttachmentStatus, F(3, "What was seen last.")] = always(
        VolumeAttachmentStatus
    )


def _cells(obj: VolumeAttachment, now: float) -> list[Any]:
    spec = obj.spec
    volume = spec.source.persistentVolumeName or ""
    return [
        obj.metadata.name,
        spec.attacher,
        volume,
        spec.nodeName,
        obj.status.attached,
        age(obj, now),
    ]


def _prepare_create(obj: VolumeAttachment) -> None:
    obj.status = VolumeAttachmentStatus()


def _validate(obj: VolumeAttachment) -> list[Cause]:
    spec, source = obj.spec, obj.spec.source
    found = [
        *checks.required(spec.attacher, "spec.attacher"),
        *checks.required(spec.nodeName, "spec.nodeName"),
    ]
    if source.persistentVolumeName is None and source.inlineVolumeSpec is None:
        why = "must specify exactly one of inlineVolumeSpec and persistentVolumeName"
        found.append(faults.required("spec.source", why))
    elif source.persistentVolumeName is not None and source.inlineVolumeSpec is not None:
        why = "must specify exactly one of inlineVolumeSpec and persistentVolumeName"
        found.append(faults.forbidden("spec.source", why))
    return found


def _validate_update(new: VolumeAttachment, old: VolumeAttachment) -> list[Cause]:
    found = _validate(new)
    if new.spec != old.spec:
        found.append(faults.wrong("spec", new.spec, "field is immutable"))
    return found


VOLUME_ATTACHMENT = Kind(
    group="storage.k8s.io",
    version="v1",
    kind="VolumeAttachment",
    plural="volumeattachments",
    singular="volumeattachment",
    namespaced=False,
    type=VolumeAttachment,
    subresources=(
        Subresource(name="status", verbs=("get", "patch", "update"), kind="VolumeAttachment"),
    ),
    columns=(
        Column("Name", format="name"),
        Column("Attacher"),
        Column("PV"),
        Column("Node"),
        Column("Attached", "boolean"),
        Column("Age"),
    ),
    cells=_cells,
    prepare_create=_prepare_create,
    validate=_validate,
    validate_update=_validate_update,
    has_generation=False,
    unconditional_update=False,
)
