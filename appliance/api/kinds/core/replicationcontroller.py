"""ReplicationController: keeps so many pods of a kind running."""

from typing import Annotated, Any

from appliance.api import faults, names
from appliance.api.errors import Cause
from appliance.api.kind import Column, Kind, Subresource
from appliance.api.kinds import checks
from appliance.api.kinds.cells import age, pairs
from appliance.api.kinds.core.pod.defaults import set_spec_defaults
from appliance.api.kinds.core.pod.spec import PodTemplateSpec
from appliance.api.kinds.core.pod.validate import template as check_template
from appliance.api.kinds.core.pod.warnings import warn_spec
from appliance.api.meta import KubeObject
from appliance.api.schema import F, Int32, Int64, Message, Time, always, nullable


class ReplicationControllerSpec(Message):
    """How many pods of what kind there shall be."""

    replicas: Annotated[Int32 | None, F(1, "How many pods; 1 unless said.")] = None
    minReadySeconds: Annotated[
        Int32, F(4, "How long a new pod must be ready to count as available.")
    ] = 0
    selector: Annotated[
        dict[str, str],
        F(
            2,
            "Labels of the pods that are counted; those of the template unless said.",
            map_type="atomic",
        ),
    ] = {}
    template: Annotated[PodTemplateSpec | None, F(3, "What new pods are made from.")] = None


class ReplicationControllerCondition(Message):
    """One aspect of how a controller is."""

    type: Annotated[str, F(1, "Which aspect, such as ReplicaFailure.", required=True)] = always(str)
    status: Annotated[str, F(2, "True, False or Unknown.", required=True)] = always(str)
    lastTransitionTime: Annotated[Time | None, F(3, "When the status last changed.")] = nullable()
    reason: Annotated[str, F(4, "Why, as one CamelCase word.")] = ""
    message: Annotated[str, F(5, "Why, for people.")] = ""


class ReplicationControllerStatus(Message):
    """How many pods there are."""

    replicas: Annotated[Int32, F(1, "Pods seen last.", required=True)] = always(int)
    fullyLabeledReplicas: Annotated[
        Int32, F(2, "Of these, pods with all labels of the template.")
    ] = 0
    readyReplicas: Annotated[Int32, F(4, "Of these, pods that are ready.")] = 0
    availableReplicas: Annotated[
        Int32, F(5, "Of these, pods that were ready for minReadySeconds.")
    ] = 0
    observedGeneration: Annotated[Int64, F(3, "Generation of the spec that this is about.")] = 0
    conditions: Annotated[
        list[ReplicationControllerCondition],
        F(
            6,
            "How the controller is.",
            merge=True,
            merge_key="type",
            list_type="map",
            list_keys=("type",),
        ),
    ] = []


class ReplicationController(KubeObject):
    """Keeps so many pods of a kind running."""

    spec: Annotated[ReplicationControllerSpec, F(2, "What is wanted.")] = always(
        ReplicationControllerSpec
    )
    status: Annotated[ReplicationControllerStatus, F(3, "What was seen last.")] = always(
        ReplicationControllerStatus
    )


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


def _validate(obj: ReplicationController) -> list[Cause]:
    spec = obj.spec
    found = [
        *checks.not_negative(spec.minReadySeconds, "spec.minReadySeconds"),
        *checks.required(spec.selector, "spec.selector"),
        *checks.not_negative(spec.replicas, "spec.replicas"),
    ]
    if spec.template is None:
        return [*found, faults.required("spec.template")]
    path, labels = "spec.template", spec.template.metadata.labels
    if not spec.selector.items() <= labels.items():
        why = "`selector` does not match template `labels`"
        found.append(faults.wrong(f"{path}.metadata.labels", labels or None, why))
    found += check_template(spec.template, path)
    policy = spec.template.spec.restartPolicy
    if policy != "Always" and not any(f.field == f"{path}.spec.restartPolicy" for f in found):
        found.append(faults.unsupported(f"{path}.spec.restartPolicy", policy, ("Always",)))
    if spec.template.spec.activeDeadlineSeconds is not None:
        why = "activeDeadlineSeconds in ReplicationController is not Supported"
        found.append(faults.forbidden(f"{path}.spec.activeDeadlineSeconds", why))
    return found


def _validate_update(new: ReplicationController, _old: ReplicationController) -> list[Cause]:
    return _validate(new)


def _validate_status(new: ReplicationController, _old: ReplicationController) -> list[Cause]:
    status = new.status
    found: list[Cause] = []
    for name in ("replicas", "fullyLabeledReplicas", "readyReplicas", "availableReplicas"):
        found += checks.not_negative(getattr(status, name), f"status.{name}")
    for name in ("fullyLabeledReplicas", "readyReplicas", "availableReplicas"):
        count = getattr(status, name)
        if count > status.replicas:
            why = "cannot be greater than status.replicas"
            found.append(faults.wrong(f"status.{name}", count, why))
    if status.availableReplicas > status.readyReplicas:
        why = "cannot be greater than readyReplicas"
        found.append(faults.wrong("status.availableReplicas", status.availableReplicas, why))
    return found


def _warn(obj: ReplicationController) -> list[str]:
    name = obj.metadata.name
    found = []
    if why := names.dns_label(name):
        found.append(
            "metadata.name: this is used in Pod names and hostnames, which can result in surprising"
            f" behavior; a DNS label is recommended: [{' '.join(why)}]"
        )
    if obj.spec.template:
        found += warn_spec(obj.spec.template.spec, "spec.template.spec")
    return found


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
    validate=_validate,
    validate_update=_validate_update,
    validate_status=_validate_status,
    warn=_warn,
    selectable_fields={"status.replicas": lambda obj: str(obj.status.replicas)},
)
