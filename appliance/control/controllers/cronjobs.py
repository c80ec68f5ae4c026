"""CronJob: make a job whenever its time comes.

One pass: forget jobs that have ended, tidy up old ones, then make the job of the last time that
has come, if that has not been done, and come back at the next. The name of a job is made from its
time, so that no time ever makes two.

Source: kubernetes `pkg/controller/cronjob/cronjob_controllerv2.go`.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from appliance.api.errors import AlreadyExists
from appliance.api.kinds.batch.cronjob import CRON_JOB, CronJob, CronJobStatus
from appliance.api.kinds.batch.job import JOB
from appliance.api.kinds.batch.job_spec import Job
from appliance.api.kinds.core.references import ObjectReference
from appliance.api.meta import ObjectMeta
from appliance.api.objects import controller_of, controller_ref
from appliance.client.base import Client, DeleteOptions, clone
from appliance.client.cache import key_of
from appliance.client.controller import DONE, Result, Watch
from appliance.client.events import NORMAL, Recorder, reference
from appliance.client.informer import Informers
from appliance.control.controllers import crontimes, podstate
from appliance.control.controllers.jobplan import COMPLETE, ended
from appliance.control.controllers.ownedpods import whole
from appliance.kit.clock import Clock, parse_rfc3339, rfc3339

_TIME = "batch.kubernetes.io/cronjob-scheduled-timestamp"


class CronJobs:
    """Makes jobs by the clock."""

    name = "cronjob"

    def __init__(
        self, client: Client, informers: Informers, *, clock: Clock, recorder: Recorder
    ) -> None:
        self._client = client
        self._clock = clock
        self._recorder = recorder
        self._owners = informers.of(CRON_JOB)
        self._jobs = informers.of(JOB)
        self._jobs.add_indexers({podstate.BY_CONTROLLER: podstate.controller_index})

    def watches(self) -> Sequence[Watch]:
        """Cron jobs, and those of jobs."""
        return [Watch(self._owners, lambda one: [key_of(one)]), Watch(self._jobs, _owner_of)]

    async def reconcile(self, key: str) -> Result:
        """One pass."""
        one = self._owners.cache.get(key)
        if one is None or one.metadata.deletionTimestamp is not None:
            return DONE
        jobs = list(self._jobs.cache.by_index(podstate.BY_CONTROLLER, one.metadata.uid))
        status = self._looked_after(one, jobs)
        await self._tidy(one, jobs)
        now = self._clock.wall()
        again = None
        if not one.spec.suspend:
            moment = crontimes.due(one, now)
            if moment is not None:
                await self._start(one, moment, jobs, status)
            again = crontimes.seconds_to_next(one, now)
        if status != one.status:
            await self._write(one, status)
        return Result(again_in_s=again)

    def _looked_after(self, one: CronJob, jobs: Sequence[Job]) -> CronJobStatus:
        """The status without jobs that have ended or are gone."""
        status = clone(one.status)
        running = {job.metadata.uid: job for job in jobs if ended(job) is None}
        for job in jobs:
            end = ended(job)
            if end is None:
                continue
            if any(ref.uid == job.metadata.uid for ref in status.active):
                text = f"Saw completed job: {job.metadata.name}, condition: {end.type}"
                self._note(one, NORMAL, "SawCompletedJob", text)
            done = job.status.completionTime
            if end.type == COMPLETE and done and _later(done, status.lastSuccessfulTime):
                status.lastSuccessfulTime = done
        known = {job.metadata.uid for job in jobs}
        for ref in status.active:
            if ref.uid not in known and not self._is_new(ref):
                text = f"Active job went missing: {ref.name}"
                self._note(one, NORMAL, "MissingJob", text)
        status.active = [ref for ref in status.active if ref.uid in running or self._is_new(ref)]
        return status

    def _is_new(self, ref: ObjectReference) -> bool:
        """Whether the cache is not as far as this job."""
        return self._jobs.revision < int(ref.resourceVersion or 0)

    async def _start(
        self, one: CronJob, moment: datetime, jobs: Sequence[Job], status: CronJobStatus
    ) -> None:
        policy = one.spec.concurrencyPolicy
        running = [job for job in jobs if ended(job) is None]
        if policy == "Forbid" and (running or status.active):
            text = (
                "Not starting job because prior execution is running and concurrency policy is"
                " Forbid"
            )
            self._note(one, NORMAL, "JobAlreadyActive", text)
            return
        if policy == "Replace":
            for job in running:
                await self._delete(one, job)
            status.active = []
        try:
            made = await self._client.create(
                JOB, _job_for(one, moment), namespace=one.metadata.namespace
            )
        except AlreadyExists:
            # Made by the pass before, whose status got lost, or by somebody with our name.
            status.lastScheduleTime = rfc3339(moment.timestamp())
            return
        self._note(one, NORMAL, "SuccessfulCreate", f"Created job {made.metadata.name}")
        status.active = [*status.active, reference(JOB, made)]
        status.lastScheduleTime = rfc3339(moment.timestamp())

    async def _tidy(self, one: CronJob, jobs: Sequence[Job]) -> None:
        """Keep so many jobs that succeeded and so many that failed, the newest."""
        for succeeded, limit in (
            (True, one.spec.successfulJobsHistoryLimit),
            (False, one.spec.failedJobsHistoryLimit),
        ):
            if limit is None:
                continue
            some = [
                job
                for job in jobs
                if (end := ended(job)) is not None and (end.type == COMPLETE) is succeeded
            ]
            some.sort(key=lambda job: (job.status.startTime or "", job.metadata.name))
            for job in some[: max(0, len(some) - limit)]:
                if job.metadata.deletionTimestamp is None:
                    await self._delete(one, job)

    async def _delete(self, one: CronJob, job: Job) -> None:
        meta = job.metadata
        options = DeleteOptions(uid=meta.uid, propagation="Background")
        await self._client.delete(JOB, meta.name, namespace=meta.namespace, options=options)
        self._note(one, NORMAL, "SuccessfulDelete", f"Deleted job {meta.name}")

    async def _write(self, one: CronJob, status: CronJobStatus) -> None:
        meta = one.metadata
        body: dict[str, Any] = {
            "metadata": {"resourceVersion": meta.resourceVersion},
            "status": whole(status),
        }
        await self._client.patch(
            CRON_JOB, meta.name, body, namespace=meta.namespace, subresource="status"
        )

    def _note(self, one: CronJob, kind: str, reason: str, message: str) -> None:
        self._recorder.record(reference(CRON_JOB, one), kind, reason, message)


def _owner_of(job: Job) -> Iterable[str]:
    ref = controller_of(job)
    if ref is not None and ref.kind == CRON_JOB.kind:
        yield f"{job.metadata.namespace}/{ref.name}"


def _job_for(one: CronJob, moment: datetime) -> Job:
    template = clone(one.spec.jobTemplate)
    meta = one.metadata
    return Job(
        metadata=ObjectMeta(
            name=f"{meta.name}-{int(moment.timestamp()) // 60}",
            namespace=meta.namespace,
            labels=template.metadata.labels,
            annotations={**template.metadata.annotations, _TIME: moment.isoformat()},
            ownerReferences=[controller_ref(CRON_JOB, one)],
        ),
        spec=template.spec,
    )


def _later(moment: str, than: str | None) -> bool:
    return not than or parse_rfc3339(moment) > parse_rfc3339(than)
