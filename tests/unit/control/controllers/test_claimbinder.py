"""A binding is four writes, and each may be the last: the next pass does the rest."""

from typing import Any

import msgspec
import pytest
from typing_extensions import override

from appliance.api.errors import ServiceUnavailable
from appliance.api.kind import Kind
from appliance.api.kinds.core.persistentvolume import PERSISTENT_VOLUME, PersistentVolume
from appliance.api.kinds.core.persistentvolumeclaim import (
    PERSISTENT_VOLUME_CLAIM,
    PersistentVolumeClaim,
)
from appliance.client.base import PatchType
from appliance.control.controllers.claimbinder import ClaimBinder
from appliance.control.controllers.volumephases import VolumePhases
from appliance.control.controllers.volumeplan import Bind, Lost, Pending, plan_claim, plan_volume
from appliance.control.local import LocalClient
from tests.unit.control.cluster import Cluster


class Breaks(LocalClient):
    """The line breaks once: before the write of that number, or after it."""

    def __init__(self, inner: Any, at: int, *, after: bool) -> None:
        self.__dict__.update(inner.__dict__)
        self._left = at
        self._after = after

    @override
    async def patch(
        self,
        kind: Kind[Any],
        name: str,
        body: Any,
        *,
        namespace: str = "",
        how: PatchType = PatchType.MERGE,
        subresource: str = "",
    ) -> Any:
        self._left -= 1
        breaks = self._left == 0
        if breaks and not self._after:
            raise ServiceUnavailable("the line broke")
        done = await super().patch(
            kind, name, body, namespace=namespace, how=how, subresource=subresource
        )
        if breaks:
            raise ServiceUnavailable("the line broke")
        return done


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("at", [1, 2, 3, 4])
async def test_a_binding_that_was_cut_off_anywhere_is_finished(
    plane: Cluster, at: int, after: bool
) -> None:
    client = Breaks(plane.client, at, after=after)
    for name in ("first", "second"):
        await plane.make(PERSISTENT_VOLUME, volume(name))
    await plane.start(
        VolumePhases(plane.client, plane.informers, recorder=plane.recorder),
        ClaimBinder(client, plane.informers, recorder=plane.recorder),
    )
    await plane.make(PERSISTENT_VOLUME_CLAIM, claim())
    await plane.advance(5)
    bound = await plane.client.get(PERSISTENT_VOLUME_CLAIM, "c", "default")
    assert (bound.spec.volumeName, bound.status.phase) == ("first", "Bound")
    assert bound.status.capacity == {"storage": "1Gi"}
    found = {v.metadata.name: v for v in await plane.all(PERSISTENT_VOLUME, "")}
    assert {name: v.status.phase for name, v in found.items()} == {
        "first": "Bound",
        "second": "Available",
    }


async def test_of_two_claims_for_one_volume_one_gets_it(plane: Cluster) -> None:
    await plane.start(
        VolumePhases(plane.client, plane.informers, recorder=plane.recorder),
        ClaimBinder(plane.client, plane.informers, recorder=plane.recorder),
    )
    for name in ("c", "d"):
        await plane.client.create(PERSISTENT_VOLUME_CLAIM, claim(name), namespace="default")
    await plane.make(PERSISTENT_VOLUME, volume("only"))
    await plane.advance(5)
    claims = await plane.all(PERSISTENT_VOLUME_CLAIM)
    assert sorted(c.status.phase for c in claims) == ["Bound", "Pending"]


def test_a_volume_whose_claim_took_another_is_free_again() -> None:
    mine = claim(uid="u1")
    mine.spec.volumeName = "other"
    by_us = volume("v", claimed="u1")
    assert plan_volume(by_us, mine).frees
    made = volume("v", claimed="u1", provisioned="pv.kubernetes.io/provisioned-by")
    assert plan_volume(made, mine).phase == "Released", "its maker removes it"
    assert plan_volume(by_us, None).phase == "Released"
    assert plan_volume(volume("v"), None).phase == "Available"


def test_what_was_bound_once_is_never_bound_to_another() -> None:
    done = {"pv.kubernetes.io/bind-completed": "yes"}
    mine = claim(uid="u1", annotations=done)
    mine.spec.volumeName = "v"
    free = {"w": volume("w")}
    assert isinstance(plan_claim(mine, free, {}), Lost)
    others = {"v": volume("v", claimed="u2")}
    misbound = plan_claim(mine, others, {})
    assert isinstance(misbound, Lost)
    assert misbound.reason == "ClaimMisbound"
    assert isinstance(plan_claim(mine, {"v": volume("v", claimed="u1")}, {}), Bind)


def test_a_claim_that_names_an_unfit_volume_hears_why() -> None:
    mine = claim(size="2Gi")
    mine.spec.volumeName = "v"
    said = plan_claim(mine, {"v": volume("v")}, {})
    assert isinstance(said, Pending)
    assert said.message == 'Cannot bind to requested volume "v": requested PV is too small'


def claim(
    name: str = "c",
    *,
    size: str = "1Gi",
    uid: str = "",
    annotations: dict[str, str] | None = None,
) -> PersistentVolumeClaim:
    meta = {"name": name, "namespace": "default", "uid": uid, "annotations": annotations or {}}
    spec = {
        "accessModes": ["ReadWriteOnce"],
        "resources": {"requests": {"storage": size}},
        "storageClassName": "slow",
    }
    return msgspec.convert({"metadata": meta, "spec": spec}, PersistentVolumeClaim)


def volume(name: str, *, claimed: str = "", provisioned: str = "") -> PersistentVolume:
    spec: dict[str, Any] = {
        "capacity": {"storage": "1Gi"},
        "accessModes": ["ReadWriteOnce"],
        "hostPath": {"path": f"/disks/{name}"},
        "storageClassName": "slow",
    }
    if claimed:
        spec["claimRef"] = {"namespace": "default", "name": "c", "uid": claimed}
    notes = {"pv.kubernetes.io/bound-by-controller": "yes"} if claimed else {}
    if provisioned:
        notes[provisioned] = "somebody"
    meta = {"name": name, "annotations": notes}
    return msgspec.convert({"metadata": meta, "spec": spec}, PersistentVolume)
