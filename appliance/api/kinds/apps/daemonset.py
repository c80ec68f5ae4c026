"""DaemonSet: runs one pod on every node that fits."""

from collections.abc import Iterator
from typing import Annotated, Any

from appliance.api import faults
from appliance.api.errors import Cause
from appliance.api.kind import Column, Kind, Subresource, keep_status
from appliance.api.kinds import checks, workloads
from appliance.api.kinds.cells import age, pairs
from appliance.api.kinds.core.pod.defaults import set_spec_defaults
from appliance.api.kinds.core.pod.spec import PodTemplateSpec
from appliance.api.meta import KubeObject, LabelSelector
from appliance.api.schema import F, Int32, Int64, IntOrString, Message, Time, always, nullable


class RollingUpdateDaemonSet(Message):
    """How many nodes are updated at a time."""

    maxUnavailable: Annotated[
        IntOrString | None,
        F(1, "Nodes that may be without their pod, as a number or a percentage; 1 unless said."),
    ] = None
    maxSurge: Annotated[
        IntOrString | None,
        F(
            2,
            "Nodes that may run old and new pod together, a number or a percentage; 0 unless said.",
        ),
    ] = None


class DaemonSetUpdateStrategy(Message):
    """How pods are replaced when the template changes."""

    type: Annotated[
        str, F(1, "RollingUpdate, or OnDelete: only where somebody deletes the old pod.")
    ] = ""
    rollingUpdate: Annotated[RollingUpdateDaemonSet | None, F(2, "Numbers for RollingUpdate.")] = (
        None
    )


class DaemonSetSpec(Message):
    """What is wanted of a daemon set."""

    selector: Annotated[
        LabelSelector | None,
        F(1, "Labels of its pods; must match the template, cannot change.", required=True),
    ] = nullable()
    template: Annotated[
        PodTemplateSpec, F(2, "What the pod on each node is made from.", required=True)
    ] = always(PodTemplateSpec)
    updateStrategy: Annotated[
        DaemonSetUpdateStrategy, F(3, "How pods are replaced when the template changes.")
    ] = always(DaemonSetUpdateStrategy)
    minReadySeconds: Annotated[
        Int32, F(4, "How long a new pod must be ready to count as available.")
    ] = 0
    revisionHistoryLimit: Annotated[
        Int32 | None, F(6, "How many old templates are kept to go back to; 10 unless said.")
    ] = None


class DaemonSetCondition(Message):
    """One aspect of how the object is."""

    type: Annotated[str, F(1, "Which aspect, as one CamelCase word.", required=True)] = always(str)
    status: Annotated[str, F(2, "True, False or Unknown.", required=True)] = always(str)
    lastTransitionTime: Annotated[Time | None, F(3, "When the status last changed.")] = nullable()
    reason: Annotated[str, F(4, "Why, as one CamelCase word.")] = ""
    message: Annotated[str, F(5, "Why, for people.")] = ""


class DaemonSetStatus(Message):
    """On how many nodes the pod runs."""

    currentNumberScheduled: Annotated[
        Int32, F(1, "Nodes that should run the pod and do.", required=True)
    ] = always(int)
    numberMisscheduled: Annotated[
        Int32, F(2, "Nodes that run the pod and should not.", required=True)
    ] = always(int)
    desiredNumberScheduled: Annotated[
        Int32, F(3, "Nodes that should run the pod.", required=True)
    ] = always(int)
    numberReady: Annotated[Int32, F(4, "Nodes with a pod that is ready.", required=True)] = always(
        int
    )
    observedGeneration: Annotated[Int64, F(5, "Generation of the spec that this is about.")] = 0
    updatedNumberScheduled: Annotated[Int32, F(6, "Nodes with a pod of the newest template.")] = 0
    numberAvailable: Annotated[
        Int32, F(7, "Nodes with a pod that was ready for minReadySeconds.")
    ] = 0
    numberUnavailable: Annotated[Int32, F(8, "Nodes that should have such a pod and have not.")] = 0
    collisionCount: Annotated[
        Int32 | None, F(9, "How often a name made from a hash was taken already.")
    ] = None
    conditions: Annotated[
        list[DaemonSetCondition],
        F(
            10,
            "How it is, aspect by aspect.",
            merge=True,
            merge_key="type",
            list_type="map",
            list_keys=("type",),
        ),
    ] = []


class DaemonSet(KubeObject):
    """Runs one pod on every node that fits."""

    spec: Annotated[DaemonSetSpec, F(2, "What is wanted.")] = always(DaemonSetSpec)
    status: Annotated[DaemonSetStatus, F(3, "What was seen last.")] = always(DaemonSetStatus)


TEMPLATE_GENERATION = "deprecated.daemonset.template.generation"
"""Counts changes of the template; clients of old look for it."""
_REVISIONS = 10


def _cells(obj: DaemonSet, now: float) -> list[Any]:
    status = obj.status
    return [
        obj.metadata.name,
        status.desiredNumberScheduled,
        status.currentNumberScheduled,
        status.numberReady,
        status.updatedNumberScheduled,
        status.numberAvailable,
        pairs(obj.spec.template.spec.nodeSelector),
        age(obj, now),
        *workloads.containers_and_images(obj.spec.template),
        workloads.selector_cell(obj.spec.selector),
    ]


