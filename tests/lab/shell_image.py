"""A small image for pods of tests: busybox under its usual names, in two versions."""

import asyncio
import platform
import shutil
from pathlib import Path

from appliance.kit.clock import SystemClock
from appliance.node.images.archive import File, Link, docker_archive
from appliance.node.runtimes.detect import open_runtime

SHELL = "appliance.local/lab-shell:1"
SHELL_2 = "appliance.local/lab-shell:2"
APPLETS = (
    "sh", "cat", "date", "dd", "df", "echo", "env", "false", "grep", "head", "hostname", "httpd",
    "id", "ip", "kill", "killall", "ls", "mkdir", "nc", "nslookup", "ping", "printf", "ps", "pwd",
    "rm", "sed", "sleep", "stat", "sync", "tail", "touch", "tr", "true", "udhcpc", "usleep", "wc",
    "wget", "yes",
)  # fmt: skip


def archive(name: str) -> bytes:
    """The image's docker-archive."""
    busybox = next(
        (p for p in ("/bin/busybox", shutil.which("busybox")) if p and Path(p).exists()), None
    )
    if busybox is None:
        raise FileNotFoundError("no busybox here to make images of; install busybox-static")
    files: dict[str, File | Link] = {"bin/busybox": File(Path(busybox).read_bytes(), 0o755)}
    files |= {f"bin/{applet}": Link("busybox") for applet in APPLETS}
    files["etc/passwd"] = File(b"root:x:0:0::/:/bin/sh\n")
    files["tmp/.keep"] = File(b"")
    config = {
        "Entrypoint": ["/bin/echo", "entry"],
        "Cmd": ["cmd"],
        "Env": ["PATH=/bin", f"FROM_IMAGE={name}"],
        "WorkingDir": "/tmp",
    }
    architecture = {"x86_64": "amd64", "aarch64": "arm64"}[platform.machine()]
    return docker_archive(name, files, architecture=architecture, config=config)


def load(kind: str) -> None:
    """Load both versions into an engine."""

    async def work() -> None:
        runtime = await open_runtime(kind, "", SystemClock())
        try:
            for name in (SHELL, SHELL_2):
                await runtime.load(archive(name))
        finally:
            await runtime.close()

    asyncio.run(work())
