"""Job: run pods until so many have succeeded, or too many have failed.

One pass: count what has ended (`jobtally`), decide whether it is over (`jobplan`), then make and
end pods, then the status. A job that is over waits for its last pods before it says so, and goes
`ttlSecondsAfterFinished` later.

Source: kubernetes `pkg/controller/job`, `pkg/controller/ttlafterfinished`.
"""

from collections.abc import Iterable, Sequence

from appliance.api import labels
from appliance.api.errors import NotFound
from appliance.api.kinds.batch.job import JOB
from appliance.api.kinds.batch.job_spec import Job, JobCondition, JobStatus
from appliance.api.kinds.core.pod.container import EnvVar, EnvVarSource
from appliance.api.kinds.core.pod.kind import POD, Pod
from appliance.api.kinds.core.references import ObjectFieldSelector
from appliance.api.objects import controller_of
from appliance.client.base import Client, DeleteOptions, clone
from appliance.client.cache import key_of, split_key
from appliance.client.controller import DONE, Result, Watch
from appliance.client.events import NORMAL, WARNING, Recorder, reference
from appliance.client.informer import Informers
from appliance.control.controllers import jobplan, podstate, replicas
from appliance.control.controllers.jobtally import FINALIZER, INDEX, Tally, tally
from appliance.control.controllers.ownedpods import OwnedPods, pod_from, whole
from appliance.kit.clock import Clock, parse_rfc3339, rfc3339

_INDEX_ENV = "JOB_COMPLETION_INDEX"
_BY_NAME = "job"


class Jobs:
    """Runs jobs."""

    name = "job"

    def __init__(
        self, client: Client, informers: Informers, *, clock: Clock, recorder: Recorder
    ) -> None:
        self._client = client
        self._clock = clock
        self._recorder = recorder
        self._owners = informers.of(JOB)
        self._pods = OwnedPods(client, informers, self._owners, recorder)
        self._pods.informer.add_indexers({_BY_NAME: _by_name})
        self._written: dict[str, int] = {}
        """Revision of the status that was written last; a count must not start from an older."""

    def watches(self) -> Sequence[Watch]:
        """Jobs, and those of pods."""
        return [
            Watch(self._owners, lambda one: [key_of(one)]),
            Watch(self._pods.informer, self._pods.owners_of(_selector)),
        ]

    async def reconcile(self, key: str) -> Result:
        """One pass."""
        job = self._owners.cache.get(key)
        if job is None:
            self._pods.forget(key)
            self._written.pop(key, None)
            await self._release_orphans(key)
            return DONE
        await self._release_orphans(key, job.metadata.uid)
        if job.spec.managedBy not in {None, "kubernetes.io/job-controller"}:
            return DONE
        if jobplan.ended(job) is not None:
            return await self._after_end(key, job)
        if not self._pods.met(key) or self._owners.revision < self._written.get(key, 0):
            return DONE  # what is not seen yet makes the key dirty when it comes
        if job.metadata.deletionTimestamp is None:
            await self._pods.claimed(key, job, _selector(job))
        pods = self._pods.of(job)
        counts = tally(job, pods)
        return await self._step(key, job, pods, counts)

    async def _step(self, key: str, job: Job, pods: list[Pod], counts: Tally) -> Result:
        now = self._clock.wall()
        status = clone(job.status)
        counts.write(job, status)
        over = jobplan.target(job) or jobplan.verdict(job, counts, pods, now)
        crew = jobplan.Crew()
        if over is None and job.metadata.deletionTimestamp is None:
            self._suspend_or_resume(job, status, now)
            if not job.spec.suspend:
                crew = jobplan.crew(job, counts, pods, now)
        elif over is not None:
            self._set(status, over, now)
        _count_active(status, pods)
        if over is not None and _is_quiet(pods, counts):
            self._end(job, status, over, now)
        # The names of what has ended are on disk before any finalizer goes: see `jobtally`.
        await self._write(job, status)
        for pod in counts.release:
            await self._release(pod)
        all_go = over is not None or bool(job.spec.suspend)
        await self._change_crew(key, job, pods, crew=crew, all_go=all_go)
        waits = [crew.again_in_s, jobplan.deadline_in(job, now)]
        again = min((wait for wait in waits if wait is not None and wait > 0), default=None)
        return Result(again_in_s=again)

    async def _change_crew(
        self, key: str, job: Job, pods: list[Pod], *, crew: jobplan.Crew, all_go: bool
    ) -> None:
        active = [pod for pod in pods if podstate.is_active(pod)]
        going = active if all_go else replicas.victims(active, crew.surplus)
        refused = await self._pods.delete(key, job, going)
        made = [_pod_for(job, index) for index in crew.create[: replicas.BURST]]
        refused = refused or await self._pods.create(key, job, made)
        if refused is not None:
            raise refused

    def _suspend_or_resume(self, job: Job, status: JobStatus, now: float) -> None:
        if job.spec.suspend:
            if not jobplan.is_suspended(job):
                self._set(status, _condition("True", "JobSuspended", "Job suspended"), now)
                self._note(job, NORMAL, "Suspended", "Job suspended")
            status.startTime = None
            return
        if jobplan.is_suspended(job):
            self._set(status, _condition("False", "JobResumed", "Job resumed"), now)
            self._note(job, NORMAL, "Resumed", "Job resumed")
        if status.startTime is None:
            status.startTime = rfc3339(now)

    def _end(self, job: Job, status: JobStatus, over: JobCondition, now: float) -> None:
        failed = over.type == jobplan.WILL_FAIL
        final = clone(over)
        final.type = jobplan.FAILED if failed else jobplan.COMPLETE
        final.lastTransitionTime = final.lastProbeTime = None
        self._set(status, final, now)
        if failed:
            self._note(job, WARNING, over.reason, over.message)
        else:
            status.completionTime = rfc3339(now)
            self._note(job, NORMAL, "Completed", "Job completed")

    async def _after_end(self, key: str, job: Job) -> Result:
        """Let the last pods go, and the job itself when its time is over."""
        for pod in self._pods.of(job):
            if FINALIZER in pod.metadata.finalizers:
                await self._release(pod)
        limit = job.spec.ttlSecondsAfterFinished
        end = jobplan.ended(job)
        if limit is None or end is None or job.metadata.deletionTimestamp is not None:
            return DONE
        since = parse_rfc3339(end.lastTransitionTime) if end.lastTransitionTime else 0.0
        left = since + limit - self._clock.wall()
        if left > 0:
            return Result(again_in_s=left)
        namespace, name = split_key(key)
        options = DeleteOptions(uid=job.metadata.uid, propagation="Foreground")
        await self._client.delete(JOB, name, namespace=namespace, options=options)
        return DONE

    async def _release_orphans(self, key: str, living: str = "") -> None:
        """Pods whose job is gone need not be counted; another may have its name by now."""
        for pod in self._pods.informer.cache.by_index(_BY_NAME, key):
            owner = controller_of(pod)
            if owner is not None and owner.uid != living and FINALIZER in pod.metadata.finalizers:
                await self._release(pod)

    async def _release(self, pod: Pod) -> None:
        meta = pod.metadata
        left = [name for name in meta.finalizers if name != FINALIZER]
        body = {"metadata": {"resourceVersion": meta.resourceVersion, "finalizers": left or None}}
        try:
            await self._client.patch(POD, meta.name, body, namespace=meta.namespace)
        except NotFound:
            return  # it went by force

    async def _write(self, job: Job, status: JobStatus) -> None:
        if status == job.status:
            return
        meta = job.metadata
        # With the revision: counters come from the status that we read, and must not go back.
        body = {
            "metadata": {"resourceVersion": meta.resourceVersion},
            "status": whole(status),
        }
        written = await self._client.patch(
            JOB, meta.name, body, namespace=meta.namespace, subresource="status"
        )
        self._written[key_of(job)] = int(written.metadata.resourceVersion)

    def _set(self, status: JobStatus, new: JobCondition, now: float) -> None:
        before = next((c for c in status.conditions if c.type == new.type), None)
        if before is not None and (before.status, before.reason) == (new.status, new.reason):
            return
        made = clone(new)
        made.lastTransitionTime = made.lastProbeTime = rfc3339(now)
        status.conditions = [*(c for c in status.conditions if c.type != new.type), made]

    def _note(self, job: Job, kind: str, reason: str, message: str) -> None:
        self._recorder.record(reference(JOB, job), kind, reason, message)


