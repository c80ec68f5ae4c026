"""Claims and volumes go when nothing uses them any more, and not before."""

import msgspec
import pytest

from appliance.api.errors import NotFound
from appliance.api.kinds.core.persistentvolume import PERSISTENT_VOLUME, PersistentVolume
from appliance.api.kinds.core.persistentvolumeclaim import (
    PERSISTENT_VOLUME_CLAIM,
    PersistentVolumeClaim,
)
from appliance.api.kinds.core.pod.kind import POD, Pod
from appliance.control.controllers.protection import ClaimProtection, VolumeProtection
from tests.unit.control.cluster import Cluster

CLAIM = {
    "metadata": {"name": "data", "namespace": "default"},
    "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
}
USER = {
    "metadata": {"name": "user", "namespace": "default"},
    "spec": {
        "nodeName": "a",
        "containers": [{"name": "c", "image": "i"}],
        "volumes": [{"name": "v", "persistentVolumeClaim": {"claimName": "data"}}],
    },
}
VOLUME = {
    "metadata": {"name": "disk"},
    "spec": {
        "capacity": {"storage": "1Gi"},
        "accessModes": ["ReadWriteOnce"],
        "hostPath": {"path": "/data"},
    },
}


async def test_a_claim_waits_for_its_pod(plane: Cluster) -> None:
    await plane.start(ClaimProtection(plane.client, plane.informers))
    await plane.make(PERSISTENT_VOLUME_CLAIM, msgspec.convert(CLAIM, PersistentVolumeClaim))
    await plane.make(POD, msgspec.convert(USER, Pod))
    await plane.delete(PERSISTENT_VOLUME_CLAIM, "data")
    waits = await plane.client.get(PERSISTENT_VOLUME_CLAIM, "data", "default")
    assert waits.metadata.deletionTimestamp
    await plane.delete(POD, "user", grace_period_s=0)
    with pytest.raises(NotFound):
        await plane.client.get(PERSISTENT_VOLUME_CLAIM, "data", "default")


async def test_a_volume_waits_while_it_is_bound(plane: Cluster) -> None:
    await plane.start(VolumeProtection(plane.client, plane.informers))
    await plane.make(PERSISTENT_VOLUME, msgspec.convert(VOLUME, PersistentVolume))
    bound = {"status": {"phase": "Bound"}}
    await plane.edit(PERSISTENT_VOLUME, "disk", bound, subresource="status")
    await plane.delete(PERSISTENT_VOLUME, "disk")
    held = await plane.client.get(PERSISTENT_VOLUME, "disk")
    assert held.metadata.deletionTimestamp
    released = {"status": {"phase": "Released"}}
    await plane.edit(PERSISTENT_VOLUME, "disk", released, subresource="status")
    with pytest.raises(NotFound):
        await plane.client.get(PERSISTENT_VOLUME, "disk")