def _set_defaults(obj: DaemonSet) -> None:
    spec = obj.spec
    spec.updateStrategy.type = spec.updateStrategy.type or "RollingUpdate"
    if spec.updateStrategy.type == "RollingUpdate":
        numbers = spec.updateStrategy.rollingUpdate or RollingUpdateDaemonSet()
        if numbers.maxUnavailable is None:
            numbers.maxUnavailable = 1
        if numbers.maxSurge is None:
            numbers.maxSurge = 0
        spec.updateStrategy.rollingUpdate = numbers
    if spec.revisionHistoryLimit is None:
        spec.revisionHistoryLimit = _REVISIONS
    set_spec_defaults(spec.template.spec)
    annotations = obj.metadata.annotations
    obj.metadata.annotations = {TEMPLATE_GENERATION: "0"} | annotations


def _number(obj: DaemonSet) -> int:
    text = obj.metadata.annotations.get(TEMPLATE_GENERATION, "0")
    return int(text) if text.isascii() and text.isdecimal() else 0


def _prepare_create(obj: DaemonSet) -> None:
    obj.status = DaemonSetStatus()
    obj.metadata.annotations[TEMPLATE_GENERATION] = str(_number(obj) or 1)


def _prepare_update(new: DaemonSet, old: DaemonSet) -> None:
    keep_status(new, old)
    number = _number(old) + (new.spec.template != old.spec.template)
    new.metadata.annotations[TEMPLATE_GENERATION] = str(number)


def _prepare_status_update(new: DaemonSet, old: DaemonSet) -> None:
    new.spec = old.spec
    new.metadata.annotations[TEMPLATE_GENERATION] = str(_number(old))


def _validate(obj: DaemonSet) -> list[Cause]:
    spec = obj.spec
    found = [
        *checks.selector(spec.selector, "spec.selector"),
        *workloads.template(
            spec.template, "spec.template", selected_by=spec.selector, kind="DaemonSet"
        ),
        *checks.not_negative(spec.minReadySeconds, "spec.minReadySeconds"),
        *_strategy(spec.updateStrategy, "spec.updateStrategy"),
        *checks.not_negative(spec.revisionHistoryLimit, "spec.revisionHistoryLimit"),
    ]
    if spec.selector == LabelSelector():
        why = "empty selector is invalid for daemonset"
        found.append(faults.wrong("spec.selector", spec.selector, why))
    return found


def _strategy(found: DaemonSetUpdateStrategy, path: str) -> Iterator[Cause]:
    if found.type not in {"RollingUpdate", "OnDelete"}:
        yield faults.unsupported(path, workloads.shown(found), ("RollingUpdate", "OnDelete"))
    elif found.type == "RollingUpdate":
        if found.rollingUpdate is None:
            yield faults.required(f"{path}.rollingUpdate")
        else:
            yield from _numbers(found.rollingUpdate, f"{path}.rollingUpdate")


def _numbers(found: RollingUpdateDaemonSet, path: str) -> Iterator[Cause]:
    for name in ("maxUnavailable", "maxSurge"):
        yield from workloads.count_or_percent(getattr(found, name), f"{path}.{name}")
        yield from workloads.at_most_all(getattr(found, name), f"{path}.{name}")
    missing, extra = workloads.amount(found.maxUnavailable), workloads.amount(found.maxSurge)
    if missing and extra:
        why = "may not be set when maxUnavailable is non-zero"
        yield faults.wrong(f"{path}.maxSurge", found.maxSurge, why)
    if not missing and not extra:
        yield faults.required(f"{path}.maxUnavailable", "cannot be 0 when maxSurge is 0")


def _validate_update(new: DaemonSet, old: DaemonSet) -> list[Cause]:
    return [*_validate(new), *checks.same(new.spec.selector, old.spec.selector, "spec.selector")]


def _validate_status(new: DaemonSet, old: DaemonSet) -> list[Cause]:
    every = (
        *("currentNumberScheduled", "numberMisscheduled", "desiredNumberScheduled"),
        *("numberReady", "observedGeneration", "updatedNumberScheduled", "numberAvailable"),
        "numberUnavailable",
    )
    return [
        *workloads.counts(new.status, every),
        *workloads.collisions(new.status.collisionCount, old.status.collisionCount),
    ]


def _warn(obj: DaemonSet) -> list[str]:
    return list(workloads.warn_template(obj.spec.template, "spec.template"))


DAEMON_SET = Kind(
    group="apps",
    version="v1",
    kind="DaemonSet",
    plural="daemonsets",
    singular="daemonset",
    namespaced=True,
    type=DaemonSet,
    short_names=("ds",),
    categories=("all",),
    subresources=(Subresource(name="status", verbs=("get", "patch", "update"), kind="DaemonSet"),),
    columns=(
        Column("Name", format="name"),
        Column("Desired", "integer"),
        Column("Current", "integer"),
        Column("Ready", "integer"),
        Column("Up-to-date", "integer"),
        Column("Available", "integer"),
        Column("Node Selector"),
        Column("Age"),
        Column("Containers", wide=True),
        Column("Images", wide=True),
        Column("Selector", wide=True),
    ),
    cells=_cells,
    set_defaults=_set_defaults,
    prepare_create=_prepare_create,
    prepare_update=_prepare_update,
    prepare_status_update=_prepare_status_update,
    validate=_validate,
    validate_update=_validate_update,
    validate_status=_validate_status,
    warn=_warn,
)
