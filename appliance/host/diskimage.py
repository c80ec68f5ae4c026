"""What is in a disk image: its partition table, and the boot partition's files. Reads only.

Called by `appliance image inspect`. `partitions` is pure. Files of the boot partition are read by
mtools' `mtype`, which needs neither root nor a mount.

Source: UEFI specification, chapter 5 (GUID Partition Table).
"""

import struct
import uuid
from dataclasses import dataclass
from pathlib import Path

from appliance.kit import subproc

SECTOR_BYTES = 512
HEAD_BYTES = 34 * SECTOR_BYTES  # protective MBR, header, 128 entries
_MAGIC = b"EFI PART"
_MAX_ENTRIES = 128
_KINDS = {
    "c12a7328-f81f-11d2-ba4b-00a0c93ec93b": "boot (ESP)",
    "4f68bce3-e8cd-4db1-96e7-fbcaf984b709": "root (amd64)",
}


class NoImage(Exception):
    """The file is no disk image of ours; `str()` says why."""


@dataclass(frozen=True, slots=True)
class Partition:
    """One entry of the table."""

    name: str
    kind: str
    start_bytes: int
    size_bytes: int


def partitions(head: bytes) -> list[Partition]:
    """The partitions that the first `HEAD_BYTES` of a disk tell.

    Raises:
        NoImage: there is no GUID partition table.
    """
    header = head[SECTOR_BYTES : 2 * SECTOR_BYTES]
    if header[:8] != _MAGIC or len(head) < HEAD_BYTES:
        raise NoImage("there is no GUID partition table at its start")
    at, count, size = struct.unpack_from("<QII", header, 72)
    if at != 2 or count > _MAX_ENTRIES or size != 128:
        raise NoImage("its partition table is laid out as no image of ours is")
    entries = (head[at * SECTOR_BYTES + n * size :][:size] for n in range(count))
    return [_partition(entry) for entry in entries if any(entry[:16])]


def _partition(entry: bytes) -> Partition:
    kind = str(uuid.UUID(bytes_le=entry[:16]))
    first, last = struct.unpack_from("<QQ", entry, 32)
    return Partition(
        name=entry[56:128].decode("utf-16-le").rstrip("\0"),
        kind=_KINDS.get(kind, kind),
        start_bytes=first * SECTOR_BYTES,
        size_bytes=(last - first + 1) * SECTOR_BYTES,
    )


def read_partitions(image: Path) -> list[Partition]:
    """The partitions of an image file.

    Raises:
        NoImage: it is none.
    """
    try:
        with image.open("rb") as stream:
            head = stream.read(HEAD_BYTES)
    except OSError as error:
        raise NoImage(f"it can't be read: {error.strerror}") from error
    return partitions(head)


async def read_boot_file(image: Path, boot: Partition, name: str) -> str:
    """A text on the boot partition, empty if there is none.

    Raises:
        NoImage: mtools is not installed.
    """
    try:
        done = await subproc.run(["mtype", "-i", f"{image}@@{boot.start_bytes}", f"::{name}"])
    except FileNotFoundError as error:
        raise NoImage("mtools is needed to look into it: apt-get install mtools") from error
    return done.stdout.decode(errors="replace") if done.code == 0 else ""
