"""Deployment: rolls a set of like pods from one template to the next."""

from collections.abc import Iterator
from typing import Annotated, Any

from appliance.api import faults
from appliance.api.errors import Cause
from appliance.api.kind import Column, Kind, Subresource
from appliance.api.kinds import checks, workloads
from appliance.api.kinds.cells import age
from appliance.api.kinds.core.pod.defaults import set_spec_defaults
from appliance.api.kinds.core.pod.spec import PodTemplateSpec
from appliance.api.meta import KubeObject, LabelSelector
from appliance.api.schema import F, Int32, Int64, IntOrString, Message, Time, always, nullable


class RollingUpdateDeployment(Message):
    """How far a rolling update may stray from the wanted number of pods."""

    maxUnavailable: Annotated[
        IntOrString | None,
        F(1, "How many may be missing, as a number or a percentage; 25% unless said."),
    ] = None
    maxSurge: Annotated[
        IntOrString | None,
        F(2, "How many may be too many, as a number or a percentage; 25% unless said."),
    ] = None


class DeploymentStrategy(Message):
    """How old pods give way to new ones."""

    type: Annotated[str, F(1, "RollingUpdate, or Recreate: all old pods go first.")] = ""
    rollingUpdate: Annotated[RollingUpdateDeployment | None, F(2, "Numbers for RollingUpdate.")] = (
        None
    )


class DeploymentSpec(Message):
    """What is wanted of a deployment."""

    replicas: Annotated[Int32 | None, F(1, "How many pods; 1 unless said.")] = None
    selector: Annotated[
        LabelSelector | None,
        F(2, "Labels of its pods; must match the template, cannot change.", required=True),
    ] = nullable()
    template: Annotated[
        PodTemplateSpec,
        F(3, "What new pods are made from; a change starts a rollout.", required=True),
    ] = always(PodTemplateSpec)
    strategy: Annotated[
        DeploymentStrategy, F(4, "How old pods give way to new ones.", retain_keys=True)
    ] = always(DeploymentStrategy)
    minReadySeconds: Annotated[
        Int32, F(5, "How long a new pod must be ready to count as available.")
    ] = 0
    revisionHistoryLimit: Annotated[
        Int32 | None, F(6, "How many old replica sets are kept to go back to; 10 unless said.")
    ] = None
    paused: Annotated[bool, F(7, "Whether changes of the template wait.")] = False
    progressDeadlineSeconds: Annotated[
        Int32 | None,
        F(9, "Seconds without progress after which a rollout counts as stuck; 600 unless said."),
    ] = None


class DeploymentCondition(Message):
    """One aspect of how a deployment is: Available, Progressing or ReplicaFailure."""

    type: Annotated[str, F(1, "Which aspect, as one CamelCase word.", required=True)] = always(str)
    status: Annotated[str, F(2, "True, False or Unknown.", required=True)] = always(str)
    lastUpdateTime: Annotated[Time | None, F(6, "When the condition was last written.")] = (
        nullable()
    )
    lastTransitionTime: Annotated[Time | None, F(7, "When the status last changed.")] = nullable()
    reason: Annotated[str, F(4, "Why, as one CamelCase word.")] = ""
    message: Annotated[str, F(5, "Why, for people.")] = ""


class DeploymentStatus(Message):
    """How far a deployment is."""

    observedGeneration: Annotated[Int64, F(1, "Generation of the spec that this is about.")] = 0
    replicas: Annotated[Int32, F(2, "Its pods that are not being deleted.")] = 0
    updatedReplicas: Annotated[Int32, F(3, "Of these, pods of the newest template.")] = 0
    readyReplicas: Annotated[Int32, F(7, "Of these, pods that are ready.")] = 0
    availableReplicas: Annotated[
        Int32, F(4, "Of these, pods that were ready for minReadySeconds.")
    ] = 0
    unavailableReplicas: Annotated[Int32, F(5, "Pods that are still missing or not available.")] = 0
    terminatingReplicas: Annotated[Int32 | None, F(9, "Its pods that are being deleted.")] = None
    conditions: Annotated[
        list[DeploymentCondition],
        F(
            6,
            "How it is, aspect by aspect.",
            merge=True,
            merge_key="type",
            list_type="map",
            list_keys=("type",),
        ),
    ] = []
    collisionCount: Annotated[
        Int32 | None, F(8, "How often a name made from a hash was taken already.")
    ] = None


class Deployment(KubeObject):
    """Rolls a set of like pods from one template to the next."""

    spec: Annotated[DeploymentSpec, F(2, "What is wanted.")] = always(DeploymentSpec)
    status: Annotated[DeploymentStatus, F(3, "What was seen last.")] = always(DeploymentStatus)


_PERCENT = "25%"
_REVISIONS = 10
_PROGRESS_S = 600


def _cells(obj: Deployment, now: float) -> list[Any]:
    status = obj.status
    return [
        obj.metadata.name,
        f"{status.readyReplicas}/{obj.spec.replicas or 0}",
        status.updatedReplicas,
        status.availableReplicas,
        age(obj, now),
        *workloads.containers_and_images(obj.spec.template),
        workloads.selector_cell(obj.spec.selector),
    ]


