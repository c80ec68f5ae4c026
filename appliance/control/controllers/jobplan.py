"""Pure decisions about a job: has it ended, and how many pods go and come now.

`jobs.py` carries them out. Conditions, reasons and messages are upstream's: scripts wait for
them.

Source: kubernetes `pkg/controller/job/{job_controller,backoff_utils,success_policy}.go`.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from appliance.api.kinds.batch.job_spec import Job, JobCondition, SuccessPolicyRule
from appliance.api.kinds.core.pod.kind import Pod
from appliance.api.objects import is_true
from appliance.control.controllers import podstate
from appliance.control.controllers.jobtally import (
    Tally,
    has_failed,
    index_of,
    indexes,
    is_indexed,
)
from appliance.kit.clock import parse_rfc3339

COMPLETE, FAILED = "Complete", "Failed"
WILL_COMPLETE, WILL_FAIL = "SuccessCriteriaMet", "FailureTarget"
SUSPENDED = "Suspended"
_PAUSE_S, _LONGEST_PAUSE_S = 10.0, 600.0


def ended(job: Job) -> JobCondition | None:
    """How it has ended, if it has."""
    found = (c for c in job.status.conditions if c.type in {COMPLETE, FAILED})
    return next((c for c in found if c.status == "True"), None)


def target(job: Job) -> JobCondition | None:
    """How it will end once its last pods are gone, if that is decided."""
    found = (c for c in job.status.conditions if c.type in {WILL_COMPLETE, WILL_FAIL})
    return next((c for c in found if c.status == "True"), None)


def verdict(job: Job, counts: Tally, pods: Sequence[Pod], now: float) -> JobCondition | None:
    """Why it is over, if it is."""
    if counts.verdict:
        return _fails("PodFailurePolicy", counts.verdict)
    limit = job.spec.backoffLimit
    if limit is not None and (counts.all_failed > limit or _restarts_too_often(job, pods, limit)):
        return _fails("BackoffLimitExceeded", "Job has reached the specified backoff limit")
    left = deadline_in(job, now)
    if left is not None and left <= 0:
        return _fails("DeadlineExceeded", "Job was active longer than specified deadline")
    if is_indexed(job) and (failure := _failed_indexes(job, counts)):
        return failure
    return _success(job, counts, pods)


def deadline_in(job: Job, now: float) -> float | None:
    """Seconds until `activeDeadlineSeconds` are over; None without one or while suspended."""
    limit, start = job.spec.activeDeadlineSeconds, job.status.startTime
    if limit is None or not start or job.spec.suspend:
        return None
    return parse_rfc3339(start) + limit - now


def _restarts_too_often(job: Job, pods: Sequence[Pod], limit: int) -> bool:
    if job.spec.template.spec.restartPolicy != "OnFailure":
        return False
    alive = [pod for pod in pods if pod.status.phase in {"Pending", "Running"}]
    restarts = sum(
        state.restartCount
        for pod in alive
        for state in (*pod.status.initContainerStatuses, *pod.status.containerStatuses)
    )
    return restarts > 0 if limit == 0 else restarts >= limit


def _failed_indexes(job: Job, counts: Tally) -> JobCondition | None:
    most = job.spec.maxFailedIndexes
    if most is not None and len(counts.failed_indexes) > most:
        text = "Job has exceeded the specified maximal number of failed indexes"
        return _fails("MaxFailedIndexesExceeded", text)
    over = len(counts.completed | counts.failed_indexes) >= (job.spec.completions or 0)
    if counts.failed_indexes and over:
        return _fails("FailedIndexes", "Job has failed indexes")
    return None


def _success(job: Job, counts: Tally, pods: Sequence[Pod]) -> JobCondition | None:
    rules = job.spec.successPolicy.rules if job.spec.successPolicy else ()
    for number, rule in enumerate(rules):
        if _rule_holds(rule, counts.completed):
            return _succeeds("SuccessPolicy", f"Matched rules at index {number}")
    wanted = job.spec.completions
    if wanted is None:
        done = counts.all_succeeded > 0 and not any(map(podstate.is_active, pods))
    elif is_indexed(job):
        done = len(counts.completed) >= wanted
    else:
        done = counts.all_succeeded >= wanted
    if not done:
        return None
    return _succeeds("CompletionsReached", "Reached expected number of succeeded pods")


def _rule_holds(rule: SuccessPolicyRule, completed: set[int]) -> bool:
    found = completed
    if rule.succeededIndexes is not None:
        wanted = indexes(rule.succeededIndexes)
        if rule.succeededCount is None:
            return wanted <= completed
        found = completed & wanted
    return rule.succeededCount is not None and len(found) >= rule.succeededCount


def _fails(reason: str, message: str) -> JobCondition:
    return JobCondition(type=WILL_FAIL, status="True", reason=reason, message=message)


def _succeeds(reason: str, message: str) -> JobCondition:
    return JobCondition(type=WILL_COMPLETE, status="True", reason=reason, message=message)


@dataclass(frozen=True, slots=True, kw_only=True)
class Crew:
    """Pods to make (numbers of an indexed job, else None each), to end; when to look again."""

    create: Sequence[int | None] = ()
    surplus: int = 0
    again_in_s: float | None = None


def crew(job: Job, counts: Tally, pods: Sequence[Pod], now: float) -> Crew:
    """Who should work now. Failures make new pods wait: 10 s, 20 s, … up to 10 minutes."""
    active = [pod for pod in pods if podstate.is_active(pod)]
    going = sum(
        pod.metadata.deletionTimestamp is not None and not podstate.has_ended(pod) for pod in pods
    )
    at_once = 1 if job.spec.parallelism is None else job.spec.parallelism
    wanted = min(at_once, _left(job, counts, len(active)))
    if len(active) > wanted:
        return Crew(surplus=len(active) - wanted)
    if job.spec.podReplacementPolicy == "Failed":
        wanted -= going
    missing = wanted - len(active)
    if missing <= 0:
        return Crew()
    if job.spec.backoffLimitPerIndex is None and (wait := _pause(job, pods, now)) > 0:
        return Crew(again_in_s=wait)
    if not is_indexed(job):
        return Crew(create=[None] * missing)
    return _numbered(job, counts, pods, missing=missing, now=now)


def _left(job: Job, counts: Tally, active: int) -> int:
    completions = job.spec.completions
    if completions is None:
        return active if counts.all_succeeded else 2**31
    if is_indexed(job):
        return max(0, completions - len(counts.completed | counts.failed_indexes))
    return max(0, completions - counts.all_succeeded)


def _numbered(job: Job, counts: Tally, pods: Sequence[Pod], *, missing: int, now: float) -> Crew:
    replace_late = job.spec.podReplacementPolicy == "Failed"
    busy = {
        index_of(pod)
        for pod in pods
        if podstate.is_active(pod) or (replace_late and not podstate.has_ended(pod))
    }
    taken = busy | counts.completed | counts.failed_indexes
    free = [n for n in range(job.spec.completions or 0) if n not in taken]
    if job.spec.backoffLimitPerIndex is None:
        return Crew(create=free[:missing])
    waits = {n: _pause(job, [p for p in pods if index_of(p) == n], now) for n in free}
    ready = [n for n in free if waits[n] <= 0]
    later = min((wait for wait in waits.values() if wait > 0), default=None)
    return Crew(create=ready[:missing], again_in_s=later)


def _pause(job: Job, pods: Sequence[Pod], now: float) -> float:
    """Seconds to wait after the failures since the last success."""
    success = max((_finished(p) for p in pods if p.status.phase == "Succeeded"), default=0.0)
    failures = [t for p in pods if has_failed(job, p) and (t := _finished(p)) > success]
    if not failures:
        return 0.0
    pause = min(_PAUSE_S * 2.0 ** min(len(failures) - 1, 10), _LONGEST_PAUSE_S)
    return max(failures) + pause - now


def _finished(pod: Pod) -> float:
    """When it ended, as well as is known."""
    ends = [
        parse_rfc3339(state.state.terminated.finishedAt)
        for state in pod.status.containerStatuses
        if state.state.terminated and state.state.terminated.finishedAt
    ]
    if ends:
        return max(ends)
    if pod.metadata.deletionTimestamp:
        return parse_rfc3339(pod.metadata.deletionTimestamp)
    return podstate.created_at(pod)


def is_suspended(job: Job) -> bool:
    """Whether its status says so."""
    return is_true(job.status.conditions, SUSPENDED)
