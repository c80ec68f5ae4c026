"""Files → a docker-archive tar, the format that every engine's `load` takes; pure.

`pause.py` makes the sandbox image with it, tests and examples their own. The same input gives
the same bytes: times are 0 and names sorted.

Source: image-spec of Docker 1.2 ("Combined Image JSON + Filesystem Changeset Format").
"""

import hashlib
import io
import json
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class File:
    """A file's bytes and mode."""

    data: bytes
    mode: int = 0o644


@dataclass(frozen=True, slots=True)
class Link:
    """A symbolic link."""

    target: str


Files = Mapping[str, File | Link]


def docker_archive(name: str, files: Files, *, architecture: str, config: Any) -> bytes:
    """One image of one layer.

    `files` maps paths to what is there; `config` is what the container runs, e.g.
    `{"Entrypoint": ["/pause"]}`; `architecture` is Go's word, `amd64` or `arm64`.
    """
    layer = _tar(files)
    digest = hashlib.sha256(layer).hexdigest()
    image = json.dumps(
        {
            "architecture": architecture,
            "os": "linux",
            "created": "1970-01-01T00:00:00Z",
            "config": config,
            "rootfs": {"type": "layers", "diff_ids": [f"sha256:{digest}"]},
            "history": [{"created": "1970-01-01T00:00:00Z", "created_by": "appliance"}],
        }
    ).encode()
    image_name = f"{hashlib.sha256(image).hexdigest()}.json"
    layer_name = f"{digest}/layer.tar"
    manifest = [{"Config": image_name, "RepoTags": [name], "Layers": [layer_name]}]
    return _tar(
        {
            image_name: File(image),
            layer_name: File(layer),
            "manifest.json": File(json.dumps(manifest).encode()),
        }
    )


def image_id(archive: bytes) -> str:
    """The id, in hex, that an engine gives an image of ours: the digest of its JSON."""
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        names = tar.getnames()
    return next(name for name in names if name.endswith(".json") and name != "manifest.json")[:-5]


def _tar(files: Files) -> bytes:
    into = io.BytesIO()
    with tarfile.open(fileobj=into, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for path in sorted(_folders(files)):
            folder = tarfile.TarInfo(path)
            folder.type, folder.mode = tarfile.DIRTYPE, 0o755
            tar.addfile(folder)
        for path in sorted(files):
            entry, content = tarfile.TarInfo(path.lstrip("/")), files[path]
            if isinstance(content, Link):
                entry.type, entry.linkname = tarfile.SYMTYPE, content.target
                tar.addfile(entry)
            else:
                entry.size, entry.mode = len(content.data), content.mode
                tar.addfile(entry, io.BytesIO(content.data))
    return into.getvalue()


def _folders(files: Files) -> set[str]:
    folders = set()
    for path in files:
        parts = path.strip("/").split("/")[:-1]
        folders |= {"/".join(parts[: n + 1]) for n in range(len(parts))}
    return folders
