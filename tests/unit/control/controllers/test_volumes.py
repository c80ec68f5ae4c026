"""Claims get volumes: binder, phases, the provisioner and the scheduler over a real registry."""

import asyncio
import random
from typing import Any

import msgspec
import pytest

from appliance.api import localpath
from appliance.api import volumebinding as binding
from appliance.api.errors import Forbidden, NotFound
from appliance.api.kinds.core.node import NODE
from appliance.api.kinds.core.persistentvolume import PERSISTENT_VOLUME, PersistentVolume
from appliance.api.kinds.core.persistentvolumeclaim import (
    PERSISTENT_VOLUME_CLAIM,
    PersistentVolumeClaim,
)
from appliance.api.kinds.core.pod.kind import POD, Pod
from appliance.api.kinds.storage.storageclass import STORAGE_CLASS, StorageClass
from appliance.client.events import reference
from appliance.control.controllers.claimbinder import ClaimBinder
from appliance.control.controllers.claimgrowth import ClaimGrowth
from appliance.control.controllers.ephemeralclaims import EphemeralClaims
from appliance.control.controllers.localpath import Provisioner, Releaser
from appliance.control.controllers.protection import ClaimProtection, VolumeProtection
from appliance.control.controllers.volumephases import VolumePhases
from appliance.control.scheduler.loop import Scheduler
from appliance.control.scheduler.volumebinding import VolumeBinding
from tests.unit.control.cluster import Cluster

STORAGE = "/data/storage"


@pytest.fixture
async def lot(plane: Cluster) -> Cluster:
    """All loops of volumes, two nodes with storage, and the class local-path."""
    rng = random.Random(1)  # noqa: S311 - picks among equals
    parts: Any = (plane.client, plane.informers)
    await plane.start(
        ClaimBinder(*parts, recorder=plane.recorder),
        VolumePhases(*parts, recorder=plane.recorder),
        Provisioner(*parts, recorder=plane.recorder),
        Releaser(*parts, recorder=plane.recorder),
        ClaimGrowth(*parts, recorder=plane.recorder),
        ClaimProtection(*parts),
        VolumeProtection(*parts),
        Scheduler(
            *parts,
            clock=plane.clock,
            recorder=plane.recorder,
            rng=rng,
            extensions=[VolumeBinding(*parts, wait_s=0.2)],
        ),
    )
    for name in ("n1", "n2"):
        await plane.add_node(name)
        marks = {
            "labels": {"kubernetes.io/hostname": name},
            "annotations": {localpath.STORAGE: STORAGE},
        }
        await plane.edit(NODE, name, {"metadata": marks})
    await plane.make(STORAGE_CLASS, klass("local-path", localpath.PROVISIONER, binding.WAITS))
    return plane


async def test_a_pod_gets_a_folder_on_its_node_and_the_data_goes_with_the_claim(
    lot: Cluster,
) -> None:
    await lot.make(PERSISTENT_VOLUME_CLAIM, claim("data"))
    (waits,) = await lot.events("WaitForFirstConsumer")
    assert waits.message == "waiting for first consumer to be created before binding"
    await lot.make(POD, pod("db", "data", nodeSelector={"kubernetes.io/hostname": "n2"}))

    bound = await claim_of(lot, "data")
    found = await lot.client.get(PERSISTENT_VOLUME, bound.spec.volumeName)
    assert (await lot.client.get(POD, "db", "default")).spec.nodeName == "n2"
    assert bound.status.phase == found.status.phase == "Bound"
    assert (bound.status.capacity, bound.status.accessModes) == (
        {"storage": "1Gi"},
        ["ReadWriteOnce"],
    )
    assert localpath.path_of(found) == f"{STORAGE}/pvc-{bound.metadata.uid}_default_data"
    assert found.metadata.labels[localpath.NODE] == "n2"
    (made,) = await lot.events("ProvisioningSucceeded")
    assert made.message == f"Successfully provisioned volume pvc-{bound.metadata.uid}"

    await lot.delete(PERSISTENT_VOLUME_CLAIM, "data")
    assert (await claim_of(lot, "data")).metadata.deletionTimestamp, "held by its pod"
    await lot.delete(POD, "db", grace_period_s=0)
    going = await lot.client.get(PERSISTENT_VOLUME, found.metadata.name)
    assert localpath.may_be_emptied(going), "its node is asked to remove the folder"
    assert going.metadata.finalizers == [localpath.FINALIZER]
    await lot.delete(NODE, "n2")
    with pytest.raises(NotFound):
        await lot.client.get(PERSISTENT_VOLUME, found.metadata.name)
    assert await lot.events("VolumeDataKept")


