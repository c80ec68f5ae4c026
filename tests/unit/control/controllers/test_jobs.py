"""A job runs pods until so many have succeeded, and counts each of them once."""

from typing import Any

import msgspec
import pytest

from appliance.api.kinds.batch.job import JOB
from appliance.api.kinds.batch.job_spec import Job
from appliance.api.kinds.core.pod.kind import POD, Pod
from appliance.api.kinds.core.pod.status import (
    ContainerState,
    ContainerStateTerminated,
    ContainerStatus,
    PodCondition,
)
from appliance.api.meta import OwnerReference
from appliance.api.objects import is_true
from appliance.client.base import clone
from appliance.control.controllers.jobs import Jobs
from appliance.control.controllers.jobtally import FINALIZER
from appliance.kit.clock import rfc3339
from tests.unit.control.cluster import Cluster


@pytest.fixture
async def work(plane: Cluster) -> Cluster:
    await plane.start(
        Jobs(plane.client, plane.informers, clock=plane.clock, recorder=plane.recorder)
    )
    return plane


def job(**spec: Any) -> Job:
    template = {"spec": {"restartPolicy": "Never", "containers": [{"name": "c", "image": "i"}]}}
    body = {
        "metadata": {"name": "sum", "namespace": "default"},
        "spec": {"template": template, **spec},
    }
    return msgspec.convert(body, Job)


async def the_job(work: Cluster) -> Job:
    found: Job = await work.client.get(JOB, "sum", "default")
    return found


async def running(work: Cluster) -> list[Pod]:
    return [p for p in await work.pods() if p.status.phase in {"Pending", "Running"}]


async def end(work: Cluster, pod: Pod, *, code: int = 0, disrupted: bool = False) -> None:
    new = clone(await work.client.get(POD, pod.metadata.name, "default"))
    new.status.phase = "Failed" if code else "Succeeded"
    ended = ContainerStateTerminated(exitCode=code, finishedAt=rfc3339(work.clock.wall()))
    new.status.containerStatuses = [
        ContainerStatus(name="c", state=ContainerState(terminated=ended))
    ]
    if disrupted:
        new.status.conditions = [PodCondition(type="DisruptionTarget", status="True")]
    await work.client.update(POD, new, subresource="status")
    await work.settle()


async def reason(work: Cluster, kind: str) -> str:
    found = [c for c in (await the_job(work)).status.conditions if c.type == kind]
    assert all(c.status == "True" for c in found)
    return found[0].reason if found else ""


async def test_one_success_completes_it(work: Cluster) -> None:
    await work.make(JOB, job())
    (pod,) = await running(work)
    assert pod.metadata.name.startswith("sum-")
    assert pod.metadata.finalizers == ["batch.kubernetes.io/job-tracking"]
    now = (await the_job(work)).status
    assert (now.active, now.succeeded, bool(now.startTime)) == (1, 0, True)
    await end(work, pod)
    now = (await the_job(work)).status
    assert (now.active, now.succeeded, now.failed) == (0, 1, 0)
    assert is_true(now.conditions, "Complete")
    assert now.completionTime
    assert await reason(work, "SuccessCriteriaMet") == "CompletionsReached"
    assert (await work.pods())[0].metadata.finalizers == []
    assert (await work.events("Completed"))[0].message == "Job completed"


async def test_so_many_at_once_until_so_many_are_done(work: Cluster) -> None:
    await work.make(JOB, job(completions=5, parallelism=2))
    for done in range(5):
        alive = await running(work)
        assert len(alive) == min(2, 5 - done)
        await end(work, alive[0])
    assert (await the_job(work)).status.succeeded == 5
    assert await reason(work, "Complete") == "CompletionsReached"


async def test_failures_are_tried_again_ever_later_and_not_for_ever(work: Cluster) -> None:
    await work.make(JOB, job(backoffLimit=2))
    for pause in (10, 20):
        (pod,) = await running(work)
        await end(work, pod, code=1)
        assert await running(work) == []
        await work.advance(pause - 1)
        assert await running(work) == []
        await work.advance(2)
    (pod,) = await running(work)
    await end(work, pod, code=1)
    assert await reason(work, "Failed") == "BackoffLimitExceeded"
    assert (await the_job(work)).status.failed == 3
    assert await running(work) == []
    (event,) = await work.events("BackoffLimitExceeded")
    assert event.message == "Job has reached the specified backoff limit"


async def test_when_it_fails_the_others_end_before_it_says_so(work: Cluster) -> None:
    await work.make(JOB, job(backoffLimit=0, completions=2, parallelism=2))
    first, second = await running(work)
    await work.bind(second)
    await end(work, first, code=1)
    assert await reason(work, "FailureTarget") == "BackoffLimitExceeded"
    assert await reason(work, "Failed") == ""
    assert (await the_job(work)).status.terminating == 1
    await work.play_nodes()
    assert await reason(work, "Failed") == "BackoffLimitExceeded"


async def test_a_pod_that_is_deleted_in_between_is_counted_all_the_same(work: Cluster) -> None:
    await work.make(JOB, job(completions=2, parallelism=2))
    first, second = await running(work)
    new = clone(first)
    new.status.phase = "Succeeded"
    await work.client.update(POD, new, subresource="status")
    await work.delete(POD, first.metadata.name, grace_period_s=0)
    await end(work, second)
    assert (await the_job(work)).status.succeeded == 2
    assert await reason(work, "Complete") == "CompletionsReached"


