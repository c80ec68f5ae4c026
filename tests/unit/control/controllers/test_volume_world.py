"""Volumes by chance: whatever people do, in whatever order, data goes on their word only.

A cluster of two nodes with real folders; users make and delete pods and claims, change policies,
take finalizers by force, delete volumes and nodes, and loops are cut off and come back.
"""

import random
from pathlib import Path
from typing import Any

import pytest

from appliance.api import localpath
from appliance.api import volumebinding as binding
from appliance.api.errors import ApiError, NotFound
from appliance.api.kinds.core.node import NODE
from appliance.api.kinds.core.persistentvolume import PERSISTENT_VOLUME, PersistentVolume
from appliance.api.kinds.core.persistentvolumeclaim import PERSISTENT_VOLUME_CLAIM
from appliance.api.kinds.core.pod.kind import POD, Pod
from appliance.api.kinds.storage.storageclass import STORAGE_CLASS
from appliance.control.controllers.claimbinder import ClaimBinder
from appliance.control.controllers.localpath import Provisioner, Releaser
from appliance.control.controllers.protection import ClaimProtection, VolumeProtection
from appliance.control.controllers.volumephases import VolumePhases
from appliance.control.scheduler.loop import Scheduler
from appliance.control.scheduler.volumebinding import VolumeBinding
from appliance.node.volumes.localpath import FolderRemover
from appliance.node.volumes.persistent import PersistentMounts
from tests.unit.control.cluster import Cluster, cluster
from tests.unit.control.controllers.test_volumes import claim, klass, pod

NODES = ("n1", "n2")
STEPS = 40


class World:
    """What users did, and what must hold of it."""

    def __init__(self, plane: Cluster, root: Path, rng: random.Random) -> None:
        self.plane = plane
        self.rng = rng
        self.storage = {name: root / name / "storage" for name in NODES}
        self.mounts = {
            name: PersistentMounts(root / name, self.storage[name], name) for name in NODES
        }
        self.folders: dict[Path, str] = {}
        """Every folder that was ever made, and the uid of its claim."""
        self.doomed: set[str] = set()
        """Uids of claims that a user deleted while their volume said Delete."""
        self.kept: set[str] = set()
        """Uids of claims whose volume said Retain from before they were deleted."""
        self.number = 0

    async def start(self) -> None:
        parts: Any = (self.plane.client, self.plane.informers)
        named = {"recorder": self.plane.recorder}
        for name in NODES:
            await self.add_node(name)
        await self.plane.start(
            ClaimBinder(*parts, **named),
            VolumePhases(*parts, **named),
            Provisioner(*parts, **named),
            Releaser(*parts, **named),
            ClaimProtection(*parts),
            VolumeProtection(*parts),
            Scheduler(
                *parts,
                clock=self.plane.clock,
                rng=self.rng,
                extensions=[VolumeBinding(*parts, wait_s=0.05)],
                **named,
            ),
            *(
                FolderRemover(
                    *parts,
                    mounts=self.mounts[name],
                    node_name=name,
                    pods=lambda name=name: self.pods_on(name),
                    **named,
                )
                for name in NODES
            ),
        )
        await self.plane.make(
            STORAGE_CLASS, klass("local-path", localpath.PROVISIONER, binding.WAITS)
        )

    async def add_node(self, name: str) -> None:
        await self.plane.add_node(name)
        marks = {
            "labels": {"kubernetes.io/hostname": name},
            "annotations": {localpath.STORAGE: str(self.storage[name])},
        }
        await self.plane.edit(NODE, name, {"metadata": marks})

    def pods_on(self, node: str) -> list[Pod]:
        cache = self.plane.informers.of(POD).cache
        return [one for one in cache.list() if one.spec.nodeName == node]

    # what people do

    async def make_pod_and_claim(self) -> None:
        self.number += 1
        name = f"c{self.number}"
        await self.plane.make(PERSISTENT_VOLUME_CLAIM, claim(name))
        await self.plane.make(POD, pod(f"p{self.number}", name))

    async def delete_claim(self) -> None:
        one = await self.any_of(PERSISTENT_VOLUME_CLAIM)
        if one is None or one.metadata.deletionTimestamp:
            return
        uid = one.metadata.uid
        volume = await self.volume_of(one)
        if volume is None or volume.spec.persistentVolumeReclaimPolicy == "Delete":
            self.doomed.add(uid)
        else:
            self.kept.add(uid)
        await self.plane.delete(PERSISTENT_VOLUME_CLAIM, one.metadata.name)

    async def vanish_claim(self) -> None:
        """Take its finalizers and delete it: a claim that is gone, and no word about its data."""
        one = await self.any_of(PERSISTENT_VOLUME_CLAIM)
        if one is None or one.metadata.deletionTimestamp:
            return
        name = one.metadata.name
        await self.plane.edit(PERSISTENT_VOLUME_CLAIM, name, {"metadata": {"finalizers": None}})
        await self.plane.delete(PERSISTENT_VOLUME_CLAIM, name)

    async def delete_pod(self) -> None:
        one = await self.any_of(POD)
        if one is not None:
            await self.plane.delete(POD, one.metadata.name, grace_period_s=0)

    async def keep(self) -> None:
        volume = await self.any_of(PERSISTENT_VOLUME)
        if volume is None or volume.spec.claimRef.uid in self.doomed:
            return
        body = {"spec": {"persistentVolumeReclaimPolicy": "Retain"}}
        await self.plane.edit(PERSISTENT_VOLUME, volume.metadata.name, body)

    async def delete_volume(self) -> None:
        volume = await self.any_of(PERSISTENT_VOLUME)
        if volume is not None:
            await self.plane.delete(PERSISTENT_VOLUME, volume.metadata.name)

    async def force_volume_away(self) -> None:
        """Take its finalizers and delete it, as an impatient person does."""
        volume = await self.any_of(PERSISTENT_VOLUME)
        if volume is None:
            return
        name = volume.metadata.name
        await self.plane.client.delete(PERSISTENT_VOLUME, name)
        await self.plane.edit(PERSISTENT_VOLUME, name, {"metadata": {"finalizers": None}})

    async def lose_node(self) -> None:
        name = self.rng.choice(NODES)
        await self.plane.delete(NODE, name)
        await self.plane.advance(2)
        await self.add_node(name)

    async def mount(self) -> None:
        """Be the nodes: a pod that was bound has its folder made, and writes."""
        for one in await self.plane.pods():
            for found in await self.plane.all(PERSISTENT_VOLUME_CLAIM):
                used = [v.persistentVolumeClaim for v in one.spec.volumes]
                if found.metadata.name not in [u.claimName for u in used if u]:
                    continue
                volume = await self.volume_of(found)
                if volume is None or not one.spec.nodeName or not binding.is_for(volume, found):
                    continue
                path = self.mounts[one.spec.nodeName].own_folder(volume)
                if path is not None and path not in self.folders:
                    path.mkdir(parents=True)
                    (path / "row").write_text("1")
                    self.folders[path] = found.metadata.uid

    # what must hold

    def check(self) -> None:
        for path, uid in self.folders.items():
            if not (path / "row").exists():
                assert uid in self.doomed, f"{path} went, and nobody had said so"
                assert uid not in self.kept

    async def any_of(self, kind: Any) -> Any:
        found = await self.plane.all(kind, "default" if kind.namespaced else "")
        return self.rng.choice(found) if found else None

    async def volume_of(self, one: Any) -> PersistentVolume | None:
        if not one.spec.volumeName:
            return None
        try:
            return await self.plane.client.get(PERSISTENT_VOLUME, one.spec.volumeName)
        except NotFound:
            return None


