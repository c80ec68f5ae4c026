"""Claims of pods become folders that are mounted, or a message that says why not."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from appliance.api import localpath
from appliance.api.kinds.core.persistentvolume import PersistentVolume
from appliance.api.kinds.core.persistentvolumeclaim import PersistentVolumeClaim
from appliance.api.kinds.core.pod.kind import Pod
from appliance.api.volumebinding import PROVISIONED_BY
from appliance.node.volumes import mounts
from appliance.node.volumes.base import Materials, VolumeFault
from appliance.node.volumes.mounter import Volumes

UID = "0f4b0a3e-5d0e-4c3f-9f0e-0123456789ab"
NAME = f"pvc-{UID}"


def claim(**status: Any) -> PersistentVolumeClaim:
    body = {
        "metadata": {
            "name": "data",
            "namespace": "default",
            "uid": UID,
            "annotations": {"pv.kubernetes.io/bind-completed": "yes"},
        },
        "spec": {"volumeName": NAME},
        "status": {"phase": "Bound", **status},
    }
    return msgspec.convert(body, PersistentVolumeClaim)


def volume(*, node: str = "n1", ours: str = localpath.PROVISIONER, **spec: Any) -> PersistentVolume:
    ref = {"namespace": "default", "name": "data", "uid": UID}
    meta = {"name": NAME, "labels": {localpath.NODE: node}, "annotations": {PROVISIONED_BY: ours}}
    return msgspec.convert({"metadata": meta, "spec": {"claimRef": ref, **spec}}, PersistentVolume)


def folder(storage: Path, **more: Any) -> PersistentVolume:
    return volume(local={"path": str(storage / f"{NAME}_default_data")}, **more)


def pod(*, read_only: bool = False, **context: Any) -> Pod:
    source = {"claimName": "data", "readOnly": read_only}
    body = {
        "metadata": {"name": "p", "namespace": "default", "uid": "u1"},
        "spec": {
            "volumes": [{"name": "v", "persistentVolumeClaim": source}],
            "securityContext": context or None,
        },
    }
    return msgspec.convert(body, Pod)


def given(found: PersistentVolume | None, one: PersistentVolumeClaim | None = None) -> Materials:
    return Materials(claims={"data": (one or claim(), found)})


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def node(tmp_path: Path) -> Volumes:
    return Volumes(tmp_path / "agent", storage_dir=tmp_path / "storage", node_name="n1")


async def test_a_promised_folder_is_made_once_and_its_absence_later_is_no_empty_volume(
    tmp_path: Path,
) -> None:
    behind = folder(tmp_path / "storage")
    volumes = node(tmp_path)
    await volumes.set_up(pod(), given(behind))
    path = tmp_path / "storage" / f"{NAME}_default_data"
    assert volumes.paths(pod()) == {"v": str(path)}
    assert mode(path) == 0o777
    (path / "row").write_text("1")
    await volumes.tear_down(pod())
    assert (path / "row").read_text() == "1", "a pod's end is not the data's"

    again = node(tmp_path)  # the agent was started anew
    await again.set_up(pod(), given(behind))
    await again.tear_down(pod())
    os.rename(path, tmp_path / "elsewhere")
    with pytest.raises(VolumeFault, match=r"the folder .* is gone: is its disk mounted\?"):
        await again.set_up(pod(), given(behind))


@pytest.mark.parametrize(
    ("materials", "words"),
    [
        (Materials(), 'persistentvolumeclaims "data" not found'),
        (
            given(None, claim(phase="Pending")),
            "error processing PVC default/data: PVC is not bound",
        ),
        (given(None), f'persistentvolumes "{NAME}" not found'),
        (given(volume(volumeMode="Block")), "block device"),
        (given(volume(claimRef={"namespace": "default", "name": "x"})), "bound to another claim"),
        (given(folder(Path("/s"), node="n2")), "is a folder of node n2; this is n1"),
        (given(volume(local={"path": "/nowhere/at/all"}, ours="")), "does not exist"),
        (given(volume(rbd={"image": "i", "monitors": []})), "no plugin .* kind rbd"),
    ],
)
async def test_what_cannot_be_mounted_says_why(
    tmp_path: Path, materials: Materials, words: str
) -> None:
    with pytest.raises(VolumeFault, match=f'failed for volume "v" : .*{words}'):
        await node(tmp_path).set_up(pod(), materials)


async def test_an_ephemeral_volume_takes_only_the_claim_of_its_own_pod(tmp_path: Path) -> None:
    one = msgspec.convert(
        {
            "metadata": {"name": "p", "namespace": "default", "uid": "u1"},
            "spec": {"volumes": [{"name": "v", "ephemeral": {}}]},
        },
        Pod,
    )
    with pytest.raises(VolumeFault, match="PVC p-v was not created for pod p"):
        await node(tmp_path).set_up(one, Materials(claims={"p-v": (claim(), None)}))


async def test_host_paths_are_shown_as_they_are_and_read_only_if_the_claim_says(
    tmp_path: Path,
) -> None:
    behind = volume(hostPath={"path": str(tmp_path / "disk"), "type": "DirectoryOrCreate"})
    volumes, one = node(tmp_path), pod(read_only=True, fsGroup=1234)
    await volumes.set_up(one, given(behind))
    assert volumes.paths(one) == {"v": str(tmp_path / "disk")}
    assert volumes.read_only(one) == {"v"}
    assert (tmp_path / "disk").stat().st_gid != 1234, "others may use a folder of the host"


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="files are given away by root only")
async def test_the_group_of_the_pod_gets_all_files_once(tmp_path: Path) -> None:
    home = tmp_path / "disk"
    (home / "sub").mkdir(parents=True)
    (home / "sub" / "row").write_text("1")
    (home / "sub" / "row").chmod(0o600)
    (home / "out").symlink_to(tmp_path)
    behind = volume(local={"path": str(home)}, ours="")
    await node(tmp_path).set_up(pod(fsGroup=1234), given(behind))
    seen = {p.name: p.lstat() for p in (home, home / "sub", home / "sub" / "row", home / "out")}
    assert {s.st_gid for s in seen.values()} == {1234}
    assert seen["sub"].st_mode & 0o2770 == 0o2770
    assert seen["row"].st_mode & 0o777 == 0o660
    assert os.stat(tmp_path).st_gid != 1234, "links are not followed"

    (home / "late").write_text("2")
    (home / "late").chmod(0o600)
    kept = pod(fsGroup=1234, fsGroupChangePolicy="OnRootMismatch")
    await node(tmp_path).set_up(kept, given(behind))
    assert mode(home / "late") == 0o600, "the root fits: nothing is walked"


async def test_a_host_without_nfs_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mounts, "NFS_PROGRAM", "mount.nothing-of-that-name")
    behind = volume(nfs={"server": "192.0.2.9", "path": "/export"})
    with pytest.raises(VolumeFault, match=r"is missing .*nfs-common"):
        await node(tmp_path).set_up(pod(), given(behind))


FAKE_MOUNT = """#!/bin/sh
# mount -t nfs -o OPTIONS SERVER:FOLDER PATH, with a folder of this host in the server's place
echo "$@" > @told@
exec mount --bind "${5#server.example:}" "$6"
"""


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="mounting needs root")
async def test_a_servers_folder_is_mounted_once_and_unmounted_with_the_pod(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No kernel of ours has NFS in tests: what is asked of `mount` is carried out by a bind."""
    (tmp_path / "export").mkdir()
    (tmp_path / "export" / "row").write_text("1")
    program, told = tmp_path / "mount", tmp_path / "told"
    program.write_text(FAKE_MOUNT.replace("@told@", str(told)))
    program.chmod(0o755)
    monkeypatch.setattr(mounts, "MOUNT", str(program))
    monkeypatch.setattr(mounts, "NFS_PROGRAM", "sh")
    source = {"server": "server.example", "path": str(tmp_path / "export")}
    behind = volume(nfs=source, mountOptions=["nfsvers=4.2", "hard"])
    volumes, one = node(tmp_path), pod(read_only=True)
    await volumes.set_up(one, given(behind))
    path = tmp_path / "agent" / "pods" / "u1" / "volumes" / "kubernetes.io~nfs" / NAME
    assert volumes.paths(one) == {"v": str(path)}
    assert (path / "row").read_text() == "1"
    folder = tmp_path / "export"
    assert told.read_text() == f"-t nfs -o nfsvers=4.2,hard,ro server.example:{folder} {path}\n"
    told.unlink()
    await node(tmp_path).set_up(one, given(behind))  # a new agent finds it there
    assert not told.exists()
    await volumes.tear_down(one)
    assert not path.exists()
    assert (folder / "row").read_text() == "1", "the server's files are not the pod's"


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A block device with a file system, on a file."""
    if os.geteuid() != 0 or shutil.which("losetup") is None or shutil.which("mkfs.ext4") is None:
        pytest.skip("making a disk needs root, losetup and mkfs.ext4")
    image = tmp_path / "disk.img"
    with image.open("wb") as file:
        file.truncate(4 << 20)
    subprocess.run(["mkfs.ext4", "-q", "-F", str(image)], check=True)
    made = subprocess.run(
        ["losetup", "--find", "--show", str(image)], capture_output=True, text=True
    )
    if made.returncode != 0:
        pytest.skip(f"no loop device to be had: {made.stderr.strip()}")
    device = Path(made.stdout.strip())
    yield device
    subprocess.run(["losetup", "--detach", str(device)], check=True)


@pytest.mark.root
async def test_a_local_disk_is_mounted_for_the_pod(tmp_path: Path, disk: Path) -> None:
    behind = volume(local={"path": str(disk), "fsType": "ext4"}, ours="")
    volumes, one = node(tmp_path), pod(fsGroup=1234)
    await volumes.set_up(one, given(behind))
    path = tmp_path / "agent" / "pods" / "u1" / "volumes" / "kubernetes.io~local-volume" / NAME
    assert volumes.paths(one) == {"v": str(path)}
    assert (path / "lost+found").stat().st_gid == 1234
    (path / "row").write_text("1")
    await volumes.tear_down(one)
    assert not path.exists()
    await volumes.set_up(one, given(behind))
    assert (path / "row").read_text() == "1"
    await volumes.tear_down(one)
