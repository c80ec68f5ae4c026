"""Build the guestbook's two images out of this host's own programs and load them; no registry.

    python -m examples.guestbook.images.build --runtime docker
    python -m examples.guestbook.images.build --out /tmp/images        (tars only)

Called by `make up` and by the e2e tests. The redis image holds Debian's redis-server and a small
starter, the frontend image a page in Python; both hold just the files that `closure.py` finds
they need. Images that the engine has already, byte for byte, are not loaded again.
"""

import argparse
import asyncio
import contextlib
import platform
import shutil
import sys
import tempfile
from pathlib import Path

from appliance.kit.clock import SystemClock
from appliance.kit.subproc import ProgramError
from appliance.node.images.archive import File, docker_archive, image_id
from appliance.node.runtimes.base import Runtime, RuntimeFault
from appliance.node.runtimes.detect import open_runtime
from examples.guestbook.images.closure import (
    PYTHON_HOME,
    Files,
    debian_packages,
    program,
    python_with,
)

REDIS = "appliance.local/guestbook-redis:1"
FRONTEND = "appliance.local/guestbook-frontend:1"

_HERE = Path(__file__).parent
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
# Loaded on first use, so no import statement shows them: idna for host names, latin-1 for headers.
_LATE = ("encodings.idna", "encodings.latin_1", "encodings.ascii", "encodings.utf_8")


async def build_frontend(name: str = FRONTEND) -> bytes:
    """The archive of the frontend image."""
    script = (_HERE / "frontend.py").read_text()
    return _archive(name, await python_with(script, _LATE), script)


async def build_redis() -> bytes:
    """The archive of the redis image: the host's redis, or one that is only unpacked."""
    script = (_HERE / "redis.py").read_text()
    files = await python_with(script, _LATE)
    installed = shutil.which("redis-server")
    if installed:
        files |= await _redis(Path(installed).parent, None)
    else:
        with tempfile.TemporaryDirectory() as folder:
            root = await debian_packages(("redis-server", "redis-tools"), Path(folder))
            files |= await _redis(root / "usr/bin", root)
    return _archive(REDIS, files, script)


async def _redis(binaries: Path, root: Path | None) -> Files:
    server, client = binaries / "redis-server", binaries / "redis-cli"
    return {**await program(server, extra=root), **await program(client, extra=root)}


async def load_images(runtime: Runtime) -> None:
    """Build both and load what the engine lacks."""
    for name, archive in ((REDIS, await build_redis()), (FRONTEND, await build_frontend())):
        here = await runtime.image(name)
        if here is not None and here.id.removeprefix("sha256:") == image_id(archive):
            continue
        await runtime.load(archive)
        if here is not None:
            with contextlib.suppress(RuntimeFault):  # a container may still use the old one
                await runtime.remove_image(here.id)


def _archive(name: str, files: Files, script: str) -> bytes:
    everything = {
        **files,
        "/app.py": File(script.encode()),
        "/etc/passwd": File(b"root:x:0:0:root:/:/bin/false\n"),
        "/etc/nsswitch.conf": File(b"hosts: files dns\n"),
        "/tmp/.keep": File(b""),  # noqa: S108 - inside the image
    }
    config = {
        "Entrypoint": [f"{PYTHON_HOME}/bin/python3", "-I", "-S", "/app.py"],
        "Env": ["PATH=/usr/bin:/bin"],
        "WorkingDir": "/",
    }
    architecture = _ARCHITECTURES[platform.machine()]
    return docker_archive(name, everything, architecture=architecture, config=config)


async def _main(chosen: argparse.Namespace) -> None:
    if chosen.out:
        chosen.out.mkdir(parents=True, exist_ok=True)
        (chosen.out / "guestbook-redis.tar").write_bytes(await build_redis())
        (chosen.out / "guestbook-frontend.tar").write_bytes(await build_frontend())
        return
    runtime = await open_runtime(chosen.runtime, chosen.endpoint, SystemClock())
    try:
        await load_images(runtime)
    finally:
        await runtime.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="build and load the guestbook's images")
    parser.add_argument("--runtime", choices=["auto", "docker", "podman"], default="auto")
    parser.add_argument("--endpoint", default="", help="default: where the engine usually is")
    parser.add_argument("--out", type=Path, help="write tars into this folder, load nothing")
    try:
        asyncio.run(_main(parser.parse_args()))
    except (RuntimeFault, ProgramError, OSError) as error:
        sys.exit(f"guestbook images: {error}")
