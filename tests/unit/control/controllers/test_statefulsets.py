"""A stateful set has numbered pods that keep their names and claims."""

from typing import Any

import msgspec
import pytest

from appliance.api.kinds.apps.controllerrevision import CONTROLLER_REVISION
from appliance.api.kinds.apps.statefulset import STATEFUL_SET
from appliance.api.kinds.apps.statefulset_spec import StatefulSet, StatefulSetStatus
from appliance.api.kinds.core.persistentvolumeclaim import PERSISTENT_VOLUME_CLAIM
from appliance.api.kinds.core.pod.kind import POD
from appliance.client.base import clone
from appliance.control.controllers.statefulsets import StatefulSets
from tests.unit.control.cluster import Cluster


@pytest.fixture
async def db(plane: Cluster) -> Cluster:
    await plane.start(
        StatefulSets(plane.client, plane.informers, clock=plane.clock, recorder=plane.recorder)
    )
    return plane


def stateful_set(replicas: int = 3, **spec: Any) -> StatefulSet:
    claim = {
        "metadata": {"name": "data"},
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            "resources": {"requests": {"storage": "1Gi"}},
        },
    }
    body: dict[str, Any] = {
        "metadata": {"name": "db", "namespace": "default"},
        "spec": {
            "replicas": replicas,
            "serviceName": "db",
            "selector": {"matchLabels": {"app": "db"}},
            "volumeClaimTemplates": [claim],
            "template": {
                "metadata": {"labels": {"app": "db"}},
                "spec": {
                    "containers": [
                        {
                            "name": "c",
                            "image": "db:1",
                            # claims' templates are volumes of the pods, though no list says so
                            "volumeMounts": [{"name": "data", "mountPath": "/data"}],
                        }
                    ]
                },
            },
            **spec,
        },
    }
    return msgspec.convert(body, StatefulSet)


def image(name: str) -> dict[str, Any]:
    return {"spec": {"template": {"spec": {"containers": [{"name": "c", "image": name}]}}}}


async def images(db: Cluster) -> dict[str, str]:
    return {p.metadata.name: p.spec.containers[0].image for p in await db.pods()}


async def status(db: Cluster) -> StatefulSetStatus:
    return (await db.client.get(STATEFUL_SET, "db", "default")).status


async def play(db: Cluster, *, broken: str = "", turns: int = 1) -> None:
    """Be the nodes: end what goes, start what is new."""
    for _ in range(turns):
        for pod in await db.pods():
            if pod.metadata.deletionTimestamp is not None:
                await db.delete(POD, pod.metadata.name, grace_period_s=0)
            elif not pod.spec.nodeName and pod.spec.containers[0].image != broken:
                await db.bind(pod)
                await db.set_ready(pod)


async def running(db: Cluster, replicas: int = 3, **spec: Any) -> None:
    await db.make(STATEFUL_SET, stateful_set(replicas, **spec))
    await play(db, turns=replicas + 1)
    assert (await status(db)).readyReplicas == replicas


async def test_pods_come_one_after_the_other(db: Cluster) -> None:
    await db.make(STATEFUL_SET, stateful_set())
    for number in range(3):
        assert await db.names() == [f"db-{n}" for n in range(number + 1)]
        await db.settle()
        await play(db)
    now = await status(db)
    assert (now.replicas, now.readyReplicas, now.availableReplicas) == (3, 3, 3)
    assert now.currentRevision == now.updateRevision
    assert (now.currentReplicas, now.updatedReplicas) == (3, 3)


async def test_parallel_ones_come_at_once(db: Cluster) -> None:
    await db.make(STATEFUL_SET, stateful_set(podManagementPolicy="Parallel"))
    assert await db.names() == ["db-0", "db-1", "db-2"]
    await db.edit(STATEFUL_SET, "db", {"spec": {"replicas": 0}})
    await play(db)
    assert await db.names() == []


async def test_a_pod_has_a_name_a_place_in_dns_and_its_claim(db: Cluster) -> None:
    await db.make(STATEFUL_SET, stateful_set(1, ordinals={"start": 5}))
    (pod,) = await db.pods()
    assert pod.metadata.name == "db-5"
    assert (pod.spec.hostname, pod.spec.subdomain) == ("db-5", "db")
    assert pod.metadata.labels["statefulset.kubernetes.io/pod-name"] == "db-5"
    assert pod.metadata.labels["apps.kubernetes.io/pod-index"] == "5"
    mounted = {v.name: v.persistentVolumeClaim for v in pod.spec.volumes}
    assert mounted["data"] is not None
    assert mounted["data"].claimName == "data-db-5"
    (claim,) = await db.all(PERSISTENT_VOLUME_CLAIM)
    assert claim.metadata.name == "data-db-5"
    assert claim.metadata.labels == {"app": "db"}
    assert claim.metadata.ownerReferences == []


