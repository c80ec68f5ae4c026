"""CronJob: makes a job at set times."""

import zoneinfo
from collections.abc import Iterator
from typing import Annotated, Any

from appliance.api import cron, faults, names
from appliance.api.ages import since
from appliance.api.errors import Cause
from appliance.api.kind import Column, Kind, Subresource
from appliance.api.kinds import checks, workloads
from appliance.api.kinds.batch import job_validation
from appliance.api.kinds.batch.job import set_job_spec_defaults
from appliance.api.kinds.batch.job_spec import JobTemplateSpec
from appliance.api.kinds.cells import NONE, age
from appliance.api.kinds.core.references import ObjectReference
from appliance.api.meta import KubeObject
from appliance.api.schema import F, Int32, Int64, Message, Time, always


class CronJobSpec(Message):
    """What is wanted of a cron job."""

    schedule: Annotated[str, F(1, "When, in the five fields of cron.", required=True)] = always(str)
    timeZone: Annotated[
        str | None, F(8, "Time zone of the schedule; that of the controller unless said.")
    ] = None
    startingDeadlineSeconds: Annotated[
        Int64 | None, F(2, "How late a job may start before it counts as missed.")
    ] = None
    concurrencyPolicy: Annotated[
        str, F(3, "Allow, Forbid or Replace: what if the last job still runs.")
    ] = ""
    suspend: Annotated[bool | None, F(4, "Whether no further jobs are made.")] = None
    jobTemplate: Annotated[JobTemplateSpec, F(5, "What jobs are made from.", required=True)] = (
        always(JobTemplateSpec)
    )
    successfulJobsHistoryLimit: Annotated[
        Int32 | None, F(6, "How many jobs that succeeded are kept; 3 unless said.")
    ] = None
    failedJobsHistoryLimit: Annotated[
        Int32 | None, F(7, "How many jobs that failed are kept; 1 unless said.")
    ] = None


class CronJobStatus(Message):
    """What a cron job did last."""

    active: Annotated[
        list[ObjectReference], F(1, "Its jobs that still run.", list_type="atomic")
    ] = []
    lastScheduleTime: Annotated[Time | None, F(4, "When a job was last due.")] = None
    lastSuccessfulTime: Annotated[Time | None, F(5, "When a job last succeeded.")] = None


class CronJob(KubeObject):
    """Makes a job at set times."""

    spec: Annotated[CronJobSpec, F(2, "What is wanted.")] = always(CronJobSpec)
    status: Annotated[CronJobStatus, F(3, "What was seen last.")] = always(CronJobStatus)


NAME_MAX = 52
"""The names of its jobs get eleven characters more."""
POLICIES = ("Allow", "Forbid", "Replace")
_SUCCEEDED_KEPT = 3
_FAILED_KEPT = 1


def _cells(obj: CronJob, now: float) -> list[Any]:
    spec, last = obj.spec, obj.status.lastScheduleTime
    return [
        obj.metadata.name,
        spec.schedule,
        NONE if spec.timeZone is None else spec.timeZone,
        "<unset>" if spec.suspend is None else str(spec.suspend),
        len(obj.status.active),
        since(last, now) if last else NONE,
        age(obj, now),
        *workloads.containers_and_images(spec.jobTemplate.spec.template),
        workloads.selector_cell(spec.jobTemplate.spec.selector),
    ]


def _set_defaults(obj: CronJob) -> None:
    spec = obj.spec
    spec.concurrencyPolicy = spec.concurrencyPolicy or "Allow"
    spec.suspend = bool(spec.suspend)
    if spec.successfulJobsHistoryLimit is None:
        spec.successfulJobsHistoryLimit = _SUCCEEDED_KEPT
    if spec.failedJobsHistoryLimit is None:
        spec.failedJobsHistoryLimit = _FAILED_KEPT
    set_job_spec_defaults(spec.jobTemplate.spec)


def _prepare_create(obj: CronJob) -> None:
    obj.status = CronJobStatus()


def _validate(obj: CronJob) -> list[Cause]:
    found = _validate_spec(obj.spec)
    if len(obj.metadata.name) > NAME_MAX:
        why = f"must be no more than {NAME_MAX} characters"
        found.append(faults.wrong("metadata.name", obj.metadata.name, why))
    return found


def _validate_spec(spec: CronJobSpec) -> list[Cause]:
    inside = spec.jobTemplate.spec
    found = [
        *_schedule(spec.schedule, "spec.schedule", has_zone=spec.timeZone is not None),
        *checks.not_negative(spec.startingDeadlineSeconds, "spec.startingDeadlineSeconds"),
        *_zone(spec.timeZone, "spec.timeZone"),
        *checks.one_of(spec.concurrencyPolicy, POLICIES, "spec.concurrencyPolicy"),
        *job_validation.spec(inside, "spec.jobTemplate.spec"),
    ]
    for name in ("successfulJobsHistoryLimit", "failedJobsHistoryLimit"):
        found += checks.not_negative(getattr(spec, name), f"spec.{name}")
    if inside.selector is not None:
        why = "`selector` will be auto-generated"
        found.append(faults.wrong("spec.jobTemplate.spec.selector", inside.selector, why))
    if inside.manualSelector:
        here = "spec.jobTemplate.spec.manualSelector"
        found.append(faults.unsupported(here, True, ("nil", "false")))
    return found


def _schedule(text: str, path: str, *, has_zone: bool) -> Iterator[Cause]:
    if not text:
        yield faults.required(path)
        return
    if "TZ" in text:
        why = (
            "cannot use both timeZone field and TZ or CRON_TZ in schedule"
            if has_zone
            else "cannot use TZ or CRON_TZ in schedule, use timeZone field instead"
        )
        yield faults.wrong(path, text, why)
        return
    try:
        _ = cron.parse(text)
    except cron.ScheduleError as error:
        yield faults.wrong(path, text, str(error))


def _zone(name: str | None, path: str) -> Iterator[Cause]:
    if name is None:
        return
    if not name:
        yield faults.wrong(path, name, "timeZone must be nil or non-empty string")
    elif name.lower() == "local":
        why = "timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones"
        yield faults.wrong(path, name, why)
    else:
        try:
            _ = zoneinfo.ZoneInfo(name)  # reads the system's table of zones, once per name
        except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
            yield faults.wrong(path, name, f"unknown time zone {name}")


def _validate_update(new: CronJob, _old: CronJob) -> list[Cause]:
    return _validate_spec(new.spec)


def _warn(obj: CronJob) -> list[str]:
    found = []
    if why := names.dns_label(obj.metadata.name):
        found.append(f"{workloads.POD_NAMES}[{' '.join(why)}]")
    inside = obj.spec.jobTemplate.spec.template
    return [*found, *workloads.warn_template(inside, "spec.jobTemplate.spec.template")]


CRON_JOB = Kind(
    group="batch",
    version="v1",
    kind="CronJob",
    plural="cronjobs",
    singular="cronjob",
    namespaced=True,
    type=CronJob,
    short_names=("cj",),
    categories=("all",),
    subresources=(Subresource(name="status", verbs=("get", "patch", "update"), kind="CronJob"),),
    columns=(
        Column("Name", format="name"),
        Column("Schedule"),
        Column("Timezone"),
        Column("Suspend", "boolean"),
        Column("Active", "integer"),
        Column("Last Schedule"),
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
    warn=_warn,
)
