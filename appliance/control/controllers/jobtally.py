"""Pure counting of a job's ended pods, each once, whatever is deleted or restarted meanwhile.

A pod of a job bears a finalizer until it has been counted. An ended pod is first named in
`status.uncountedTerminatedPods`, then its finalizer is taken away, and once that is seen it moves
into the counters: a crash at any point neither forgets a pod nor counts it twice. Indexed jobs
count successes by index, which needs no such care.

Source: Kubernetes KEP-2307; `pkg/controller/job/job_controller.go`.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from appliance.api.kinds.batch.job_indexes import read_indexes, write_indexes
from appliance.api.kinds.batch.job_spec import (
    Job,
    JobStatus,
    PodFailurePolicyRule,
    UncountedTerminatedPods,
)
from appliance.api.kinds.core.pod.kind import Pod
from appliance.api.objects import condition

FINALIZER = "batch.kubernetes.io/job-tracking"
INDEX = "batch.kubernetes.io/job-completion-index"
_EVERY = 2**31


@dataclass(slots=True)
class Tally:
    """What is known of ended pods; `release` are those whose finalizer may go."""

    succeeded: int = 0
    failed: int = 0
    completed: set[int] = field(default_factory=set)
    failed_indexes: set[int] = field(default_factory=set)
    uncounted_succeeded: list[str] = field(default_factory=list)
    uncounted_failed: list[str] = field(default_factory=list)
    release: list[Pod] = field(default_factory=list)
    verdict: str = ""
    """Message of a pod failure policy that ends the job."""

    @property
    def all_succeeded(self) -> int:
        """Successes, those not counted yet too."""
        return self.succeeded + len(self.uncounted_succeeded)

    @property
    def all_failed(self) -> int:
        """Failures, those not counted yet too."""
        return self.failed + len(self.uncounted_failed)

    def write(self, job: Job, status: JobStatus) -> None:
        """Put the counts into a status."""
        indexed = is_indexed(job)
        status.succeeded = len(self.completed) if indexed else self.succeeded
        status.failed = self.failed
        status.completedIndexes = write_indexes(self.completed)
        by_index = job.spec.backoffLimitPerIndex is not None
        status.failedIndexes = write_indexes(self.failed_indexes) if by_index else None
        status.uncountedTerminatedPods = UncountedTerminatedPods(
            succeeded=self.uncounted_succeeded, failed=self.uncounted_failed
        )


def tally(job: Job, pods: Sequence[Pod]) -> Tally:
    """Count what has ended since the status was written."""
    status = job.status
    uncounted = status.uncountedTerminatedPods or UncountedTerminatedPods()
    found = Tally(
        succeeded=status.succeeded,
        failed=status.failed,
        completed=indexes(status.completedIndexes),
        failed_indexes=indexes(status.failedIndexes or ""),
    )
    held = {pod.metadata.uid for pod in pods if FINALIZER in pod.metadata.finalizers}
    found.uncounted_succeeded = [uid for uid in uncounted.succeeded if uid in held]
    found.uncounted_failed = [uid for uid in uncounted.failed if uid in held]
    found.succeeded += len(uncounted.succeeded) - len(found.uncounted_succeeded)
    found.failed += len(uncounted.failed) - len(found.uncounted_failed)
    known = {*uncounted.succeeded, *uncounted.failed}
    for pod in pods:
        if pod.metadata.uid not in held:
            continue
        if pod.metadata.uid in known:
            found.release.append(pod)
        elif pod.status.phase == "Succeeded":
            _succeed(job, found, pod)
        elif has_failed(job, pod):
            _fail(job, found, pod, pods)
    return found


def _succeed(job: Job, found: Tally, pod: Pod) -> None:
    found.release.append(pod)
    if not is_indexed(job):
        found.uncounted_succeeded.append(pod.metadata.uid)
    elif 0 <= (index := index_of(pod)) < (job.spec.completions or 0):
        found.completed.add(index)


def _fail(job: Job, found: Tally, pod: Pod, pods: Iterable[Pod]) -> None:
    found.release.append(pod)
    number, rule = _rule(job, pod)
    if rule is not None and rule.action == "Ignore":
        return
    found.uncounted_failed.append(pod.metadata.uid)
    if rule is not None and rule.action == "FailJob":
        found.verdict = found.verdict or _why(pod, number, rule)
    limit = job.spec.backoffLimitPerIndex
    if limit is None:
        return
    index = index_of(pod)
    fails_at_once = rule is not None and rule.action == "FailIndex"
    failures = sum(index_of(other) == index and has_failed(job, other) for other in pods)
    if fails_at_once or failures > limit:
        found.failed_indexes.add(index)


def _rule(job: Job, pod: Pod) -> tuple[int, PodFailurePolicyRule | None]:
    """The first rule of the failure policy that fits, with its place."""
    if job.spec.podFailurePolicy is None or pod.status.phase != "Failed":
        return 0, None
    for number, rule in enumerate(job.spec.podFailurePolicy.rules):
        if _by_exit(rule, pod) is not None or _by_condition(rule, pod):
            return number, rule
    return 0, None


def _by_exit(rule: PodFailurePolicyRule, pod: Pod) -> tuple[str, int] | None:
    asked = rule.onExitCodes
    if asked is None:
        return None
    for state in (*pod.status.initContainerStatuses, *pod.status.containerStatuses):
        ended = state.state.terminated
        if ended is None or ended.exitCode == 0:
            continue
        if asked.containerName is not None and asked.containerName != state.name:
            continue
        if (ended.exitCode in asked.values) == (asked.operator == "In"):
            return state.name, ended.exitCode
    return None


def _by_condition(rule: PodFailurePolicyRule, pod: Pod) -> str:
    for pattern in rule.onPodConditions:
        found = condition(pod.status.conditions, pattern.type)
        if found is not None and found.status == pattern.status:
            return pattern.type
    return ""


def _why(pod: Pod, number: int, rule: PodFailurePolicyRule) -> str:
    where = f"{pod.metadata.namespace}/{pod.metadata.name}"
    by_exit = _by_exit(rule, pod)
    if by_exit is not None:
        name, code = by_exit
        return (
            f"Container {name} for pod {where} failed with exit code {code} matching"
            f" {rule.action} rule at index {number}"
        )
    kind = _by_condition(rule, pod)
    return f"Pod {where} has condition {kind} matching {rule.action} rule at index {number}"


def has_failed(job: Job, pod: Pod) -> bool:
    """Whether it counts as failed: a pod that is being deleted does, unless only ended ones do."""
    if pod.status.phase == "Failed":
        return True
    going = pod.metadata.deletionTimestamp is not None and pod.status.phase != "Succeeded"
    return going and job.spec.podReplacementPolicy != "Failed"


def is_indexed(job: Job) -> bool:
    """Whether each of its pods has a number."""
    return job.spec.completionMode == "Indexed"


def index_of(pod: Pod) -> int:
    """The pod's number; -1 if it has none."""
    text = pod.metadata.annotations.get(INDEX, "")
    return int(text) if text.isdecimal() else -1


def indexes(text: str) -> set[int]:
    """`0,3-5` as a set."""
    return {n for low, high in read_indexes(text, _EVERY) for n in range(low, high + 1)}
