"""A deployment rolls its pods from one template to the next, and back."""

from contextlib import suppress
from typing import Any

import msgspec
import pytest

from appliance.api.errors import NotFound
from appliance.api.kinds.apps.deployment import DEPLOYMENT, Deployment, DeploymentStatus
from appliance.api.kinds.apps.replicaset import REPLICA_SET, ReplicaSet
from appliance.api.kinds.core.pod.kind import POD, Pod
from appliance.api.objects import condition
from appliance.control.controllers.deployments import Deployments
from appliance.control.controllers.replicasets import ReplicaSets
from tests.unit.control.cluster import Cluster


@pytest.fixture
async def web(plane: Cluster) -> Cluster:
    for loop in (Deployments, ReplicaSets):
        await plane.start(
            loop(plane.client, plane.informers, clock=plane.clock, recorder=plane.recorder)
        )
    return plane


def deployment(replicas: int = 3, **spec: Any) -> Deployment:
    body: dict[str, Any] = {
        "metadata": {"name": "web", "namespace": "default", "labels": {"app": "web"}},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": "web"}},
            "template": {
                "metadata": {"labels": {"app": "web"}},
                "spec": {"containers": [{"name": "c", "image": "web:1"}]},
            },
            **spec,
        },
    }
    return msgspec.convert(body, Deployment)


def image(name: str) -> dict[str, Any]:
    return {"spec": {"template": {"spec": {"containers": [{"name": "c", "image": name}]}}}}


async def sizes(web: Cluster) -> dict[str, int]:
    """{image: wanted replicas} of all replica sets."""
    found: list[ReplicaSet] = await web.all(REPLICA_SET)
    return {s.spec.template.spec.containers[0].image: s.spec.replicas or 0 for s in found}


async def status(web: Cluster) -> DeploymentStatus:
    return (await web.client.get(DEPLOYMENT, "web", "default")).status


async def reason(web: Cluster, kind: str = "Progressing") -> str:
    found = condition((await status(web)).conditions, kind)
    return found.reason if found else ""


async def play(web: Cluster, turns: int = 12, *, broken: str = "") -> int:
    """Be the nodes until nothing moves; gives the fewest pods that were ready meanwhile."""
    fewest = 1000
    for _ in range(turns):
        for pod in await web.pods():
            with suppress(NotFound):  # what was done for the pod before may have ended this one
                await play_one(web, pod, broken)
        fewest = min(fewest, (await status(web)).readyReplicas)
    return fewest


async def play_one(web: Cluster, pod: Pod, broken: str) -> None:
    if pod.metadata.deletionTimestamp is not None:
        await web.delete(POD, pod.metadata.name, grace_period_s=0)
    elif not pod.spec.nodeName:
        await web.bind(pod)
        if pod.spec.containers[0].image != broken:
            await web.set_ready(pod)


async def rolled_out(web: Cluster, **spec: Any) -> None:
    await web.make(DEPLOYMENT, deployment(**spec))
    await play(web, 3)


async def test_its_pods_come_by_a_replica_set_that_is_named_and_marked(web: Cluster) -> None:
    await rolled_out(web)
    (one,) = await web.all(REPLICA_SET)
    mark = one.metadata.labels["pod-template-hash"]
    assert one.metadata.name == f"web-{mark}"
    assert one.spec.selector.matchLabels == {"app": "web", "pod-template-hash": mark}
    assert one.metadata.annotations == {
        "deployment.kubernetes.io/revision": "1",
        "deployment.kubernetes.io/desired-replicas": "3",
        "deployment.kubernetes.io/max-replicas": "4",
    }
    (ref,) = one.metadata.ownerReferences
    assert (ref.kind, ref.name, ref.controller) == ("Deployment", "web", True)
    pods = await web.pods()
    assert len(pods) == 3
    assert all(p.metadata.labels["pod-template-hash"] == mark for p in pods)
    made = await web.client.get(DEPLOYMENT, "web", "default")
    assert made.metadata.annotations["deployment.kubernetes.io/revision"] == "1"
    (event,) = await web.events("ScalingReplicaSet")
    assert event.message == f"Scaled up replica set web-{mark} from 0 to 3"


async def test_the_status_says_when_it_is_done(web: Cluster) -> None:
    await web.make(DEPLOYMENT, deployment())
    assert await reason(web) == "ReplicaSetUpdated"
    assert await reason(web, "Available") == "MinimumReplicasUnavailable"
    await play(web, 3)
    now = await status(web)
    assert (now.replicas, now.updatedReplicas, now.readyReplicas) == (3, 3, 3)
    assert (now.availableReplicas, now.unavailableReplicas) == (3, 0)
    made = await web.client.get(DEPLOYMENT, "web", "default")
    assert now.observedGeneration == made.metadata.generation
    assert await reason(web) == "NewReplicaSetAvailable"
    assert await reason(web, "Available") == "MinimumReplicasAvailable"


