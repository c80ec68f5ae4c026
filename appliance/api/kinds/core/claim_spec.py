"""TODO."""

from typing import Annotated

from appliance.api.kinds.core.references import TypedLocalObjectReference, TypedObjectReference
from appliance.api.meta import LabelSelector, ObjectMeta
from appliance.api.schema import F, Message, Quantity, always


class VolumeResourceRequirements(Message):
    """TODO."""

    limits: Annotated[dict[str, Quantity], F(1, "")] = {}
    requests: Annotated[dict[str, Quantity], F(2, "")] = {}


class PersistentVolumeClaimSpec(Message):
    """TODO."""

    accessModes: Annotated[list[str], F(1, "", list_type="atomic")] = []
    selector: Annotated[LabelSelector | None, F(4, "")] = None
    resources: Annotated[VolumeResourceRequirements, F(2, "")] = always(VolumeResourceRequirements)
    volumeName: Annotated[str, F(3, "")] = ""
    storageClassName: Annotated[str | None, F(5, "")] = None
    volumeMode: Annotated[str | None, F(6, "")] = None
    dataSource: Annotated[TypedLocalObjectReference | None, F(7, "")] = None
    dataSourceRef: Annotated[TypedObjectReference | None, F(8, "")] = None
    volumeAttributesClassName: Annotated[str | None, F(9, "")] = None


class PersistentVolumeClaimTemplate(Message):
    """TODO."""

    metadata: Annotated[ObjectMeta, F(1, "")] = always(ObjectMeta)
    spec: Annotated[PersistentVolumeClaimSpec, F(2, "", required=True)] = always(
        PersistentVolumeClaimSpec
    )
