"""Images that outside suites name, made of this host's own busybox and Python.

No registry is asked: one file system under all the names, each with the command that the suites
expect of it. Called by `api_suites`.
"""

import asyncio
import platform
import subprocess
import sys
from pathlib import Path

from appliance.kit.clock import SystemClock
from appliance.node.images.archive import File, Link, docker_archive
from appliance.node.runtimes.detect import open_runtime
from appliance.testing.nodeimage.contents import Node, complete, python

_PAGES = "/usr/share/nginx/html"
_SERVE = ["httpd", "-f", "-p", "80", "-h", _PAGES]
_COMMANDS = {
    "busybox": ["sh"],
    "nginx": _SERVE,
    "nginx:1.7.9": _SERVE,
    "nginx:1.10": _SERVE,
    "nginx:1.15.4": _SERVE,
    "nginx:1.21.4": _SERVE,
    "ubuntu": ["sh"],
    "python": ["python"],
    "k8s.gcr.io/pause:2.0": ["sleep", "100000"],
    "registry.k8s.io/pause:3.9": ["sleep", "100000"],
}
_BUSYBOX = Path("/bin/busybox")


def _root() -> dict[str, File | Link]:
    """Busybox under all its names, and Python."""
    node = Node("podman")
    python(node)
    files: dict[str, File | Link] = {}
    for at, content in asyncio.run(complete(node)).items():
        if isinstance(content, Path):
            mode = 0o755 if content.stat().st_mode & 0o100 else 0o644
            files[at.lstrip("/")] = File(content.read_bytes(), mode)
        elif isinstance(content, File | Link):
            files[at.lstrip("/")] = content
    applets = subprocess.run([_BUSYBOX, "--list"], capture_output=True, text=True, check=True)
    for applet in applets.stdout.split():
        files.setdefault(f"bin/{applet}", Link("/bin/busybox"))
    files |= {
        "bin/busybox": File(_BUSYBOX.read_bytes(), 0o755),
        "bin/bash": Link("/bin/busybox"),
        "bin/python": Link(str(Path(sys.executable).resolve())),
        "etc/passwd": File(b"root:x:0:0::/:/bin/sh\n"),
        "tmp/.keep": File(b""),
        f"{_PAGES[1:]}/index.html": File(b"<h1>Welcome to nginx!</h1>\n"),
    }
    return files


def load(kind: str) -> None:
    """Load every image into an engine."""
    files = _root()
    architecture = {"x86_64": "amd64", "aarch64": "arm64"}[platform.machine()]

    async def work() -> None:
        runtime = await open_runtime(kind, "", SystemClock())
        try:
            for name, command in _COMMANDS.items():
                config = {"Cmd": command, "Env": ["PATH=/bin:/usr/bin:/usr/local/bin"]}
                full = name if ":" in name else f"{name}:latest"
                archive = docker_archive(full, files, architecture=architecture, config=config)
                await runtime.load(archive)
        finally:
            await runtime.close()

    asyncio.run(work())