def _selector(job: Job) -> labels.Selector:
    return labels.from_label_selector(job.spec.selector)


def _by_name(pod: Pod) -> Iterable[str]:
    ref = controller_of(pod)
    if ref is not None and ref.kind == JOB.kind:
        yield f"{pod.metadata.namespace}/{ref.name}"


def _condition(status: str, reason: str, message: str) -> JobCondition:
    return JobCondition(type=jobplan.SUSPENDED, status=status, reason=reason, message=message)


def _count_active(status: JobStatus, pods: Sequence[Pod]) -> None:
    active = [pod for pod in pods if podstate.is_active(pod)]
    status.active = len(active)
    status.ready = sum(map(podstate.is_ready, active))
    status.terminating = sum(_is_going(pod) for pod in pods)


def _is_going(pod: Pod) -> bool:
    return pod.metadata.deletionTimestamp is not None and not podstate.has_ended(pod)


def _is_quiet(pods: Sequence[Pod], counts: Tally) -> bool:
    """Whether no pod runs any more and all are counted."""
    if counts.uncounted_succeeded or counts.uncounted_failed:
        return False
    return not any(podstate.is_active(pod) or _is_going(pod) for pod in pods)


def _pod_for(job: Job, index: int | None) -> Pod:
    pod = pod_from(JOB, job, job.spec.template)
    pod.metadata.finalizers = [*pod.metadata.finalizers, FINALIZER]
    if index is None:
        return pod
    pod.metadata.generateName = f"{job.metadata.name}-{index}-"
    pod.metadata.annotations = {**pod.metadata.annotations, INDEX: str(index)}
    pod.metadata.labels = {**pod.metadata.labels, INDEX: str(index)}
    pod.spec.hostname = f"{job.metadata.name}-{index}"
    for container in (*pod.spec.initContainers, *pod.spec.containers):
        if all(env.name != _INDEX_ENV for env in container.env):
            path = ObjectFieldSelector(fieldPath=f"metadata.annotations['{INDEX}']")
            source = EnvVarSource(fieldRef=path)
            container.env = [*container.env, EnvVar(name=_INDEX_ENV, valueFrom=source)]
    return pod
