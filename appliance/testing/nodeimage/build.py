"""A node's root → an image in the engine, made once for each state of what it is made of.

`node_image` is called by `ApplianceContainer` before it starts. The image's tag is a digest over
the names, sizes and times of everything that goes in, so a changed line of ours, an upgraded
package or another engine makes another image, and an unchanged one is found in 0.4 s. Older images
of the same environment are removed when a new one has been made.
"""

import asyncio
import compileall
import hashlib
import sys
import tempfile
from pathlib import Path
from typing import Any

import docker
import docker.errors

import appliance
from appliance.testing.nodeimage.contents import (
    PYTHON,
    SITE,
    Engine,
    Node,
    complete,
    describe,
    installed_engine,
)
from appliance.testing.nodeimage.layer import pack, write

REPOSITORY = "appliance.local/node"
_PLACE = "appliance.made-in"
_HOLDS = "appliance.engine"
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
        pack(name, layer, archive, config=_config(engine))
        archive.seek(0)
        client.images.load(archive)
    _remove_older(client, name, engine)


def _config(engine: Engine) -> dict[str, Any]:
    return {
        "Env": [f"{key}={value}" for key, value in _ENVIRONMENT.items()],
        "Entrypoint": [PYTHON, "-m", "appliance.testing.inside"],
        "Volumes": {volume: {} for volume in _VOLUMES},
        "Labels": _labels(engine),
    }


def _labels(engine: Engine) -> dict[str, str]:
    return {_PLACE: sys.prefix, _HOLDS: engine}


def _remove_older(client: docker.DockerClient, name: str, engine: Engine) -> None:
    """Images of this environment that a newer one has replaced, unless a container uses them."""
    wanted = [f"{label}={value}" for label, value in _labels(engine).items()]
    for image in client.images.list(filters={"label": wanted}):
        if name not in image.tags and image.id is not None:
            try:
                client.images.remove(image.id)
            except docker.errors.APIError as error:
                if error.status_code not in {404, 409}:
                    raise
