"""A folder is removed on the API's explicit word, and on nothing less."""

import asyncio
import os
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from appliance.api import localpath
from appliance.api.errors import NotFound
from appliance.api.kinds.core.persistentvolume import PERSISTENT_VOLUME, PersistentVolume
from appliance.api.kinds.core.pod.kind import Pod
from appliance.api.volumebinding import PROVISIONED_BY
from appliance.kit.subproc import run
from appliance.node.volumes.localpath import FolderRemover
from appliance.node.volumes.mounter import Volumes
from tests.unit.control.cluster import Cluster, cluster

UID = "0f4b0a3e-5d0e-4c3f-9f0e-0123456789ab"
NAME = f"pvc-{UID}"


class Node:
    """The node n1 with one folder that holds data."""

    def __init__(self, plane: Cluster, root: Path) -> None:
        self.plane = plane
        self.pods: list[Pod] = []
        self.volumes = Volumes(root / "agent", storage_dir=root / "storage", node_name="n1")
        self.folder = root / "storage" / f"{NAME}_default_data"
        self.folder.mkdir(parents=True)
        (root / "agent").mkdir()
        (self.folder / "row").write_text("1")

    async def start(self) -> None:
        await self.plane.start(
            FolderRemover(
                self.plane.client,
                self.plane.informers,
                mounts=self.volumes.persistent,
                node_name="n1",
                pods=lambda: self.pods,
                recorder=self.plane.recorder,
            )
        )

    async def make(
        self, *, path: str = "", policy: str = "Delete", node: str = "n1", uid: str = UID
    ) -> None:
        """A volume of ours; `uid` is of the claim that somebody deleted."""
        host = {"key": "kubernetes.io/hostname", "operator": "In", "values": [node]}
        body: dict[str, Any] = {
            "metadata": {
                "name": NAME,
                "labels": {localpath.NODE: node},
                "annotations": {PROVISIONED_BY: localpath.PROVISIONER, localpath.DELETED: uid},
                "finalizers": [localpath.FINALIZER],
            },
            "spec": {
                "capacity": {"storage": "1Gi"},
                "accessModes": ["ReadWriteOnce"],
                "persistentVolumeReclaimPolicy": policy,
                "local": {"path": path or str(self.folder)},
                "claimRef": {"namespace": "default", "name": "data", "uid": UID},
                "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [host]}]}},
            },
        }
        await self.plane.make(PERSISTENT_VOLUME, msgspec.convert(body, PersistentVolume))

    async def phase(self, phase: str) -> None:
        body = {"status": {"phase": phase}}
        await self.plane.edit(PERSISTENT_VOLUME, NAME, body, subresource="status")

    async def drop(self, *finalizers: str) -> None:
        """Take finalizers away, as the protection's controller does."""
        found = await self.plane.client.get(PERSISTENT_VOLUME, NAME)
        left = [f for f in found.metadata.finalizers if f not in finalizers]
        await self.plane.edit(PERSISTENT_VOLUME, NAME, {"metadata": {"finalizers": left}})

    @property
    def has_data(self) -> bool:
        return (self.folder / "row").exists()


@pytest.fixture
async def node(tmp_path: Path) -> AsyncIterator[Node]:
    async with cluster() as plane:
        yield Node(plane, tmp_path)


async def test_a_released_volume_that_is_deleted_goes_with_its_folder(node: Node) -> None:
    await node.start()
    await node.make()
    await node.drop("kubernetes.io/pv-protection")
    await node.phase("Released")
    assert node.has_data, "released is not deleted"
    await node.plane.delete(PERSISTENT_VOLUME, NAME)
    await settled(node, gone=True)
    assert not node.folder.exists()
    with pytest.raises(NotFound):
        await node.plane.client.get(PERSISTENT_VOLUME, NAME)


async def test_a_node_that_was_away_does_it_when_it_comes_back(node: Node) -> None:
    await node.make()
    await node.phase("Released")
    await node.plane.delete(PERSISTENT_VOLUME, NAME)
    assert node.has_data
    await node.start()
    await settled(node, gone=True)
    assert not node.folder.exists()