async def test_a_claim_takes_the_smallest_of_the_volumes_that_will_do(lot: Cluster) -> None:
    await lot.make(PERSISTENT_VOLUME_CLAIM, claim("c", "2Gi", storageClassName="slow"))
    assert (await claim_of(lot, "c")).status.phase == "Pending"
    assert [e.message for e in await lot.events("ProvisioningFailed")] == [
        'storageclass.storage.k8s.io "slow" not found'
    ]
    await lot.make(PERSISTENT_VOLUME, volume("small"))
    await lot.make(PERSISTENT_VOLUME, volume("other", "2Gi", storageClassName="fast"))
    await lot.make(PERSISTENT_VOLUME, volume("block", "2Gi", volumeMode="Block"))
    await lot.make(PERSISTENT_VOLUME, volume("shared", "2Gi", accessModes=["ReadOnlyMany"]))
    assert (await claim_of(lot, "c")).status.phase == "Pending"
    assert await phases(lot) == dict.fromkeys(("small", "other", "block", "shared"), "Available")
    await lot.make(PERSISTENT_VOLUME, volume("right", "3Gi"))
    bound = await claim_of(lot, "c")
    assert (bound.spec.volumeName, bound.status.phase) == ("right", "Bound")
    assert bound.status.capacity == {"storage": "3Gi"}
    assert (await phases(lot))["right"] == "Bound"


async def test_a_released_volume_is_kept_and_given_to_nobody(lot: Cluster) -> None:
    await lot.make(PERSISTENT_VOLUME, volume("disk"))
    await lot.make(PERSISTENT_VOLUME_CLAIM, claim("c", storageClassName="slow"))
    await lot.delete(PERSISTENT_VOLUME_CLAIM, "c")
    assert await phases(lot) == {"disk": "Released"}
    await lot.make(PERSISTENT_VOLUME_CLAIM, claim("c", storageClassName="slow"))
    assert (await claim_of(lot, "c")).status.phase == "Pending", "the data is another's"
    await lot.edit(PERSISTENT_VOLUME, "disk", {"spec": {"claimRef": None}})
    assert (await claim_of(lot, "c")).spec.volumeName == "disk", "until a person says so"


async def test_what_people_made_nobody_else_removes(lot: Cluster) -> None:
    policy = {"persistentVolumeReclaimPolicy": "Delete"}
    await lot.make(PERSISTENT_VOLUME, volume("disk", **policy))
    await lot.make(PERSISTENT_VOLUME_CLAIM, claim("c", storageClassName="slow"))
    await lot.delete(PERSISTENT_VOLUME_CLAIM, "c")
    assert await phases(lot) == {"disk": "Failed"}
    assert await lot.events("VolumeFailedDelete")


async def test_both_sides_may_name_the_other_beforehand(lot: Cluster) -> None:
    ref = {"namespace": "default", "name": "mine"}
    await lot.make(PERSISTENT_VOLUME, volume("kept", "5Gi", claimRef=ref))
    await lot.make(PERSISTENT_VOLUME, volume("plain"))
    await lot.make(PERSISTENT_VOLUME_CLAIM, claim("other", storageClassName="slow"))
    await lot.make(PERSISTENT_VOLUME_CLAIM, claim("mine", storageClassName="slow"))
    assert (await claim_of(lot, "mine")).spec.volumeName == "kept"
    assert (await claim_of(lot, "other")).spec.volumeName == "plain"
    asks = claim("asks", storageClassName="slow", volumeName="late")
    await lot.make(PERSISTENT_VOLUME_CLAIM, asks)
    assert (await claim_of(lot, "asks")).status.phase == "Pending"
    await lot.make(PERSISTENT_VOLUME, volume("late"))
    assert (await claim_of(lot, "asks")).status.phase == "Bound"
    late = claim("too-late", storageClassName="slow", volumeName="late")
    await lot.make(PERSISTENT_VOLUME_CLAIM, late)
    (event,) = await lot.events("FailedBinding")
    assert event.message == 'volume "late" already bound to a different claim.'


