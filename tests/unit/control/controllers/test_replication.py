"""A replication controller has as many pods as it wants, whatever happens to them."""

from typing import Any

import msgspec
import pytest

from appliance.api.errors import Invalid
from appliance.api.kinds.core.pod.kind import POD, Pod
from appliance.api.kinds.core.replicationcontroller import (
    REPLICATION_CONTROLLER,
    ReplicationController,
)
from appliance.api.kinds.core.serviceaccount import SERVICE_ACCOUNT, ServiceAccount
from appliance.api.meta import ObjectMeta
from appliance.control.controllers.replication import Replication
from tests.unit.control.cluster import Cluster

RC = REPLICATION_CONTROLLER


@pytest.fixture
async def web(plane: Cluster) -> Cluster:
    await plane.start(
        Replication(plane.client, plane.informers, clock=plane.clock, recorder=plane.recorder)
    )
    return plane


@pytest.mark.seed("K01")
async def test_a_deleted_pod_has_a_successor_at_once(web: Cluster) -> None:
    await web.make(RC, rc(3))
    before = await web.names()
    assert len(before) == 3
    await web.delete(POD, before[0], grace_period_s=0)
    after = await web.names()
    assert len(after) == 3
    assert before[0] not in after


async def test_a_pod_on_its_way_out_does_not_count(web: Cluster) -> None:
    await web.make(RC, rc(1))
    (pod,) = await web.pods()
    await web.bind(pod)
    await web.delete(POD, pod.metadata.name)
    going = [p for p in await web.pods() if p.metadata.deletionTimestamp]
    assert [p.metadata.name for p in going] == [pod.metadata.name]
    assert len(await web.pods()) == 2


@pytest.mark.seed("K02", "K03")
async def test_scaling_up_and_down_settles_without_orphans(web: Cluster) -> None:
    await web.make(RC, rc(1))
    for wanted in (20, 2, 5, 0):
        await web.edit(RC, "web", {"spec": {"replicas": wanted}})
        pods = await web.pods()
        assert len(pods) == wanted
        assert all(p.metadata.ownerReferences[0].name == "web" for p in pods)
    status = (await web.client.get(RC, "web", "default")).status
    assert status.replicas == 0
    assert len(await web.events("SuccessfulCreate")) > 0


@pytest.mark.seed("K02")
async def test_pods_are_made_from_the_template(web: Cluster) -> None:
    made = await web.make(RC, rc(1))
    (pod,) = await web.pods()
    assert pod.metadata.name.startswith("web-")
    assert pod.metadata.labels == {"app": "web"}
    (ref,) = pod.metadata.ownerReferences
    assert (ref.uid, ref.controller, ref.blockOwnerDeletion) == (made.metadata.uid, True, True)
    (event,) = await web.events("SuccessfulCreate")
    assert event.message == f"Created pod: {pod.metadata.name}"
    assert event.involvedObject.kind == "ReplicationController"


@pytest.mark.seed("K01")
async def test_a_pod_that_matches_is_adopted_and_counts(web: Cluster) -> None:
    await web.make(POD, free_pod("stray"))
    made = await web.make(RC, rc(2))
    pods = await web.pods()
    assert len(pods) == 2
    stray = next(p for p in pods if p.metadata.name == "stray")
    assert stray.metadata.ownerReferences[0].uid == made.metadata.uid


@pytest.mark.seed("K06", "B09")
async def test_a_relabelled_pod_is_released_and_replaced(web: Cluster) -> None:
    await web.make(RC, rc(2))
    name = (await web.names())[0]
    await web.edit(POD, name, {"metadata": {"labels": {"app": "debug"}}})
    freed = await web.client.get(POD, name, "default")
    assert freed.metadata.ownerReferences == []
    assert len(await web.pods("app=web")) == 2
    await web.edit(POD, name, {"metadata": {"labels": {"app": "web"}}})
    assert len(await web.pods("app=web")) == 2, "taken back, and one too many went"


async def test_the_status_follows_the_pods(web: Cluster) -> None:
    made = await web.make(RC, rc(2, min_ready_s=30))
    for pod in await web.pods():
        await web.set_ready(pod)
    status = (await web.client.get(RC, "web", "default")).status
    counts = (status.replicas, status.fullyLabeledReplicas, status.readyReplicas)
    assert counts == (2, 2, 2)
    assert status.availableReplicas == 0
    assert status.observedGeneration == made.metadata.generation
    await web.advance(31)
    status = (await web.client.get(RC, "web", "default")).status
    assert status.availableReplicas == 2


