"""A node's root → an image in the engine, made once for each state of what it is made of.

`node_image` is called by `ApplianceContainer` before it starts. The image's tag is a digest over
the names, sizes and times of everything that goes in, so a changed line of ours, an upgraded
package or another engine makes another image, and an unchanged one is found in 0.4 s. Older images
of the same environment are removed when a new one has been made.
"""

import asyncio
import compileall
import hashlib
import io
import json
import os
import platform
import sys
import tarfile
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO

import docker
import docker.errors

import appliance
from appliance.node.images.archive import File, Link
from appliance.testing.nodeimage.contents import (
    PYTHON,
    SITE,
    Engine,
    Node,
    Root,
    complete,
    describe,
    installed_engine,
)

GO_NAMES = {"x86_64": "amd64", "aarch64": "arm64"}
REPOSITORY = "appliance.local/node"
_PLACE = "appliance.made-in"
_ENVIRONMENT = {
    "PATH": "/usr/local/bin:/usr/sbin:/usr/bin:/bin",
    "PYTHONPATH": SITE,
    "PYTHONUNBUFFERED": "1",
    "HOME": "/root",
    "CONTAINERS_HELPER_BINARY_DIR": "/usr/libexec/podman",
}
_VOLUMES = ("/var/lib/containers", "/var/lib/docker", "/var/lib/appliance")


def node_image(client: docker.DockerClient, engine: Engine | None = None) -> str:
    """The name of an image that is in the engine of `client`; made if it is not there.

    Raises:
        NotHere: this host lacks what an image is made of.
    """
    node = describe(engine or installed_engine())
    name = f"{REPOSITORY}:{key(node)}"
    try:
        client.images.get(name)
    except docker.errors.ImageNotFound:
        _make(client, node.engine, name)
    return name


def key(node: Node) -> str:
    """A digest that changes with anything that goes into the image, without reading it all."""
    digest = hashlib.sha256(repr((_ENVIRONMENT, _VOLUMES)).encode())
    for at, content in sorted(node.root.items()):
        if at.endswith(".pyc"):
            continue  # these come by themselves, out of what is counted
        if isinstance(content, Path):
            status = content.stat()
            digest.update(f"{at} {status.st_size} {status.st_mtime_ns}\n".encode())
        else:
            digest.update(f"{at} {content!r}\n".encode())
    return digest.hexdigest()[:16]


def _make(client: docker.DockerClient, engine: Engine, name: str) -> None:
    # Compiled once here rather than at each start of each node; where the folder may not be
    # written nodes start a second later.
    compileall.compile_dir(Path(appliance.__file__).parent, quiet=2)
    node = describe(engine)
    with tempfile.TemporaryFile() as layer, tempfile.TemporaryFile() as archive:
        write(asyncio.run(complete(node)), layer)
        pack(name, layer, archive)
        archive.seek(0)
        client.images.load(archive)
    _remove_older(client, name)


def pack(name: str, layer: BinaryIO, into: BinaryIO) -> None:
    """One layer → an image archive as `docker load` and `podman load` take it."""
    layer.seek(0)
    digest = _digest(layer)
    config = {
        "architecture": GO_NAMES[platform.machine()],
        "os": "linux",
        "created": "1970-01-01T00:00:00Z",
        "config": {
            "Env": [f"{key}={value}" for key, value in _ENVIRONMENT.items()],
            "Entrypoint": [PYTHON, "-m", "appliance.testing.inside"],
            "Volumes": {volume: {} for volume in _VOLUMES},
            "Labels": {_PLACE: sys.prefix},
        },
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{digest}"]},
    }
    manifest = [{"Config": "image.json", "RepoTags": [name], "Layers": ["layer.tar"]}]
    with tarfile.open(fileobj=into, mode="w", format=tarfile.GNU_FORMAT) as tar:
        _add(tar, "image.json", File(json.dumps(config).encode()))
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


def _remove_older(client: docker.DockerClient, name: str) -> None:
    """Images of this environment that a newer one has replaced, unless a container uses them."""
    for image in client.images.list(filters={"label": f"{_PLACE}={sys.prefix}"}):
        if name not in image.tags and image.id is not None:
            try:
                client.images.remove(image.id)
            except docker.errors.APIError as error:
                if error.status_code not in {404, 409}:
                    raise