async def test_a_removal_that_was_cut_off_is_finished(node: Node) -> None:
    """The folder went, and the agent died before it could say so."""
    await node.make()
    await node.drop("kubernetes.io/pv-protection")
    await node.phase("Released")
    await node.plane.delete(PERSISTENT_VOLUME, NAME)
    shutil.rmtree(node.folder)
    await node.start()
    for _ in range(2000):
        await node.plane.settle()
        if not await node.plane.all(PERSISTENT_VOLUME, ""):
            return
    raise AssertionError("the volume is still there")


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="mounting needs root")
async def test_what_is_mounted_in_the_folder_is_not_emptied(node: Node, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "precious").write_text("1")
    (node.folder / "mnt").mkdir()
    bound = ["mount", "--bind", str(tmp_path / "other"), str(node.folder / "mnt")]
    (await run(bound, timeout_s=10)).check()
    await node.start()
    await node.make()
    await node.phase("Released")
    await node.plane.delete(PERSISTENT_VOLUME, NAME)
    for _ in range(200):  # unmounting is a program's work, in real time
        await asyncio.sleep(0.01)
        if not node.folder.exists():
            break
    await settled(node, gone=True)
    assert (tmp_path / "other" / "precious").exists()


async def test_a_volume_that_vanishes_leaves_its_data(node: Node) -> None:
    """Finalizers taken by force, a store set back to an old copy: no word about this folder."""
    await node.start()
    await node.make()
    await node.phase("Bound")
    await node.drop(localpath.FINALIZER, "kubernetes.io/pv-protection")
    await node.plane.delete(PERSISTENT_VOLUME, NAME)
    with pytest.raises(NotFound):
        await node.plane.client.get(PERSISTENT_VOLUME, NAME)
    await node.plane.advance(600)
    assert node.has_data


@pytest.mark.parametrize(
    ("phase", "made"),
    [
        ("Bound", {}),
        ("Available", {}),
        ("Failed", {}),
        ("Released", {"policy": "Retain"}),
        ("Released", {"node": "n2"}),
        ("Released", {"uid": "of-another-claim"}),
    ],
)
async def test_less_than_the_whole_word_removes_nothing(
    node: Node, phase: str, made: dict[str, Any]
) -> None:
    await node.start()
    await node.make(**made)
    await node.phase(phase)
    await node.plane.delete(PERSISTENT_VOLUME, NAME)
    await node.plane.advance(60)
    assert node.has_data


async def test_only_folders_of_its_own_storage_are_touched(node: Node, tmp_path: Path) -> None:
    other = tmp_path / "home" / f"{NAME}_default_data"
    other.mkdir(parents=True)
    await node.start()
    await node.make(path=str(other))
    await node.phase("Released")
    await node.plane.delete(PERSISTENT_VOLUME, NAME)
    await node.plane.settle()
    assert other.exists()
    (event,) = await node.plane.events("VolumeFailedDelete")
    assert "is no folder of this node's storage" in event.message


async def test_a_pod_that_the_api_forgot_but_that_still_runs_is_waited_for(node: Node) -> None:
    source = {"claimName": "data"}
    spec = {"volumes": [{"name": "v", "persistentVolumeClaim": source}]}
    meta = {"name": "p", "namespace": "default", "uid": "u1"}
    node.pods = [msgspec.convert({"metadata": meta, "spec": spec}, Pod)]
    await node.start()
    await node.make()
    await node.phase("Released")
    await node.plane.delete(PERSISTENT_VOLUME, NAME)
    assert node.has_data
    node.pods = []
    await node.plane.clock.advance(3)
    await settled(node, gone=True)
    assert not node.folder.exists()


async def settled(node: Node, *, gone: bool) -> None:
    """Removal goes on in a thread; return when the finalizer went, too."""
    for _ in range(2000):
        await node.plane.settle()
        if node.folder.exists() is not gone:
            await node.plane.settle()
            return
    raise AssertionError("the folder is as it was")
