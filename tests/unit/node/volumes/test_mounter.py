"""Volumes of a pod on disk."""

import os
from pathlib import Path

import pytest

from appliance.api.kinds.core.pod.security import PodSecurityContext
from appliance.api.kinds.core.pod.volumes import (
    EmptyDirVolumeSource,
    GCEPersistentDiskVolumeSource,
    GitRepoVolumeSource,
    HostPathVolumeSource,
    Volume,
)
from appliance.kit.subproc import run
from appliance.node.volumes.base import Materials, VolumeFault
from appliance.node.volumes.folders import sub_path
from appliance.node.volumes.mounter import Volumes
from appliance.node.volumes.mounts import mounts_under
from tests.unit.node.stage import pod


async def test_an_empty_dir_keeps_what_is_in_it(tmp_path: Path) -> None:
    volumes = Volumes(tmp_path)
    one = pod(volumes=[Volume(name="v", emptyDir=EmptyDirVolumeSource())])
    await volumes.set_up(one, Materials())
    path = Path(volumes.paths(one)["v"])
    assert path == tmp_path / "pods/u1/volumes/kubernetes.io~empty-dir/v"
    assert mode(path) & 0o777 == 0o777
    (path / "x").touch()
    await volumes.set_up(one, Materials())
    assert (path / "x").exists()


async def test_an_fs_group_owns_its_folders(tmp_path: Path) -> None:
    one = pod(
        volumes=[Volume(name="v", emptyDir=EmptyDirVolumeSource())],
        securityContext=PodSecurityContext(fsGroup=os.getgid()),
    )
    volumes = Volumes(tmp_path)
    await volumes.set_up(one, Materials())
    assert mode(Path(volumes.paths(one)["v"])) & 0o2777 == 0o2777


@pytest.mark.parametrize(
    ("kind", "there", "fits"),
    [
        (None, "nothing", True),
        ("Directory", "folder", True),
        ("Directory", "file", False),
        ("Directory", "nothing", False),
        ("DirectoryOrCreate", "nothing", True),
        ("File", "file", True),
        ("File", "folder", False),
        ("FileOrCreate", "nothing", True),
        ("Socket", "file", False),
    ],
)
async def test_host_paths_are_what_they_are_said_to_be(
    tmp_path: Path, kind: str | None, there: str, fits: bool
) -> None:
    path = tmp_path / "x"
    if there == "folder":
        path.mkdir()
    elif there == "file":
        path.touch()
    source = HostPathVolumeSource(path=str(path), type=kind)
    one = pod(volumes=[Volume(name="v", hostPath=source)])
    volumes = Volumes(tmp_path)
    if not fits:
        with pytest.raises(VolumeFault, match=r"check failed: .* is not a "):
            await volumes.set_up(one, Materials())
        return
    await volumes.set_up(one, Materials())
    assert volumes.paths(one) == {"v": str(path)}
    assert path.exists()


@pytest.mark.seed("V06", "V07")
@pytest.mark.parametrize(
    "volume",
    [
        Volume(name="v", gitRepo=GitRepoVolumeSource(repository="http://example.com/r.git")),
        Volume(name="v", gcePersistentDisk=GCEPersistentDiskVolumeSource(pdName="d")),
    ],
)
async def test_a_kind_that_nobody_knows_is_refused(tmp_path: Path, volume: Volume) -> None:
    """An empty folder in its place would be a lie."""
    with pytest.raises(VolumeFault, match=r'failed for volume "v" : no plugin .* of kind '):
        await Volumes(tmp_path).set_up(pod(volumes=[volume]), Materials())


async def test_only_known_pods_keep_their_folders(tmp_path: Path) -> None:
    volumes = Volumes(tmp_path)
    for uid in ("u1", "u2"):
        one = pod(uid=uid, volumes=[Volume(name="v", emptyDir=EmptyDirVolumeSource())])
        await volumes.set_up(one, Materials())
    await volumes.keep_only(frozenset({"u2"}))
    assert [p.name for p in (tmp_path / "pods").iterdir()] == ["u2"]


def test_mounts_beneath_a_folder_the_deepest_first() -> None:
    text = (
        "1 0 0:1 / / rw - ext4 /dev/a rw\n"
        "2 1 0:2 / /pods/u1/v rw - tmpfs tmpfs rw\n"
        "3 2 0:3 / /pods/u1/v/a\\040b rw - tmpfs tmpfs rw\n"
        "4 1 0:4 / /pods/u10/v rw - tmpfs tmpfs rw\n"
    )
    assert mounts_under(Path("/pods/u1"), text) == [
        Path("/pods/u1/v/a b"),
        Path("/pods/u1/v"),
    ]


def test_a_sub_path_is_made_and_stays_inside(tmp_path: Path) -> None:
    volume = tmp_path / "v"
    volume.mkdir()
    sub_path(volume, "a/b")
    assert (volume / "a/b").is_dir()
    (volume / "out").symlink_to(tmp_path)
    with pytest.raises(VolumeFault, match="leads out"):
        sub_path(volume, "out/secrets")
    (volume / "in").symlink_to("a")
    sub_path(volume, "in/b")


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="mounting needs root")
async def test_memory_is_mounted_and_goes_with_the_pod(tmp_path: Path) -> None:
    source = EmptyDirVolumeSource(medium="Memory", sizeLimit="1Mi")
    one = pod(volumes=[Volume(name="v", emptyDir=source)])
    volumes = Volumes(tmp_path)
    await volumes.set_up(one, Materials())
    path = Path(volumes.paths(one)["v"])
    assert is_mount(path)
    assert os.statvfs(path).f_blocks * os.statvfs(path).f_frsize == 1 << 20
    await volumes.set_up(one, Materials())  # harmless when it is there
    await volumes.tear_down(one)
    assert not (tmp_path / "pods/u1").exists()


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="mounting needs root")
async def test_what_is_mounted_in_a_volume_is_not_removed_with_it(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    (disk / "precious").touch()
    one = pod(volumes=[Volume(name="v", emptyDir=EmptyDirVolumeSource())])
    volumes = Volumes(tmp_path)
    await volumes.set_up(one, Materials())
    point = Path(volumes.paths(one)["v"]) / "mnt"
    point.mkdir()
    (await run(["mount", "--bind", str(disk), str(point)])).check()
    await volumes.tear_down(one)
    assert (disk / "precious").exists()
    assert not (tmp_path / "pods/u1").exists()


def mode(path: Path) -> int:
    return path.stat().st_mode


def is_mount(path: Path) -> bool:
    return path.is_mount()