async def test_an_owner_on_its_way_out_leaves_its_pods_alone(web: Cluster) -> None:
    held = rc(2)
    held.metadata.finalizers = ["example.org/hold"]
    await web.make(RC, held)
    await web.delete(RC, "web", propagation="Background")
    name = (await web.names())[0]
    await web.delete(POD, name, grace_period_s=0)
    assert len(await web.pods()) == 1


@pytest.mark.seed("K05")
async def test_a_new_template_is_for_new_pods_only(web: Cluster) -> None:
    await web.make(RC, rc(3))
    before = {p.metadata.uid for p in await web.pods()}
    template = {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [
        {"name": "c", "image": "web:2"}]}}  # fmt: skip
    await web.edit(RC, "web", {"spec": {"template": template}})
    pods = await web.pods()
    assert {p.metadata.uid for p in pods} == before
    assert {p.spec.containers[0].image for p in pods} == {"web"}
    await web.delete(POD, pods[0].metadata.name, grace_period_s=0)
    assert sorted(p.spec.containers[0].image for p in await web.pods()) == ["web", "web", "web:2"]


@pytest.mark.seed("K06")
async def test_what_people_change_on_pods_is_theirs(web: Cluster) -> None:
    await web.make(RC, rc(1))
    (pod,) = await web.pods()
    await web.edit(POD, pod.metadata.name, {"metadata": {"labels": {"note": "mine"}}})
    (after,) = await web.pods()
    assert (after.metadata.uid, after.metadata.labels) == (
        pod.metadata.uid,
        {"app": "web", "note": "mine"},
    )


@pytest.mark.seed("K03", "K04", "R05")
@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"replicas": -1}, "spec.replicas"),
        ({"selector": {"app": "other"}}, "spec.template.metadata.labels"),
        ({"template": None}, "spec.template"),
        ({"selector": {}, "template": {"spec": {"containers": [{"name": "c", "image": "i"}]}}},
         "spec.selector"),
        ({"template": {"metadata": {"labels": {"app": "web"}}, "spec": {
            "restartPolicy": "Never", "containers": [{"name": "c", "image": "i"}]}}},
         "spec.template.spec.restartPolicy"),
    ],
)  # fmt: skip
async def test_what_a_controller_must_not_be(
    web: Cluster, changes: dict[str, Any], field: str
) -> None:
    body = msgspec.to_builtins(rc(1))
    body["spec"] |= changes
    with pytest.raises(Invalid) as refused:
        await web.make(RC, msgspec.convert(body, ReplicationController))
    assert refused.value.details is not None
    assert field in [cause.field for cause in refused.value.details.causes]
    assert await web.names(RC) == []


async def test_an_idle_controller_writes_nothing(web: Cluster) -> None:
    await web.make(RC, rc(3))
    for pod in await web.pods():
        await web.set_ready(pod)
    before = await web.revision()
    await web.advance(1800)  # events would go after an hour
    assert await web.revision() == before


async def test_a_refused_pod_shows_in_status_and_event_and_comes_when_it_may(
    web: Cluster,
) -> None:
    wanted = rc(8)
    assert wanted.spec.template is not None
    wanted.spec.template.spec.serviceAccountName = "later"
    await web.make(RC, wanted)
    status = (await web.client.get(RC, "web", "default")).status
    (failure,) = status.conditions
    assert (failure.type, failure.status, failure.reason) == (
        "ReplicaFailure",
        "True",
        "FailedCreate",
    )
    assert 'serviceaccount "later" not found' in failure.message
    (event,) = await web.events("FailedCreate")
    assert event.type == "Warning"
    assert event.count == 2, "one try, and one when its own status came back; never eight"
    account = ServiceAccount(metadata=ObjectMeta(name="later", namespace="default"))
    await web.make(SERVICE_ACCOUNT, account)
    await web.advance(5)
    assert len(await web.pods()) == 8
    assert (await web.client.get(RC, "web", "default")).status.conditions == []


def rc(replicas: int, *, min_ready_s: int = 0) -> ReplicationController:
    body: dict[str, Any] = {
        "metadata": {"name": "web", "namespace": "default"},
        "spec": {
            "replicas": replicas,
            "minReadySeconds": min_ready_s,
            "selector": {"app": "web"},
            "template": {
                "metadata": {"labels": {"app": "web"}},
                "spec": {"containers": [{"name": "c", "image": "web"}]},
            },
        },
    }
    return msgspec.convert(body, ReplicationController)


def free_pod(name: str) -> Pod:
    body = {
        "metadata": {"name": name, "namespace": "default", "labels": {"app": "web"}},
        "spec": {"containers": [{"name": "c", "image": "web"}]},
    }
    return msgspec.convert(body, Pod)
