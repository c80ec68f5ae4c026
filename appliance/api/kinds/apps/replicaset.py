"""ReplicaSet: keeps so many pods of one template running."""

from typing import Annotated, Any

from appliance.api.errors import Cause
from appliance.api.kind import Column, Kind, Subresource
from appliance.api.kinds import checks, workloads
from appliance.api.kinds.cells import age
from appliance.api.kinds.core.pod.defaults import set_spec_defaults
from appliance.api.kinds.core.pod.spec import PodTemplateSpec
from appliance.api.meta import KubeObject, LabelSelector
from appliance.api.schema import F, Int32, Int64, Message, Time, always, nullable


class ReplicaSetSpec(Message):
    """What is wanted of a replica set."""

    replicas: Annotated[Int32 | None, F(1, "How many pods; 1 unless said.")] = None
    minReadySeconds: Annotated[
        Int32, F(4, "How long a new pod must be ready to count as available.")
    ] = 0
    selector: Annotated[
        LabelSelector | None,
        F(2, "Labels of its pods; must match the template, cannot change.", required=True),
    ] = nullable()
    template: Annotated[PodTemplateSpec, F(3, "What new pods are made from.")] = always(
        PodTemplateSpec
    )


class ReplicaSetCondition(Message):
    """One aspect of how the object is."""

    type: Annotated[str, F(1, "Which aspect, as one CamelCase word.", required=True)] = always(str)
    status: Annotated[str, F(2, "True, False or Unknown.", required=True)] = always(str)
    lastTransitionTime: Annotated[Time | None, F(3, "When the status last changed.")] = nullable()
    reason: Annotated[str, F(4, "Why, as one CamelCase word.")] = ""
    message: Annotated[str, F(5, "Why, for people.")] = ""


class ReplicaSetStatus(Message):
    """How many pods there are."""

    replicas: Annotated[Int32, F(1, "Its pods that are not being deleted.", required=True)] = (
        always(int)
    )
    fullyLabeledReplicas: Annotated[
        Int32, F(2, "Of these, pods with all labels of the template.")
    ] = 0
    readyReplicas: Annotated[Int32, F(4, "Of these, pods that are ready.")] = 0
    availableReplicas: Annotated[
        Int32, F(5, "Of these, pods that were ready for minReadySeconds.")
    ] = 0
    terminatingReplicas: Annotated[Int32 | None, F(7, "Its pods that are being deleted.")] = None
    observedGeneration: Annotated[Int64, F(3, "Generation of the spec that this is about.")] = 0
    conditions: Annotated[
        list[ReplicaSetCondition],
        F(
            6,
            "How it is, aspect by aspect.",
            merge=True,
            merge_key="type",
            list_type="map",
            list_keys=("type",),
        ),
    ] = []


class ReplicaSet(KubeObject):
    """Keeps so many pods of one template running."""

    spec: Annotated[ReplicaSetSpec, F(2, "What is wanted.")] = always(ReplicaSetSpec)
    status: Annotated[ReplicaSetStatus, F(3, "What was seen last.")] = always(ReplicaSetStatus)


def _cells(obj: ReplicaSet, now: float) -> list[Any]:
    return [
        obj.metadata.name,
        obj.spec.replicas or 0,
        obj.status.replicas,
        obj.status.readyReplicas,
        age(obj, now),
        *workloads.containers_and_images(obj.spec.template),
        workloads.selector_cell(obj.spec.selector),
    ]


def _set_defaults(obj: ReplicaSet) -> None:
    if obj.spec.replicas is None:
        obj.spec.replicas = 1
    set_spec_defaults(obj.spec.template.spec)


def _prepare_create(obj: ReplicaSet) -> None:
    obj.status = ReplicaSetStatus()


def _validate(obj: ReplicaSet) -> list[Cause]:
    spec = obj.spec
    return [
        *checks.not_negative(spec.replicas, "spec.replicas"),
        *checks.not_negative(spec.minReadySeconds, "spec.minReadySeconds"),
        *workloads.selector(spec.selector, "spec.selector", empty="deployment"),
        *workloads.template(
            spec.template, "spec.template", selected_by=spec.selector, kind="ReplicaSet"
        ),
    ]


def _validate_update(new: ReplicaSet, old: ReplicaSet) -> list[Cause]:
    return [*_validate(new), *checks.same(new.spec.selector, old.spec.selector, "spec.selector")]


def _validate_status(new: ReplicaSet, _old: ReplicaSet) -> list[Cause]:
    status = new.status
    parts = ("fullyLabeledReplicas", "readyReplicas", "availableReplicas")
    every = ("replicas", *parts, "terminatingReplicas", "observedGeneration")
    return [
        *workloads.counts(status, every),
        *workloads.not_above(status, parts, "replicas", "status.replicas"),
        *workloads.not_above(status, parts[2:], "readyReplicas", "readyReplicas"),
    ]


def _warn(obj: ReplicaSet) -> list[str]:
    return [
        *workloads.warn_name(obj.metadata.name),
        *workloads.warn_template(obj.spec.template, "spec.template"),
    ]


REPLICA_SET = Kind(
    group="apps",
    version="v1",
    kind="ReplicaSet",
    plural="replicasets",
    singular="replicaset",
    namespaced=True,
    type=ReplicaSet,
    short_names=("rs",),
    categories=("all",),
    subresources=(
        Subresource(name="status", verbs=("get", "patch", "update"), kind="ReplicaSet"),
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
    validate=_validate,
    validate_update=_validate_update,
    validate_status=_validate_status,
    warn=_warn,
)
