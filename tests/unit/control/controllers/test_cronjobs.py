"""A cron job makes a job at each of its times, once."""

from datetime import datetime
from typing import Any

import msgspec
import pytest

from appliance.api.kinds.batch.cronjob import CRON_JOB, CronJob
from appliance.api.kinds.batch.job import JOB
from appliance.api.kinds.batch.job_spec import Job, JobCondition
from appliance.client.base import clone
from appliance.control.controllers import crontimes
from appliance.control.controllers.cronjobs import CronJobs
from appliance.kit.clock import parse_rfc3339, rfc3339
from tests.unit.control.cluster import Cluster


@pytest.fixture
async def night(plane: Cluster) -> Cluster:
    # 2023-11-14T22:13:20Z; tests reckon from there
    await plane.start(
        CronJobs(plane.client, plane.informers, clock=plane.clock, recorder=plane.recorder)
    )
    return plane


def cron_job(schedule: str = "*/5 * * * *", **spec: Any) -> CronJob:
    template = {"spec": {"restartPolicy": "Never", "containers": [{"name": "c", "image": "i"}]}}
    body = {
        "metadata": {"name": "dump", "namespace": "default"},
        "spec": {
            "schedule": schedule,
            "jobTemplate": {
                "metadata": {"labels": {"app": "dump"}},
                "spec": {"template": template},
            },
            **spec,
        },
    }
    return msgspec.convert(body, CronJob)


async def end(night: Cluster, job: Job, kind: str = "Complete") -> None:
    moment = rfc3339(night.clock.wall())
    new = clone(job)
    before = "SuccessCriteriaMet" if kind == "Complete" else "FailureTarget"
    new.status.startTime = moment
    new.status.conditions = [
        JobCondition(type=one, status="True", lastTransitionTime=moment) for one in (before, kind)
    ]
    if kind == "Complete":
        new.status.completionTime = moment
    await night.client.update(JOB, new, subresource="status")
    await night.settle()


async def the_cron_job(night: Cluster) -> CronJob:
    found: CronJob = await night.client.get(CRON_JOB, "dump", "default")
    return found


async def test_each_time_makes_a_job_named_after_it(night: Cluster) -> None:
    await night.make(CRON_JOB, cron_job())
    assert await night.names(JOB) == []
    await night.advance(101)
    (job,) = await night.all(JOB)
    moment = parse_rfc3339("2023-11-14T22:15:00Z")
    assert job.metadata.name == f"dump-{int(moment) // 60}"
    assert job.metadata.labels["app"] == "dump"
    stamp = job.metadata.annotations["batch.kubernetes.io/cronjob-scheduled-timestamp"]
    assert datetime.fromisoformat(stamp).timestamp() == moment
    (ref,) = job.metadata.ownerReferences
    assert (ref.kind, ref.name, ref.controller) == ("CronJob", "dump", True)
    now = (await the_cron_job(night)).status
    assert [one.name for one in now.active] == [job.metadata.name]
    assert now.lastScheduleTime == "2023-11-14T22:15:00Z"
    await night.advance(300)
    assert len(await night.names(JOB)) == 2
    assert len(await night.events("SuccessfulCreate")) == 2


async def test_ended_jobs_leave_the_status(night: Cluster) -> None:
    await night.make(CRON_JOB, cron_job())
    await night.advance(101)
    (job,) = await night.all(JOB)
    await end(night, job)
    now = (await the_cron_job(night)).status
    assert now.active == []
    assert now.lastSuccessfulTime
    (event,) = await night.events("SawCompletedJob")
    assert event.message == f"Saw completed job: {job.metadata.name}, condition: Complete"


