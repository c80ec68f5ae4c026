"""Files of this host → an image of one layer, streamed: none of it is held in memory.

Called by `build` for nodes and by `script` for pods. `node/images/archive.py` does the same for
the few hundred bytes of the pause image; here it is hundreds of megabytes, and files keep their
times, since compiled Python is valid by them.
"""

import hashlib
import io
import json
import os
import platform
import tarfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any, BinaryIO

from appliance.node.images.archive import File, Link
from appliance.testing.nodeimage.contents import Root

GO_NAMES = {"x86_64": "amd64", "aarch64": "arm64"}


def pack(name: str, layer: BinaryIO, into: BinaryIO, *, config: dict[str, Any]) -> None:
    """One layer and what containers run → an archive for `docker load` and `podman load`."""
    layer.seek(0)
    digest = _digest(layer)
    image = {
        "architecture": GO_NAMES[platform.machine()],
        "os": "linux",
        "created": "1970-01-01T00:00:00Z",
        "config": config,
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{digest}"]},
    }
    manifest = [{"Config": "image.json", "RepoTags": [name], "Layers": ["layer.tar"]}]
    with tarfile.open(fileobj=into, mode="w", format=tarfile.GNU_FORMAT) as tar:
        _add(tar, "image.json", File(json.dumps(image).encode()))
        _add(tar, "manifest.json", File(json.dumps(manifest).encode()))
        entry = tarfile.TarInfo("layer.tar")
        entry.size = layer.tell()
        layer.seek(0)
        tar.addfile(entry, layer)


def write(root: Root, into: BinaryIO) -> None:
    """The root as a tar. Files keep their times: compiled Python is valid by them."""
    with tarfile.open(fileobj=into, mode="w", format=tarfile.GNU_FORMAT) as tar:
        for folder in _folders(root):
            entry = tarfile.TarInfo(folder)
            entry.type, entry.mode = tarfile.DIRTYPE, 0o1777 if folder.endswith("tmp") else 0o755
            tar.addfile(entry)
        for at, content in sorted(root.items()):
            _add(tar, at.lstrip("/"), content)


def _digest(file: BinaryIO) -> str:
    digest = hashlib.sha256()
    while part := file.read(1 << 20):
        digest.update(part)
    return digest.hexdigest()


def _add(tar: tarfile.TarFile, at: str, content: Path | File | Link) -> None:
    entry = tarfile.TarInfo(at)
    if isinstance(content, Link):
        entry.type, entry.linkname = tarfile.SYMTYPE, content.target
        tar.addfile(entry)
    elif isinstance(content, File):
        entry.size, entry.mode = len(content.data), content.mode
        tar.addfile(entry, io.BytesIO(content.data))
    else:
        with content.open("rb") as source:
            status = os.fstat(source.fileno())
            entry.size, entry.mtime = status.st_size, int(status.st_mtime)
            entry.mode = status.st_mode & 0o755 | 0o644
            tar.addfile(entry, source)


def _folders(root: Iterable[str]) -> list[str]:
    found = set()
    for path in root:
        parts = path.strip("/").split("/")[:-1]
        found |= {"/".join(parts[: n + 1]) for n in range(len(parts))}
    return sorted(found)