async def test_a_claim_whose_volume_vanishes_is_lost(lot: Cluster) -> None:
    await lot.make(PERSISTENT_VOLUME, volume("disk"))
    await lot.make(PERSISTENT_VOLUME_CLAIM, claim("c", storageClassName="slow"))
    await lot.delete(PERSISTENT_VOLUME, "disk")
    assert (await claim_of(lot, "c")).status.phase == "Bound", "the volume is protected"
    await lot.edit(PERSISTENT_VOLUME, "disk", {"metadata": {"finalizers": None}})
    assert (await claim_of(lot, "c")).status.phase == "Lost"
    assert await lot.events("ClaimLost")


async def test_a_claim_without_a_class_gets_the_default_one_even_late(lot: Cluster) -> None:
    plain = claim("c")
    plain.spec.storageClassName = None
    await lot.make(PERSISTENT_VOLUME_CLAIM, plain)
    (event,) = await lot.events("FailedBinding")
    assert event.message == (
        "no persistent volumes available for this claim and no storage class is set"
    )
    mark = {"storageclass.kubernetes.io/is-default-class": "true"}
    await lot.edit(STORAGE_CLASS, "local-path", {"metadata": {"annotations": mark}})
    assert (await claim_of(lot, "c")).spec.storageClassName == "local-path"
    again = claim("again")
    again.spec.storageClassName = None
    made = await lot.make(PERSISTENT_VOLUME_CLAIM, again)
    assert made.spec.storageClassName == "local-path", "by admission"
    none = await lot.make(PERSISTENT_VOLUME_CLAIM, claim("none", storageClassName=""))
    assert none.spec.storageClassName == "", "who wants none gets none"


async def test_a_class_of_others_is_told_to_them(lot: Cluster) -> None:
    await lot.make(STORAGE_CLASS, klass("theirs", "example.org/disks"))
    await lot.make(PERSISTENT_VOLUME_CLAIM, claim("c", storageClassName="theirs"))
    marks = (await claim_of(lot, "c")).metadata.annotations
    assert marks[binding.PROVISIONER] == marks[binding.OLD_PROVISIONER] == "example.org/disks"
    (event,) = await lot.events("ExternalProvisioning")
    assert "external provisioner 'example.org/disks'" in event.message
    made = volume("theirs-1", storageClassName="theirs")
    made.spec.claimRef = reference(PERSISTENT_VOLUME_CLAIM, await claim_of(lot, "c"))
    await lot.make(PERSISTENT_VOLUME, made)
    assert (await claim_of(lot, "c")).status.phase == "Bound"


@pytest.mark.parametrize(
    ("spec", "why"),
    [
        ({"accessModes": ["ReadWriteMany"]}, "can only be ReadWriteOnce"),
        ({"volumeMode": "Block"}, "can't be a block device"),
        ({"selector": {"matchLabels": {"a": "b"}}}, "selector is not supported"),
    ],
)
async def test_what_a_folder_cannot_be_is_said(
    lot: Cluster, spec: dict[str, Any], why: str
) -> None:
    await lot.make(PERSISTENT_VOLUME_CLAIM, claim("c", **spec))
    await lot.client.create(POD, pod("p", "c"), namespace="default")
    await quiet(lot)
    assert why in (await lot.events("ProvisioningFailed"))[0].message
    assert (await lot.client.get(POD, "p", "default")).spec.nodeName == ""


async def test_a_claim_for_a_node_that_went_is_given_another(lot: Cluster) -> None:
    marks = {binding.SELECTED_NODE: "gone"}
    made = claim("c")
    made.metadata.annotations = marks
    await lot.make(PERSISTENT_VOLUME_CLAIM, made)
    await lot.make(POD, pod("p", "c"))
    await lot.advance(15)
    assert (await claim_of(lot, "c")).status.phase == "Bound"
    assert (await lot.client.get(POD, "p", "default")).spec.nodeName in {"n1", "n2"}


async def test_pods_follow_their_data_and_share_no_volume_for_one(lot: Cluster) -> None:
    await lot.make(PERSISTENT_VOLUME_CLAIM, claim("c", accessModes=["ReadWriteOncePod"]))
    await lot.make(POD, pod("first", "c"))
    home = (await lot.client.get(POD, "first", "default")).spec.nodeName
    await lot.make(POD, pod("second", "c"))
    assert (await lot.client.get(POD, "second", "default")).spec.nodeName == ""
    events = [e.message for e in await lot.events("FailedScheduling")]
    assert any("ReadWriteOncePod access mode" in text for text in events)
    await lot.delete(POD, "first", grace_period_s=0)
    await lot.advance(15)
    assert (await lot.client.get(POD, "second", "default")).spec.nodeName == home


