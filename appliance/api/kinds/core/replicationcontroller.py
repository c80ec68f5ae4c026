"""TODO."""

from typing import Annotated

from appliance.api.kind import Kind, Subresource
from appliance.api.kinds.core.pod.spec import PodTemplateSpec
from appliance.api.meta import KubeObject
from appliance.api.schema import F, Int32, Int64, Message, Time, always, nullable


class ReplicationControllerSpec(Message):
    """TODO."""

    replicas: Annotated[Int32 | None, F(1, "")] = None
    minReadySeconds: Annotated[Int32, F(4, "")] = 0
    selector: Annotated[dict[str, str], F(2, "", map_type="atomic")] = {}
    template: Annotated[PodTemplateSpec | None, F(3, "")] = None


class ReplicationControllerCondition(Message):
    """TODO."""

    type: Annotated[str, F(1, "", required=True)] = always(str)
    status: Annotated[str, F(2, "", required=True)] = always(str)
    lastTransitionTime: Annotated[Time | None, F(3, "")] = nullable()
    reason: Annotated[str, F(4, "")] = ""
    message: Annotated[str, F(5, "")] = ""


class ReplicationControllerStatus(Message):
    """TODO."""

    replicas: Annotated[Int32, F(1, "", required=True)] = always(int)
    fullyLabeledReplicas: Annotated[Int32, F(2, "")] = 0
    readyReplicas: Annotated[Int32, F(4, "")] = 0
    availableReplicas: Annotated[Int32, F(5, "")] = 0
    observedGeneration: Annotated[Int64, F(3, "")] = 0
    conditions: Annotated[
        list[ReplicationControllerCondition],
        F(6, "", merge=True, merge_key="type", list_type="map", list_keys=("type",)),
    ] = []


class ReplicationController(KubeObject):
    """TODO."""

    spec: Annotated[ReplicationControllerSpec, F(2, "")] = always(ReplicationControllerSpec)
    status: Annotated[ReplicationControllerStatus, F(3, "")] = always(ReplicationControllerStatus)


REPLICATION_CONTROLLER = Kind(
    group="",
    version="v1",
    kind="ReplicationController",
    plural="replicationcontrollers",
    singular="replicationcontroller",
    namespaced=True,
    type=ReplicationController,
    short_names=("rc",),
    categories=("all",),
    storage_path="controllers",
    subresources=(
        Subresource(name="status", verbs=("get", "patch", "update"), kind="ReplicationController"),
        Subresource(
            name="scale", verbs=("get", "patch", "update"), kind="Scale", group="autoscaling"
        ),
    ),
)
