"""Job: runs pods until so many have succeeded. The parts of its rules stand beside."""

from collections.abc import Iterator
from typing import Any

from appliance.api import faults, names
from appliance.api import labels as selection
from appliance.api.ages import human, seconds_of, since
from appliance.api.errors import Cause
from appliance.api.kind import Column, Kind, Subresource
from appliance.api.kinds import workloads
from appliance.api.kinds.batch import job_validation as validation
from appliance.api.kinds.batch.job_spec import Job, JobSpec, JobStatus
from appliance.api.kinds.batch.job_status import is_true, validate_status
from appliance.api.kinds.cells import age
from appliance.api.kinds.core.pod.defaults import set_spec_defaults
from appliance.api.meta import LabelSelector

__all__ = ["JOB", "Job"]

UID_LABEL = "batch.kubernetes.io/controller-uid"
NAME_LABEL = "batch.kubernetes.io/job-name"
OLD_UID_LABEL = "controller-uid"
OLD_NAME_LABEL = "job-name"
_BACKOFF_LIMIT = 6
_NO_LIMIT = 2**31 - 1
_WORDS = ("Complete", "Failed", "Suspended", "FailureTarget", "SuccessCriteriaMet")


def _cells(obj: Job, now: float) -> list[Any]:
    return [
        obj.metadata.name,
        _word(obj),
        _completions(obj),
        _duration(obj.status, now),
        age(obj, now),
        *workloads.containers_and_images(obj.spec.template),
        workloads.selector_cell(obj.spec.selector),
    ]


def _word(obj: Job) -> str:
    words = [word for word in _WORDS if is_true(obj.status, word)]
    if obj.metadata.deletionTimestamp and not {"Complete", "Failed"} & set(words):
        return "Terminating"
    return words[0] if words else "Running"


def _completions(obj: Job) -> str:
    done, wanted = obj.status.succeeded, obj.spec.completions
    if wanted is not None:
        return f"{done}/{wanted}"
    at_once = obj.spec.parallelism or 0
    return f"{done}/1 of {at_once}" if at_once > 1 else f"{done}/1"


def _duration(status: JobStatus, now: float) -> str:
    if not status.startTime:
        return ""
    if not status.completionTime:
        return since(status.startTime, now)
    return human(seconds_of(status.completionTime) - seconds_of(status.startTime))


def _set_defaults(obj: Job) -> None:
    spec = obj.spec
    if spec.completions is None and spec.parallelism is None:
        spec.completions = 1
    if spec.parallelism is None:
        spec.parallelism = 1
    if spec.backoffLimit is None:
        by_index = spec.backoffLimitPerIndex is not None
        spec.backoffLimit = _NO_LIMIT if by_index else _BACKOFF_LIMIT
    obj.metadata.labels = obj.metadata.labels or dict(spec.template.metadata.labels)
    spec.completionMode = spec.completionMode or "NonIndexed"
    spec.suspend = bool(spec.suspend)
    spec.manualSelector = bool(spec.manualSelector)
    if spec.podReplacementPolicy is None:
        spec.podReplacementPolicy = "Failed" if spec.podFailurePolicy else "TerminatingOrFailed"
    set_job_spec_defaults(spec)


def set_job_spec_defaults(spec: JobSpec) -> None:
    """Default what is defaulted in templates of jobs, too."""
    for rule in spec.podFailurePolicy.rules if spec.podFailurePolicy else ():
        for condition in rule.onPodConditions:
            condition.status = condition.status or "True"
    set_spec_defaults(spec.template.spec)


def _prepare_create(obj: Job) -> None:
    obj.status = JobStatus()
    if not obj.spec.manualSelector:
        _set_selector(obj)


def _set_selector(obj: Job) -> None:
    """Pods of a job are known by its UID, so that no two jobs fight over a pod."""
    uid, name = obj.metadata.uid, obj.metadata.name
    selector = obj.spec.selector or LabelSelector()
    selector.matchLabels = selector.matchLabels | {UID_LABEL: uid}
    obj.spec.selector = selector
    labels = obj.spec.template.metadata.labels
    made = {OLD_UID_LABEL: uid, OLD_NAME_LABEL: name, UID_LABEL: uid, NAME_LABEL: name}
    obj.spec.template.metadata.labels = labels | made
    # Upstream defaults again when it reads what it stored, so a job without labels gets them.
    if not obj.metadata.labels and not names.label_value(name):
        obj.metadata.labels = dict(obj.spec.template.metadata.labels)


def _validate(obj: Job) -> list[Cause]:
    return [
        *_made_selector(obj),
        *validation.spec(obj.spec, "spec"),
        *validation.selected(obj.spec, "spec"),
        *_hostnames(obj),
    ]


def _made_selector(obj: Job) -> Iterator[Cause]:
    if obj.spec.manualSelector or obj.spec.selector is None:
        return
    uid, name = obj.metadata.uid, obj.metadata.name
    labels = obj.spec.template.metadata.labels
    wanted = {UID_LABEL: uid, NAME_LABEL: name}
    if OLD_UID_LABEL in labels:  # jobs of old clusters may lack the new ones
        wanted |= {OLD_UID_LABEL: uid, OLD_NAME_LABEL: name}
    for key, value in wanted.items():
        here = f"spec.template.metadata.labels[{key}]"
        if key not in labels:
            yield faults.required(here, f"must be '{value}'")
        elif labels[key] != value:
            yield faults.wrong(here, labels[key], f"must be '{value}'")
    if not selection.from_map(obj.spec.selector.matchLabels).matches(wanted):
        yield faults.wrong("spec.selector", obj.spec.selector, "`selector` not auto-generated")


def _hostnames(obj: Job) -> Iterator[Cause]:
    if obj.spec.completionMode != "Indexed" or not obj.spec.completions:
        return
    longest = f"{obj.metadata.name}-{obj.spec.completions - 1}"
    if names.dns_label(longest):
        why = f"will not able to create pod with invalid DNS label: {longest}"
        yield faults.wrong("metadata.name", obj.metadata.name, why)


def _validate_update(new: Job, old: Job) -> list[Cause]:
    may_move = bool(old.spec.suspend) and old.status.startTime is None
    return [
        *_validate(new),
        # upstream looks at the whole in two places, and clients see its faults twice
        *validation.spec(new.spec, "spec"),
        *validation.selected(new.spec, "spec"),
        *validation.fixed(new.spec, old.spec, "spec", is_movable=may_move),
    ]


def _warn(obj: Job) -> list[str]:
    found = []
    if obj.spec.completionMode == "Indexed" and (obj.spec.completions or 0) > 100_000:
        found.append(
            "In Indexed Jobs with a number of completions higher than 10^5 and a parallelism"
            " higher than 10^4, Kubernetes might not be able to track completedIndexes when a big"
            " number of indexes fail"
        )
    return [*found, *workloads.warn_template(obj.spec.template, "spec.template")]


JOB = Kind(
    group="batch",
    version="v1",
    kind="Job",
    plural="jobs",
    singular="job",
    namespaced=True,
    type=Job,
    categories=("all",),
    subresources=(Subresource(name="status", verbs=("get", "patch", "update"), kind="Job"),),
    columns=(
        Column("Name", format="name"),
        Column("Status"),
        Column("Completions"),
        Column("Duration"),
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
    validate_status=validate_status,
    warn=_warn,
    selectable_fields={"status.successful": lambda obj: str(obj.status.succeeded)},
)
