"""What a user wants of a volume; pods carry it for claims of their own."""

from typing import Annotated

from appliance.api.kinds.core.references import TypedLocalObjectReference, TypedObjectReference
from appliance.api.meta import LabelSelector, ObjectMeta
from appliance.api.schema import F, Message, Quantity, always


class VolumeResourceRequirements(Message):
    """How large a volume shall be."""

    limits: Annotated[dict[str, Quantity], F(1, "The most.")] = {}
    requests: Annotated[dict[str, Quantity], F(2, "The least.")] = {}


class PersistentVolumeClaimSpec(Message):
    """What a user wants of a volume."""

    accessModes: Annotated[
        list[str],
        F(1, "ReadWriteOnce, ReadOnlyMany, ReadWriteMany or ReadWriteOncePod.", list_type="atomic"),
    ] = []
    selector: Annotated[LabelSelector | None, F(4, "Labels of the volumes that may be bound.")] = (
        None
    )
    resources: Annotated[VolumeResourceRequirements, F(2, "How large it shall be.")] = always(
        VolumeResourceRequirements
    )
    volumeName: Annotated[str, F(3, "The volume that is bound.")] = ""
    storageClassName: Annotated[str | None, F(5, "Class that it must be of; empty for none.")] = (
        None
    )
    volumeMode: Annotated[str | None, F(6, "Filesystem or Block.")] = None
    dataSource: Annotated[
        TypedLocalObjectReference | None, F(7, "Snapshot or claim that fills it.")
    ] = None
    dataSourceRef: Annotated[TypedObjectReference | None, F(8, "Any object that fills it.")] = None
    volumeAttributesClassName: Annotated[
        str | None, F(9, "Class of attributes that can change later.")
    ] = None


class PersistentVolumeClaimTemplate(Message):
    """What the claim of a pod is made from."""

    metadata: Annotated[ObjectMeta, F(1, "Labels and annotations of the claim.")] = always(
        ObjectMeta
    )
    spec: Annotated[PersistentVolumeClaimSpec, F(2, "What is wanted of it.", required=True)] = (
        always(PersistentVolumeClaimSpec)
    )
