"""Volumes of a pod on disk."""

from pathlib import Path

import pytest

from appliance.api.kinds.core.pod.security import PodSecurityContext
from appliance.api.kinds.core.pod.volumes import (
    EmptyDirVolumeSource,
    HostPathVolumeSource,
    PersistentVolumeClaimVolumeSource,
    Volume,
)
from appliance.node.volumes.base import Materials, VolumeFault
from appliance.node.volumes.mounter import Volumes
from tests.unit.node.stage import pod


def test_an_empty_dir_keeps_what_is_in_it(tmp_path: Path) -> None:
    volumes = Volumes(tmp_path)
    one = pod(volumes=[Volume(name="v", emptyDir=EmptyDirVolumeSource())])
    volumes.set_up(one, Materials())
    path = Path(volumes.paths(one)["v"])
    assert path == tmp_path / "pods/u1/volumes/kubernetes.io~empty-dir/v"
    assert path.stat().st_mode & 0o777 == 0o777
    (path / "x").touch()
    volumes.set_up(one, Materials())
    assert (path / "x").exists()


def test_an_fs_group_owns_its_folders(tmp_path: Path) -> None:
    one = pod(
        volumes=[Volume(name="v", emptyDir=EmptyDirVolumeSource())],
        securityContext=PodSecurityContext(fsGroup=tmp_path.stat().st_gid),
    )
    volumes = Volumes(tmp_path)
    volumes.set_up(one, Materials())
    assert Path(volumes.paths(one)["v"]).stat().st_mode & 0o2777 == 0o2777


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
def test_host_paths_are_what_they_are_said_to_be(
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
        with pytest.raises(VolumeFault, match=f"is not a {kind}"):
            volumes.set_up(one, Materials())
        return
    volumes.set_up(one, Materials())
    assert volumes.paths(one) == {"v": str(path)}
    assert path.exists()


def test_a_kind_that_nobody_knows_is_refused(tmp_path: Path) -> None:
    source = PersistentVolumeClaimVolumeSource(claimName="c")
    one = pod(volumes=[Volume(name="v", persistentVolumeClaim=source)])
    with pytest.raises(VolumeFault, match='failed for volume "v"'):
        Volumes(tmp_path).set_up(one, Materials())


async def test_only_known_pods_keep_their_folders(tmp_path: Path) -> None:
    volumes = Volumes(tmp_path)
    for uid in ("u1", "u2"):
        one = pod(uid=uid, volumes=[Volume(name="v", emptyDir=EmptyDirVolumeSource())])
        volumes.set_up(one, Materials())
    await volumes.keep_only(frozenset({"u2"}))
    assert [p.name for p in (tmp_path / "pods").iterdir()] == ["u2"]
