"""TODO."""

from typing import Annotated, Any

from appliance.api.kind import Column, Kind, Subresource
from appliance.api.kinds.cells import age, pairs
from appliance.api.kinds.core.pod.defaults import set_spec_defaults
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


def _cells(obj: ReplicationController, now: float) -> list[Any]:
    containers = obj.spec.template.spec.containers if obj.spec.template else []
    return [
        obj.metadata.name,
        obj.spec.replicas or 0,
        obj.status.replicas,
        obj.status.readyReplicas,
        age(obj, now),
        ",".join(c.name for c in containers),
        ",".join(c.image for c in containers),
        pairs(obj.spec.selector),
    ]


def _set_defaults(obj: ReplicationController) -> None:
    spec = obj.spec
    if spec.replicas is None:
        spec.replicas = 1
    if spec.template:
        labels = spec.template.metadata.labels
        spec.selector = spec.selector or dict(labels)
        obj.metadata.labels = obj.metadata.labels or dict(labels)
        set_spec_defaults(spec.template.spec)


def _prepare_create(obj: ReplicationController) -> None:
    obj.status = ReplicationControllerStatus()


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
    columns=(
        Column("Name", format="name"),
        Column("Desired", "integer"),
        Column("Current", "integer"),
        Column("Ready", "integer"),
        Column("Age"),
        Column("Containers", wide=True),
        Column("Images", wide=True),
        Column("Selector", wide=True),
    ),
    cells=_cells,
    set_defaults=_set_defaults,
    prepare_create=_prepare_create,
    selectable_fields={"status.replicas": lambda obj: str(obj.status.replicas)},
)
