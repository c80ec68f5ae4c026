"""Partition tables, as sfdisk writes them and as they come otherwise."""

import asyncio
import shutil
import subprocess
from pathlib import Path

import pytest

from appliance.host.diskimage import (
    HEAD_BYTES,
    NoImage,
    Partition,
    partitions,
    read_boot_file,
    read_partitions,
)

MIB = 1 << 20
needs_tools = pytest.mark.skipif(
    not (shutil.which("sfdisk") and shutil.which("mtype") and shutil.which("mkfs.vfat")),
    reason="no fdisk, mtools or dosfstools on this host",
)


@pytest.fixture
def image(tmp_path: Path) -> Path:
    path = tmp_path / "disk.img"
    with path.open("wb") as stream:
        stream.truncate(64 * MIB)
    table = "label: gpt\nunit: sectors\nstart=2048, size=71680, type=uefi, name=boot\ntype=linux\n"
    subprocess.run(["sfdisk", "-q", path], input=table, text=True, check=True)
    return path


@needs_tools
def test_what_sfdisk_writes_is_read(image: Path) -> None:
    boot, other = read_partitions(image)
    assert boot == Partition("boot", "boot (ESP)", MIB, 35 * MIB)
    assert other.kind == "0fc63daf-8483-4772-8e79-3d69d8477de4"


@needs_tools
def test_a_text_on_the_boot_partition_is_read_without_a_mount(image: Path, tmp_path: Path) -> None:
    esp = tmp_path / "esp.img"
    with esp.open("wb") as stream:
        stream.truncate(35 * MIB)
    subprocess.run(["mkfs.vfat", "-F", "32", esp], check=True, stdout=subprocess.PIPE)
    (tmp_path / "appliance.yaml").write_text("role: agent\n")
    subprocess.run(["mcopy", "-i", esp, tmp_path / "appliance.yaml", "::"], check=True)
    with image.open("r+b") as disk:
        disk.seek(MIB)
        disk.write(esp.read_bytes())
    boot = read_partitions(image)[0]
    assert asyncio.run(read_boot_file(image, boot, "appliance.yaml")) == "role: agent\n"
    assert asyncio.run(read_boot_file(image, boot, "status.txt")) == ""


@pytest.mark.parametrize("head", [b"", b"\0" * HEAD_BYTES, b"\0" * 512 + b"EFI PART" + b"\0" * 99])
def test_anything_else_is_no_image(head: bytes) -> None:
    with pytest.raises(NoImage):
        partitions(head)


def test_a_missing_file_is_said_plainly(tmp_path: Path) -> None:
    with pytest.raises(NoImage, match="No such file"):
        read_partitions(tmp_path / "none.img")
