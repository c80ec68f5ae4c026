"""appliance image: what it says of files, and where it can build."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner

from appliance.cli import image

MIB = 1 << 20


def test_any_other_file_is_refused_with_the_reason(tmp_path: Path) -> None:
    path = tmp_path / "photo.jpg"
    path.write_bytes(b"\xff\xd8" * 40000)
    done = CliRunner().invoke(image.command, ["inspect", str(path)])
    assert done.exit_code == 1
    assert f"{path}: there is no GUID partition table at its start" in done.output


def test_building_needs_a_checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(image, "_BUILD", tmp_path / "image/build")
    done = CliRunner().invoke(image.command, ["build"])
    assert done.exit_code == 1
    assert "run this in a checkout" in done.output


@pytest.mark.skipif(
    not (shutil.which("sfdisk") and shutil.which("mcopy") and shutil.which("mkfs.vfat")),
    reason="no fdisk, mtools or dosfstools on this host",
)
def test_a_fault_in_the_configuration_is_found_before_the_card_is_flashed(tmp_path: Path) -> None:
    path, boot = tmp_path / "disk.img", tmp_path / "boot.img"
    for file, size in ((path, 64 * MIB), (boot, 40 * MIB)):
        with file.open("wb") as stream:
            stream.truncate(size)
    table = "label: gpt\nunit: sectors\nstart=2048, size=81920, type=uefi, name=boot\n"
    subprocess.run(["sfdisk", "-q", path], input=table, text=True, check=True)
    subprocess.run(["mkfs.vfat", "-F", "32", boot], check=True, stdout=subprocess.PIPE)
    for name, text in (("appliance.yaml", "role: agent\ntoken: t\n"), ("version.txt", "1.2.3\n")):
        subprocess.run(["mcopy", "-i", boot, "-", f"::{name}"], input=text.encode(), check=True)
    with path.open("r+b") as disk:
        disk.seek(MIB)
        disk.write(boot.read_bytes())
    done = CliRunner().invoke(image.command, ["inspect", str(path), "-o", "json"])
    assert done.exit_code == 1
    found = json.loads(done.output)
    assert found["faults"] == ["server: an agent needs one, such as https://pi-1:6443"]
    assert (found["version"], found["role"]) == ("1.2.3", "agent")
    shown = CliRunner().invoke(image.command, ["inspect", str(path)]).output
    assert "boot     boot (ESP)         40 MiB at 1 MiB" in shown
