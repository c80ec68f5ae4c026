"""What must hold when the status of a job is written: an end is an end.

Called through the `JOB` kind. Source: kubernetes `pkg/apis/batch/validation` and
`pkg/registry/batch/job`. A rule counts only where the write breaks it: what was wrong before may
stay so.
"""

from collections.abc import Iterator

from appliance.api import faults
from appliance.api.ages import seconds_of
from appliance.api.errors import Cause
from appliance.api.kinds import checks
from appliance.api.kinds.batch.job_spec import Job, JobStatus

ENDS = ("Complete", "Failed")


def is_true(status: JobStatus, condition: str) -> bool:
    """Whether a condition holds."""
    return any(c.type == condition and c.status == "True" for c in status.conditions)


def is_finished(status: JobStatus) -> bool:
    """Whether the job has come to its end."""
    return any(is_true(status, end) for end in ENDS)


def validate_status(new: Job, old: Job) -> list[Cause]:
    """Give every fault of a new status."""
    now, before = new.status, old.status
    found: list[Cause] = []
    for name in ("active", "succeeded", "failed", "ready", "terminating"):
        found += checks.not_negative(getattr(now, name), f"status.{name}")
    found += _counts(now)
    if is_finished(now) and not is_finished(before):
        found += _ending(now)
    found += _steps(now, before)
    found += _times(now, before)
    return found


def _counts(now: JobStatus) -> Iterator[Cause]:
    if now.ready is not None and now.ready > now.active:
        yield faults.wrong("status.ready", now.ready, "more ready pods than active")


def _ending(now: JobStatus) -> Iterator[Cause]:
    if now.startTime is None:
        yield faults.required("status.startTime", "startTime is required for finished job")
    if now.active > 0:
        yield faults.wrong("status.active", now.active, "active>0 is invalid for finished job")
    if now.ready:
        yield faults.wrong("status.ready", now.ready, "ready>0 is invalid for finished job")
    if now.terminating:
        why = "terminating>0 is invalid for finished job"
        yield faults.wrong("status.terminating", now.terminating, why)


def _steps(now: JobStatus, before: JobStatus) -> Iterator[Cause]:
    complete, failed = is_true(now, "Complete"), is_true(now, "Failed")
    if complete and not is_true(before, "Complete"):
        if now.completionTime is None:
            why = "completionTime is required for Complete jobs"
            yield faults.required("status.completionTime", why)
        if not is_true(now, "SuccessCriteriaMet"):
            yield _conditions(
                "cannot set Complete=True condition without the SuccessCriteriaMet=true condition"
            )
    if failed and not is_true(before, "Failed") and not is_true(now, "FailureTarget"):
        yield _conditions(
            "cannot set Failed=True condition without the FailureTarget=true condition"
        )
    if complete and failed:
        yield _conditions("cannot set Complete=True and Failed=true conditions")
    if complete and is_true(now, "FailureTarget"):
        yield _conditions("cannot set Complete=True and FailureTarget=true conditions")
    for end in (*ENDS, "FailureTarget", "SuccessCriteriaMet"):
        if is_true(before, end) and not is_true(now, end):
            yield _conditions(f"cannot disable the terminal {end}=True condition")


def _times(now: JobStatus, before: JobStatus) -> Iterator[Cause]:
    end, start = now.completionTime, now.startTime
    if end and not is_true(now, "Complete") and end != before.completionTime:
        why = "cannot set completionTime when there is no Complete=True condition"
        yield faults.wrong("status.completionTime", end, why)
    if end and start and seconds_of(end) < seconds_of(start):
        why = "completionTime cannot be set before startTime"
        yield faults.wrong("status.completionTime", end, why)
    if before.completionTime and end != before.completionTime:
        yield faults.wrong("status.completionTime", end, "field is immutable")
    if now.succeeded < before.succeeded:
        why = f"cannot decrease the succeeded counter (previous: {before.succeeded})"
        yield faults.wrong("status.succeeded", now.succeeded, why)
    if now.failed < before.failed:
        why = f"cannot decrease the failed counter (previous: {before.failed})"
        yield faults.wrong("status.failed", now.failed, why)


def _conditions(why: str) -> Cause:
    return Cause("FieldValueInvalid", f"Invalid value: {why}", "status.conditions")