def _set_defaults(obj: Deployment) -> None:
    spec = obj.spec
    if spec.replicas is None:
        spec.replicas = 1
    spec.strategy.type = spec.strategy.type or "RollingUpdate"
    if spec.strategy.type == "RollingUpdate":
        numbers = spec.strategy.rollingUpdate or RollingUpdateDeployment()
        if numbers.maxUnavailable is None:
            numbers.maxUnavailable = _PERCENT
        if numbers.maxSurge is None:
            numbers.maxSurge = _PERCENT
        spec.strategy.rollingUpdate = numbers
    if spec.revisionHistoryLimit is None:
        spec.revisionHistoryLimit = _REVISIONS
    if spec.progressDeadlineSeconds is None:
        spec.progressDeadlineSeconds = _PROGRESS_S
    set_spec_defaults(spec.template.spec)


def _prepare_create(obj: Deployment) -> None:
    obj.status = DeploymentStatus()


def _prepare_status_update(new: Deployment, old: Deployment) -> None:
    new.spec = old.spec
    new.metadata.labels = old.metadata.labels


def _desired(obj: Deployment) -> Any:
    return obj.spec, obj.metadata.annotations


def _validate(obj: Deployment) -> list[Cause]:
    spec = obj.spec
    found = [
        *checks.not_negative(spec.replicas, "spec.replicas"),
        *workloads.selector(spec.selector, "spec.selector", empty="deployment"),
        *workloads.template(
            spec.template, "spec.template", selected_by=spec.selector, kind="ReplicaSet"
        ),
        *_strategy(spec.strategy, "spec.strategy"),
        *checks.not_negative(spec.minReadySeconds, "spec.minReadySeconds"),
        *checks.not_negative(spec.revisionHistoryLimit, "spec.revisionHistoryLimit"),
        *checks.not_negative(spec.progressDeadlineSeconds, "spec.progressDeadlineSeconds"),
    ]
    deadline = spec.progressDeadlineSeconds
    if deadline is not None and deadline <= spec.minReadySeconds:
        why = "must be greater than minReadySeconds"
        found.append(faults.wrong("spec.progressDeadlineSeconds", deadline, why))
    return found


def _strategy(found: DeploymentStrategy, path: str) -> Iterator[Cause]:
    here = f"{path}.rollingUpdate"
    if found.type == "Recreate":
        if found.rollingUpdate:
            why = "may not be specified when strategy `type` is 'Recreate'"
            yield faults.forbidden(here, why)
    elif found.type != "RollingUpdate":
        yield faults.unsupported(path, workloads.shown(found), ("Recreate", "RollingUpdate"))
    elif found.rollingUpdate is None:
        yield faults.required(here, "this should be defaulted and never be nil")
    else:
        yield from _numbers(found.rollingUpdate, here)


def _numbers(found: RollingUpdateDeployment, path: str) -> Iterator[Cause]:
    yield from workloads.count_or_percent(found.maxUnavailable, f"{path}.maxUnavailable")
    yield from workloads.count_or_percent(found.maxSurge, f"{path}.maxSurge")
    if not workloads.amount(found.maxUnavailable) and not workloads.amount(found.maxSurge):
        why = "may not be 0 when `maxSurge` is 0"
        yield faults.wrong(f"{path}.maxUnavailable", found.maxUnavailable, why)
    yield from workloads.at_most_all(found.maxUnavailable, f"{path}.maxUnavailable")


def _validate_update(new: Deployment, old: Deployment) -> list[Cause]:
    return [*_validate(new), *checks.same(new.spec.selector, old.spec.selector, "spec.selector")]


def _validate_status(new: Deployment, old: Deployment) -> list[Cause]:
    status = new.status
    parts = ("updatedReplicas", "readyReplicas", "availableReplicas")
    every = ("observedGeneration", "replicas", *parts, "unavailableReplicas", "terminatingReplicas")
    return [
        *workloads.counts(status, every),
        *workloads.collisions(status.collisionCount, old.status.collisionCount),
        *workloads.not_above(status, parts, "replicas", "status.replicas"),
        *workloads.not_above(status, parts[2:], "readyReplicas", "readyReplicas"),
    ]


def _warn(obj: Deployment) -> list[str]:
    return [
        *workloads.warn_name(obj.metadata.name),
        *workloads.warn_template(obj.spec.template, "spec.template"),
    ]


DEPLOYMENT = Kind(
    group="apps",
    version="v1",
    kind="Deployment",
    plural="deployments",
    singular="deployment",
    namespaced=True,
    type=Deployment,
    short_names=("deploy",),
    categories=("all",),
    subresources=(
        Subresource(name="status", verbs=("get", "patch", "update"), kind="Deployment"),
        Subresource(
            name="scale", verbs=("get", "patch", "update"), kind="Scale", group="autoscaling"
        ),
    ),
    columns=(
        Column("Name", format="name"),
        Column("Ready"),
        Column("Up-to-date"),
        Column("Available"),
        Column("Age"),
        Column("Containers", wide=True),
        Column("Images", wide=True),
        Column("Selector", wide=True),
    ),
    cells=_cells,
    set_defaults=_set_defaults,
    prepare_create=_prepare_create,
    prepare_status_update=_prepare_status_update,
    desired=_desired,
    validate=_validate,
    validate_update=_validate_update,
    validate_status=_validate_status,
    warn=_warn,
)