@pytest.mark.parametrize("seed", range(4))
async def test_data_goes_on_a_persons_word_only(tmp_path: Path, seed: int) -> None:
    rng = random.Random(seed)  # noqa: S311 - what people do
    async with cluster() as plane:
        world = World(plane, tmp_path, rng)
        await world.start()
        deeds = [
            *[world.make_pod_and_claim] * 4,
            *[world.delete_claim] * 3,
            *[world.delete_pod] * 3,
            world.keep,
            world.delete_volume,
            world.force_volume_away,
            world.vanish_claim,
            world.lose_node,
        ]
        for _ in range(STEPS):
            try:
                await rng.choice(deeds)()
            except ApiError:
                continue  # it went a moment before
            finally:
                await world.mount()
            world.check()
        assert len(world.folders) > 3
        for one in await plane.pods():
            await plane.delete(POD, one.metadata.name, grace_period_s=0)
        for one in await plane.all(PERSISTENT_VOLUME_CLAIM):
            volume = await world.volume_of(one)
            policy = volume.spec.persistentVolumeReclaimPolicy if volume else "Delete"
            (world.doomed if policy == "Delete" else world.kept).add(one.metadata.uid)
            if not one.metadata.deletionTimestamp:
                await plane.delete(PERSISTENT_VOLUME_CLAIM, one.metadata.name)
        await plane.advance(120)
        world.check()
        assert await plane.all(PERSISTENT_VOLUME_CLAIM) == []
        left = await plane.all(PERSISTENT_VOLUME, "")
        assert not [
            v
            for v in left
            if v.spec.persistentVolumeReclaimPolicy == "Delete" and localpath.was_given_up(v)
        ]