async def test_only_so_many_ended_ones_are_kept(night: Cluster) -> None:
    await night.make(CRON_JOB, cron_job(successfulJobsHistoryLimit=1, failedJobsHistoryLimit=0))
    for kind in ("Complete", "Failed", "Complete"):
        await night.advance(300)
        running = [j for j in await night.all(JOB) if not j.status.conditions]
        await end(night, running[0], kind)
    left = await night.all(JOB)
    assert [[c.type for c in j.status.conditions][-1] for j in left] == ["Complete"]


async def test_forbid_waits_for_the_last_one(night: Cluster) -> None:
    await night.make(CRON_JOB, cron_job(concurrencyPolicy="Forbid"))
    await night.advance(101)
    await night.advance(600)
    (job,) = await night.all(JOB)
    assert await night.events("JobAlreadyActive")
    await end(night, job)
    running = [j for j in await night.all(JOB) if not j.status.conditions]
    assert len(running) == 1, "the time that had come meanwhile"


async def test_replace_ends_the_last_one(night: Cluster) -> None:
    await night.make(CRON_JOB, cron_job(concurrencyPolicy="Replace"))
    await night.advance(101)
    before = await night.names(JOB)
    await night.advance(300)
    after = await night.names(JOB)
    assert len(after) == 1
    assert after != before


async def test_suspended_it_makes_none_and_then_the_last_missed(night: Cluster) -> None:
    await night.make(CRON_JOB, cron_job(suspend=True))
    await night.advance(1000)
    assert await night.names(JOB) == []
    await night.edit(CRON_JOB, "dump", {"spec": {"suspend": False}})
    (job,) = await night.all(JOB)
    assert job.metadata.name == f"dump-{int(parse_rfc3339('2023-11-14T22:30:00Z')) // 60}"


async def test_what_is_too_late_is_left_out(night: Cluster) -> None:
    await night.make(CRON_JOB, cron_job(suspend=True, startingDeadlineSeconds=30))
    await night.advance(1070)  # 22:31:10, ninety seconds after half past
    await night.edit(CRON_JOB, "dump", {"spec": {"suspend": False}})
    assert await night.names(JOB) == []


async def test_a_job_that_vanished_is_told(night: Cluster) -> None:
    await night.make(CRON_JOB, cron_job())
    await night.advance(101)
    (name,) = await night.names(JOB)
    await night.delete(JOB, name, propagation="Background")
    assert (await the_cron_job(night)).status.active == []
    assert (await night.events("MissingJob"))[0].message == f"Active job went missing: {name}"


async def test_between_times_nothing_is_written(night: Cluster) -> None:
    await night.make(CRON_JOB, cron_job("0 12 * * *"))
    before = await night.revision()
    await night.advance(1800)
    assert await night.revision() == before


BERLIN = "Europe/Berlin"


@pytest.mark.parametrize(
    ("schedule", "zone", "since", "now", "found"),
    [
        ("0 * * * *", None, "2023-01-01T00:00", "2023-06-01T10:30", "2023-06-01T10:00"),
        ("0 * * * *", None, "2023-06-01T10:00", "2023-06-01T10:30", ""),
        ("0 0 29 2 *", None, "2020-02-28T00:00", "2023-06-01T00:00", "2020-02-29T00:00"),
        ("@every 90m", None, "2023-06-01T00:00", "2023-06-01T05:00", "2023-06-01T04:30"),
        ("0 3 * * *", BERLIN, "2023-07-01T00:00", "2023-07-01T02:00", "2023-07-01T01:00"),
        ("0 3 * * *", BERLIN, "2023-01-01T00:00", "2023-01-01T03:00", "2023-01-01T02:00"),
    ],
)
def test_the_last_time_that_has_come_counts(
    schedule: str, zone: str | None, since: str, now: str, found: str
) -> None:
    one = cron_job(schedule, timeZone=zone)
    one.status.lastScheduleTime = f"{since}:00Z"
    moment = crontimes.due(one, parse_rfc3339(f"{now}:00Z"))
    assert (rfc3339(moment.timestamp()) if moment else "") == (f"{found}:00Z" if found else "")