async def test_a_deleted_pod_comes_back_under_its_name_with_its_claim(db: Cluster) -> None:
    await running(db)
    claims = {c.metadata.name: c.metadata.uid for c in await db.all(PERSISTENT_VOLUME_CLAIM)}
    await db.delete(POD, "db-1")
    assert sorted(await db.names()) == ["db-0", "db-1", "db-2"], "still going: the name is taken"
    await play(db, turns=2)
    assert sorted(await db.names()) == ["db-0", "db-1", "db-2"]
    again = {c.metadata.name: c.metadata.uid for c in await db.all(PERSISTENT_VOLUME_CLAIM)}
    assert again == claims
    assert (await status(db)).readyReplicas == 3


async def test_a_pod_that_ended_is_replaced(db: Cluster) -> None:
    await running(db, 1)
    new = clone((await db.pods())[0])
    new.status.phase = "Failed"
    await db.client.update(POD, new, subresource="status")
    await db.settle()
    await play(db, turns=2)
    assert (await db.pods())[0].status.phase == "Running"


async def test_it_shrinks_from_the_top_and_keeps_the_claims(db: Cluster) -> None:
    await running(db)
    await db.edit(STATEFUL_SET, "db", {"spec": {"replicas": 1}})
    going = [p.metadata.name for p in await db.pods() if p.metadata.deletionTimestamp]
    assert going == ["db-2"]
    await play(db)
    going = [p.metadata.name for p in await db.pods() if p.metadata.deletionTimestamp]
    assert going == ["db-1"]
    await play(db)
    assert await db.names() == ["db-0"]
    assert len(await db.names(PERSISTENT_VOLUME_CLAIM)) == 3


async def test_claims_go_with_the_pod_or_the_set_where_wished(db: Cluster) -> None:
    policy = {"whenDeleted": "Delete", "whenScaled": "Delete"}
    await running(db, 2, persistentVolumeClaimRetentionPolicy=policy)
    claims = {c.metadata.name: c for c in await db.all(PERSISTENT_VOLUME_CLAIM)}
    assert [r.kind for r in claims["data-db-1"].metadata.ownerReferences] == ["StatefulSet"]
    await db.edit(STATEFUL_SET, "db", {"spec": {"replicas": 1}})
    claims = {c.metadata.name: c for c in await db.all(PERSISTENT_VOLUME_CLAIM)}
    assert [(r.kind, r.name) for r in claims["data-db-1"].metadata.ownerReferences] == [
        ("Pod", "db-1")
    ]


async def test_a_new_template_goes_from_the_top_down_one_at_a_time(db: Cluster) -> None:
    await running(db)
    before = (await status(db)).currentRevision
    await db.edit(STATEFUL_SET, "db", image("db:2"))
    now = await status(db)
    assert now.currentRevision == before != now.updateRevision
    order = []
    for _ in range(6):
        going = [p.metadata.name for p in await db.pods() if p.metadata.deletionTimestamp]
        assert len(going) <= 1
        order += going
        await play(db)
    assert order == ["db-2", "db-1", "db-0"]
    assert set((await images(db)).values()) == {"db:2"}
    now = await status(db)
    assert now.currentRevision == now.updateRevision
    assert (now.currentReplicas, now.updatedReplicas) == (3, 3)


async def test_below_the_partition_all_stays_as_it_was(db: Cluster) -> None:
    rolling = {"type": "RollingUpdate", "rollingUpdate": {"partition": 2}}
    await running(db, updateStrategy=rolling)
    await db.edit(STATEFUL_SET, "db", image("db:2"))
    await play(db, turns=3)
    assert await images(db) == {"db-0": "db:1", "db-1": "db:1", "db-2": "db:2"}
    await db.delete(POD, "db-0", grace_period_s=0)
    await play(db, turns=2)
    assert (await images(db))["db-0"] == "db:1", "made anew from the old template"
    now = await status(db)
    assert (now.currentReplicas, now.updatedReplicas) == (2, 1)


async def test_a_broken_template_stops_the_update(db: Cluster) -> None:
    await running(db)
    await db.edit(STATEFUL_SET, "db", image("broken"))
    await play(db, broken="broken", turns=4)
    assert await images(db) == {"db-0": "db:1", "db-1": "db:1", "db-2": "broken"}
    assert (await status(db)).readyReplicas == 2


async def test_on_delete_waits_for_a_person(db: Cluster) -> None:
    await running(db, updateStrategy={"type": "OnDelete"})
    await db.edit(STATEFUL_SET, "db", image("db:2"))
    await play(db, turns=2)
    assert set((await images(db)).values()) == {"db:1"}
    await db.delete(POD, "db-1", grace_period_s=0)
    await play(db, turns=2)
    assert (await images(db))["db-1"] == "db:2"


async def test_revisions_are_kept_as_far_as_wished(db: Cluster) -> None:
    await running(db, 1, revisionHistoryLimit=1)
    for number in (2, 3, 4):
        await db.edit(STATEFUL_SET, "db", image(f"db:{number}"))
        await play(db, turns=3)
    assert sorted(r.revision for r in await db.all(CONTROLLER_REVISION)) == [3, 4]


async def test_an_idle_one_writes_nothing(db: Cluster) -> None:
    await running(db)
    before = await db.revision()
    await db.advance(1800)
    assert await db.revision() == before