async def test_a_pod_says_what_its_claims_lack_and_goes_when_they_have_it(lot: Cluster) -> None:
    await lot.make(POD, pod("p", "late"))
    text = '0/2 nodes are available: persistentvolumeclaim "late" not found.'
    assert (await lot.events("FailedScheduling"))[0].message.startswith(text)
    await lot.make(STORAGE_CLASS, klass("slow", "example.org/disks"))
    await lot.make(PERSISTENT_VOLUME_CLAIM, claim("late", storageClassName="slow"))
    await lot.advance(15)
    text = "0/2 nodes are available: pod has unbound immediate PersistentVolumeClaims."
    assert any(e.message.startswith(text) for e in await lot.events("FailedScheduling"))
    affinity = on_node("n2")
    await lot.make(PERSISTENT_VOLUME, volume("disk", nodeAffinity=affinity))
    await lot.advance(15)
    assert (await lot.client.get(POD, "p", "default")).spec.nodeName == "n2"


async def test_the_scheduler_chooses_among_local_disks(lot: Cluster) -> None:
    await lot.make(STORAGE_CLASS, klass("disks", binding.NO_PROVISIONER, binding.WAITS))
    for name in ("n1-a", "n1-b", "n2-a"):
        spec = {"storageClassName": "disks", "nodeAffinity": on_node(name[:2])}
        await lot.make(PERSISTENT_VOLUME, volume(name, **spec))
    for name in ("x", "y"):
        await lot.make(PERSISTENT_VOLUME_CLAIM, claim(name, storageClassName="disks"))
    await lot.make(POD, pod("two", "x", "y"))
    assert (await lot.client.get(POD, "two", "default")).spec.nodeName == "n1", "has two"
    names = {(await claim_of(lot, name)).spec.volumeName for name in ("x", "y")}
    assert names == {"n1-a", "n1-b"}
    await lot.make(PERSISTENT_VOLUME_CLAIM, claim("z", storageClassName="disks"))
    far = pod("far", "z", nodeSelector={"kubernetes.io/hostname": "n1"})
    await lot.make(POD, far)
    (event,) = [e for e in await lot.events("FailedScheduling") if "find available" in e.message]
    assert "1 node(s) didn't find available persistent volumes to bind" in event.message


async def test_a_waiting_claim_costs_nothing(lot: Cluster) -> None:
    await lot.make(PERSISTENT_VOLUME_CLAIM, claim("c"))
    await lot.make(PERSISTENT_VOLUME_CLAIM, claim("d", storageClassName="slow"))
    await lot.advance(30)
    before = await lot.revision()
    await lot.advance(1800)
    assert await lot.revision() == before


async def test_a_pods_own_claim_is_made_for_it(plane: Cluster) -> None:
    await plane.start(EphemeralClaims(plane.client, plane.informers, recorder=plane.recorder))
    template = {
        "metadata": {"labels": {"a": "b"}},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
    }
    own = [{"name": "v", "ephemeral": {"volumeClaimTemplate": template}}]
    made = await plane.make(POD, pod("p", volumes=own))
    found = await claim_of(plane, "p-v")
    (owner,) = found.metadata.ownerReferences
    assert (owner.uid, owner.controller) == (made.metadata.uid, True)
    assert (found.metadata.labels, found.spec.accessModes) == ({"a": "b"}, ["ReadWriteOnce"])
    await plane.make(PERSISTENT_VOLUME_CLAIM, claim("q-v"))
    await plane.make(POD, pod("q", volumes=own))
    (event,) = await plane.events("FailedBinding")
    assert "was not created for pod default/q" in event.message


async def test_a_claim_grows_where_its_class_allows_it(lot: Cluster) -> None:
    larger = {"spec": {"resources": {"requests": {"storage": "3Gi"}}}}
    await lot.make(PERSISTENT_VOLUME_CLAIM, claim("c"))
    with pytest.raises(Forbidden, match="Only bound persistent volume claims can be expanded"):
        await lot.edit(PERSISTENT_VOLUME_CLAIM, "c", larger)
    await lot.make(POD, pod("p", "c"))
    with pytest.raises(Forbidden, match="must support resize"):
        await lot.edit(PERSISTENT_VOLUME_CLAIM, "c", larger)
    await lot.edit(STORAGE_CLASS, "local-path", {"allowVolumeExpansion": True})
    await lot.edit(PERSISTENT_VOLUME_CLAIM, "c", larger)
    grown = await claim_of(lot, "c")
    assert grown.status.capacity == {"storage": "3Gi"}
    found = await lot.client.get(PERSISTENT_VOLUME, grown.spec.volumeName)
    assert found.spec.capacity == {"storage": "3Gi"}
    assert await lot.events("VolumeResizeSuccessful")