async def test_an_indexed_job_gives_each_pod_its_number(work: Cluster) -> None:
    await work.make(JOB, job(completions=3, parallelism=3, completionMode="Indexed"))
    pods = {
        p.metadata.annotations["batch.kubernetes.io/job-completion-index"]: p
        for p in await running(work)
    }
    assert sorted(pods) == ["0", "1", "2"]
    assert pods["1"].metadata.name.startswith("sum-1-")
    assert pods["1"].spec.hostname == "sum-1"
    (env,) = pods["1"].spec.containers[0].env
    assert env.name == "JOB_COMPLETION_INDEX"
    await end(work, pods["2"])
    await end(work, pods["0"])
    now = (await the_job(work)).status
    assert (now.completedIndexes, now.succeeded) == ("0,2", 2)
    await end(work, pods["1"], code=1)
    await work.advance(11)
    (again,) = await running(work)
    assert again.spec.hostname == "sum-1"
    await end(work, again)
    assert (await the_job(work)).status.completedIndexes == "0-2"
    assert await reason(work, "Complete") == "CompletionsReached"


async def test_limits_by_index(work: Cluster) -> None:
    spec = {"completions": 2, "parallelism": 2, "completionMode": "Indexed"}
    await work.make(JOB, job(**spec, backoffLimitPerIndex=0))
    first, second = sorted(await running(work), key=lambda p: p.spec.hostname)
    await end(work, first, code=1)
    now = (await the_job(work)).status
    assert now.failedIndexes == "0"
    await end(work, second)
    assert await reason(work, "Failed") == "FailedIndexes"
    assert (await the_job(work)).status.completedIndexes == "1"


async def test_a_failure_policy(work: Cluster) -> None:
    rules = [
        {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]},
        {"action": "FailJob", "onExitCodes": {"operator": "In", "values": [42]}},
    ]
    await work.make(JOB, job(podFailurePolicy={"rules": rules}))
    (pod,) = await running(work)
    await end(work, pod, code=137, disrupted=True)
    assert (await the_job(work)).status.failed == 0
    await work.advance(11)
    (pod,) = await running(work)
    await end(work, pod, code=42)
    assert await reason(work, "Failed") == "PodFailurePolicy"
    (failed,) = [c for c in (await the_job(work)).status.conditions if c.type == "Failed"]
    assert failed.message == (
        f"Container c for pod default/{pod.metadata.name} failed with exit code 42 matching"
        " FailJob rule at index 1"
    )


async def test_a_success_policy(work: Cluster) -> None:
    policy = {"rules": [{"succeededIndexes": "0"}]}
    spec = {"completions": 3, "parallelism": 3, "completionMode": "Indexed"}
    await work.make(JOB, job(**spec, successPolicy=policy))
    leader = next(p for p in await running(work) if p.spec.hostname == "sum-0")
    await end(work, leader)
    await work.play_nodes()
    assert await reason(work, "SuccessCriteriaMet") == "SuccessPolicy"
    assert await reason(work, "Complete") == "SuccessPolicy"
    assert await running(work) == []


async def test_a_deadline(work: Cluster) -> None:
    await work.make(JOB, job(activeDeadlineSeconds=60))
    await work.advance(61)
    assert await reason(work, "Failed") == "DeadlineExceeded"
    assert await running(work) == []


async def test_suspended_it_has_no_pods_and_its_time_stands_still(work: Cluster) -> None:
    await work.make(JOB, job(suspend=True, activeDeadlineSeconds=60))
    assert await work.pods() == []
    assert await reason(work, "Suspended") == "JobSuspended"
    await work.advance(100)
    await work.edit(JOB, "sum", {"spec": {"suspend": False}})
    assert len(await running(work)) == 1
    now = (await the_job(work)).status
    assert [(c.type, c.status, c.reason) for c in now.conditions] == [
        ("Suspended", "False", "JobResumed")
    ]
    await work.edit(JOB, "sum", {"spec": {"suspend": True}})
    assert await running(work) == []
    assert (await the_job(work)).status.startTime is None
    assert (await the_job(work)).status.failed == 1, "a deleted pod counts, as upstream has it"


async def test_fewer_at_once_ends_some(work: Cluster) -> None:
    await work.make(JOB, job(completions=5, parallelism=4))
    await work.edit(JOB, "sum", {"spec": {"parallelism": 1}})
    assert len(await running(work)) == 1


async def test_it_goes_when_its_time_is_over(work: Cluster) -> None:
    await work.make(JOB, job(ttlSecondsAfterFinished=100))
    (pod,) = await running(work)
    await end(work, pod)
    await work.advance(99)
    assert await work.names(JOB) == ["sum"]
    await work.advance(2)
    gone = await work.all(JOB)
    assert all(one.metadata.deletionTimestamp for one in gone)


async def test_pods_of_a_job_that_is_gone_are_let_go(work: Cluster) -> None:
    await work.make(JOB, job())
    (pod,) = await running(work)
    await work.delete(JOB, "sum", propagation="Background")
    await work.delete(POD, pod.metadata.name, grace_period_s=0)
    assert await work.pods() == []


async def test_pods_of_an_earlier_job_of_the_same_name_are_let_go(work: Cluster) -> None:
    ref = OwnerReference(
        apiVersion="batch/v1", kind="Job", name="sum", uid="an earlier one", controller=True
    )
    left = msgspec.convert(
        {"metadata": {"name": "left", "namespace": "default", "finalizers": [FINALIZER]},
         "spec": {"containers": [{"name": "c", "image": "i"}]}},
        Pod,
    )  # fmt: skip
    left.metadata.ownerReferences = [ref]
    await work.make(JOB, job())
    await work.make(POD, left)
    assert (await work.client.get(POD, "left", "default")).metadata.finalizers == []


async def test_an_idle_one_writes_nothing(work: Cluster) -> None:
    await work.make(JOB, job(completions=2))
    (pod,) = await running(work)
    await end(work, pod)
    before = await work.revision()
    await work.advance(1800)
    assert await work.revision() == before