async def test_a_new_image_rolls_with_enough_pods_all_the_time(web: Cluster) -> None:
    await rolled_out(web, replicas=4)
    await web.edit(DEPLOYMENT, "web", image("web:2"))
    assert await sizes(web) == {"web:1": 3, "web:2": 2}, "one too many, one too few"
    assert await play(web) >= 3
    assert await sizes(web) == {"web:1": 0, "web:2": 4}
    assert {p.spec.containers[0].image for p in await web.pods()} == {"web:2"}
    assert await reason(web) == "NewReplicaSetAvailable"


async def test_a_broken_image_stops_and_says_so(web: Cluster) -> None:
    await rolled_out(web, replicas=4, progressDeadlineSeconds=60)
    await web.edit(DEPLOYMENT, "web", image("broken"))
    assert await play(web, broken="broken") >= 3
    assert await sizes(web) == {"web:1": 3, "broken": 2}
    await web.advance(61)
    found = condition((await status(web)).conditions, "Progressing")
    assert found is not None
    assert (found.status, found.reason) == ("False", "ProgressDeadlineExceeded")
    assert found.message.endswith("has timed out progressing.")

    await web.edit(DEPLOYMENT, "web", image("web:1"))  # as `kubectl rollout undo` does
    await play(web, broken="broken")
    assert await sizes(web) == {"web:1": 4, "broken": 0}
    assert await reason(web) == "NewReplicaSetAvailable"
    marks = {
        s.spec.template.spec.containers[0].image: s.metadata.annotations
        for s in await web.all(REPLICA_SET)
    }
    assert marks["web:1"]["deployment.kubernetes.io/revision"] == "3"
    assert marks["web:1"]["deployment.kubernetes.io/revision-history"] == "1"
    assert marks["broken"]["deployment.kubernetes.io/revision"] == "2"


async def test_a_recreation_ends_all_before_it_begins(web: Cluster) -> None:
    await rolled_out(web, strategy={"type": "Recreate"})
    await web.edit(DEPLOYMENT, "web", image("web:2"))
    await play(web, 6)
    assert await sizes(web) == {"web:1": 0, "web:2": 3}
    assert {p.spec.containers[0].image for p in await web.pods()} == {"web:2"}


async def test_scaling_keeps_the_template(web: Cluster) -> None:
    await rolled_out(web)
    for wanted in (6, 0, 2):
        await web.edit(DEPLOYMENT, "web", {"spec": {"replicas": wanted}})
        await play(web, 2)
        assert await sizes(web) == {"web:1": wanted}
        assert len(await web.pods()) == wanted


async def test_scaling_in_the_middle_is_shared(web: Cluster) -> None:
    await rolled_out(web, replicas=4)
    await web.edit(DEPLOYMENT, "web", image("broken"))
    await web.edit(DEPLOYMENT, "web", {"spec": {"replicas": 8}})
    found = await sizes(web)
    assert sum(found.values()) == 10, "eight and the surplus"
    assert min(found.values()) > 2


async def test_a_pause_holds_templates_but_not_numbers(web: Cluster) -> None:
    await rolled_out(web)
    await web.edit(DEPLOYMENT, "web", {"spec": {"paused": True}})
    await web.edit(DEPLOYMENT, "web", image("web:2"))
    assert await reason(web) == "DeploymentPaused"
    assert await sizes(web) == {"web:1": 3}
    await web.edit(DEPLOYMENT, "web", {"spec": {"replicas": 5}})
    assert await sizes(web) == {"web:1": 5}
    await web.edit(DEPLOYMENT, "web", {"spec": {"paused": False}})
    await play(web)
    assert await sizes(web) == {"web:1": 0, "web:2": 5}


async def test_old_templates_are_kept_as_far_as_wished(web: Cluster) -> None:
    await rolled_out(web, replicas=1, revisionHistoryLimit=1)
    for number in (2, 3, 4):
        await web.edit(DEPLOYMENT, "web", image(f"web:{number}"))
        await play(web, 6)
    assert await sizes(web) == {"web:3": 0, "web:4": 1}


async def test_a_matching_replica_set_is_adopted_and_rolled(web: Cluster) -> None:
    stray = deployment(2)
    body = {
        "metadata": {"name": "stray", "namespace": "default", "labels": {"app": "web"}},
        "spec": msgspec.to_builtins(stray.spec),
    }
    body["spec"] = {k: body["spec"][k] for k in ("replicas", "selector", "template")}
    await web.make(REPLICA_SET, msgspec.convert(body, ReplicaSet))
    await rolled_out(web)
    assert await web.names(REPLICA_SET) == ["stray"], "it has the template already"
    assert await sizes(web) == {"web:1": 3}


async def test_when_all_is_done_nothing_is_written(web: Cluster) -> None:
    await rolled_out(web)
    before = await web.revision()
    await web.advance(1800)
    assert await web.revision() == before


async def test_a_deleted_pod_of_a_finished_rollout_is_no_new_rollout(web: Cluster) -> None:
    await rolled_out(web)
    await web.delete(POD, (await web.names())[0], grace_period_s=0)
    assert await reason(web) == "NewReplicaSetAvailable"
    await web.advance(700)
    assert await reason(web) == "NewReplicaSetAvailable"
    await play(web, 2)
    assert (await status(web)).availableReplicas == 3