async def quiet(plane: Cluster) -> None:
    """The scheduler waits for volumes by the real clock; let it give up."""
    for _ in range(100):
        await asyncio.sleep(0.01)
        if await plane.events("ProvisioningFailed"):
            return


async def phases(plane: Cluster) -> dict[str, str]:
    return {v.metadata.name: v.status.phase for v in await plane.all(PERSISTENT_VOLUME, "")}


def on_node(name: str) -> dict[str, Any]:
    host = {"key": "kubernetes.io/hostname", "operator": "In", "values": [name]}
    return {"required": {"nodeSelectorTerms": [{"matchExpressions": [host]}]}}


async def test_a_volume_for_a_claim_that_went_meanwhile_goes_too(lot: Cluster) -> None:
    """The claim is deleted after its volume was made and before it is bound, or just before."""
    made = claim("early")
    made.metadata.annotations = {binding.SELECTED_NODE: "n1"}
    await lot.client.create(PERSISTENT_VOLUME_CLAIM, made, namespace="default")
    for _ in range(400):
        if await lot.all(PERSISTENT_VOLUME, ""):
            break
        await asyncio.sleep(0)
    await lot.client.delete(PERSISTENT_VOLUME_CLAIM, "early", namespace="default")
    await lot.settle()
    (left,) = await lot.all(PERSISTENT_VOLUME, "")
    assert localpath.may_be_emptied(left), "its node lets it go, though it has no folder"

    late = Provisioner(lot.client, lot.informers, recorder=lot.recorder)
    gone = claim("late")
    gone.metadata.uid = "0f4b0a3e-5d0e-4c3f-9f0e-0123456789ab"
    gone.metadata.annotations = {binding.SELECTED_NODE: "n1", binding.PROVISIONER: "x"}
    lot.informers.of(PERSISTENT_VOLUME_CLAIM).cache.upsert(gone)  # it is behind
    await late.reconcile("default/late")
    lot.informers.of(PERSISTENT_VOLUME_CLAIM).cache.remove("default/late")
    await lot.settle()
    found = await lot.client.get(PERSISTENT_VOLUME, f"pvc-{gone.metadata.uid}")
    assert localpath.may_be_emptied(found)


async def claim_of(plane: Cluster, name: str) -> PersistentVolumeClaim:
    return await plane.client.get(PERSISTENT_VOLUME_CLAIM, name, "default")


def klass(name: str, provisioner: str, mode: str = "Immediate", **more: Any) -> StorageClass:
    body = {"metadata": {"name": name}, "provisioner": provisioner, "volumeBindingMode": mode}
    return msgspec.convert({**body, "reclaimPolicy": "Delete", **more}, StorageClass)


def claim(name: str, size: str = "1Gi", **spec: Any) -> PersistentVolumeClaim:
    body = {
        "accessModes": ["ReadWriteOnce"],
        "resources": {"requests": {"storage": size}},
        "storageClassName": "local-path",
        **spec,
    }
    meta = {"name": name, "namespace": "default"}
    return msgspec.convert({"metadata": meta, "spec": body}, PersistentVolumeClaim)


def volume(name: str, size: str = "1Gi", **spec: Any) -> PersistentVolume:
    body = {
        "capacity": {"storage": size},
        "accessModes": ["ReadWriteOnce"],
        "hostPath": {"path": f"/disks/{name}"},
        "storageClassName": "slow",
        **spec,
    }
    return msgspec.convert({"metadata": {"name": name}, "spec": body}, PersistentVolume)


def pod(name: str, *claims: str, **spec: Any) -> Pod:
    mounted = [{"name": c, "persistentVolumeClaim": {"claimName": c}} for c in claims]
    body = {"containers": [{"name": "c", "image": "i"}], "volumes": mounted, **spec}
    meta = {"name": name, "namespace": "default"}
    return msgspec.convert({"metadata": meta, "spec": body}, Pod)
