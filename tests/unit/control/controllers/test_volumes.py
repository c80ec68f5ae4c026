"""Claims get volumes: binder, phases, the provisioner and the scheduler over a real registry."""

import random
from typing import Any

import msgspec
import pytest

from appliance.api import localpath
from appliance.api import volumebinding as binding
from appliance.api.errors import NotFound
from appliance.api.kinds.core.node import NODE
from appliance.api.kinds.core.persistentvolume import PERSISTENT_VOLUME, PersistentVolume
from appliance.api.kinds.core.persistentvolumeclaim import (
    PERSISTENT_VOLUME_CLAIM,
    PersistentVolumeClaim,
)
from appliance.api.kinds.core.pod.kind import POD, Pod
from appliance.api.kinds.storage.storageclass import STORAGE_CLASS, StorageClass
from appliance.control.controllers.claimbinder import ClaimBinder
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
    volume = await lot.client.get(PERSISTENT_VOLUME, bound.spec.volumeName)
    assert (await lot.client.get(POD, "db", "default")).spec.nodeName == "n2"
    assert bound.status.phase == volume.status.phase == "Bound"
    assert (bound.status.capacity, bound.status.accessModes) == (
        {"storage": "1Gi"},
        ["ReadWriteOnce"],
    )
    assert localpath.path_of(volume) == f"{STORAGE}/pvc-{bound.metadata.uid}_default_data"
    assert volume.metadata.labels[localpath.NODE] == "n2"
    (made,) = await lot.events("ProvisioningSucceeded")
    assert made.message == f"Successfully provisioned volume pvc-{bound.metadata.uid}"

    await lot.delete(PERSISTENT_VOLUME_CLAIM, "data")
    assert (await claim_of(lot, "data")).metadata.deletionTimestamp, "held by its pod"
    await lot.delete(POD, "db", grace_period_s=0)
    going = await lot.client.get(PERSISTENT_VOLUME, volume.metadata.name)
    assert localpath.may_be_emptied(going), "its node is asked to remove the folder"
    assert going.metadata.finalizers == [localpath.FINALIZER]
    await lot.delete(NODE, "n2")
    with pytest.raises(NotFound):
        await lot.client.get(PERSISTENT_VOLUME, volume.metadata.name)
    assert await lot.events("VolumeDataKept")


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
    volumes = [{"name": c, "persistentVolumeClaim": {"claimName": c}} for c in claims]
    body = {"containers": [{"name": "c", "image": "i"}], "volumes": volumes, **spec}
    meta = {"name": name, "namespace": "default"}
    return msgspec.convert({"metadata": meta, "spec": body}, Pod)
