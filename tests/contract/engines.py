"""The engines that contract suites run on, and the images they need.

An image here is busybox and a script that says how the container behaves, so that one suite can
drive real engines and the fake: SLEEPER runs until stopped, DEAF ignores SIGTERM, FAILING ends at
once with code 3.
"""

import contextlib
import platform
import shutil
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from appliance.kit.clock import SystemClock
from appliance.node.images.archive import File, Link, docker_archive
from appliance.node.runtimes.base import NotThere, Runtime, RuntimeFault, Unreachable
from appliance.node.runtimes.detect import open_runtime
from appliance.node.runtimes.fake import FakeRuntime

SLEEPER = "appliance.local/contract-sleeper:1"
DEAF = "appliance.local/contract-deaf:1"
FAILING = "appliance.local/contract-failing:1"

SAID = "to out"
COMPLAINED = "to err"
SCRIPTS = {
    SLEEPER: f"trap 'exit 143' TERM; echo {SAID}; echo {COMPLAINED} >&2; sleep 60 & wait",
    DEAF: "trap '' TERM; sleep 60 & wait",
    FAILING: "exit 3",
}
APPLETS = (
    "sh",
    "dd",
    "true",
    "sleep",
    "echo",
    "cat",
    "id",
    "pwd",
    "hostname",
    "yes",
    "tail",
    "ls",
    "stat",
    "stty",
)


@dataclass(frozen=True, slots=True)
class Engine:
    """An engine under test."""

    name: str
    runtime: Runtime

    @property
    def real(self) -> bool:
        return self.name != "fake"


def archive(image: str) -> bytes:
    """The docker-archive of one of the images."""
    busybox = next(
        (p for p in ("/bin/busybox", shutil.which("busybox")) if p and Path(p).exists()), None
    )
    if busybox is None:
        pytest.skip("no busybox here to make images of; install busybox-static")
    files: dict[str, File | Link] = {"bin/busybox": File(Path(busybox).read_bytes(), 0o755)}
    files |= {f"bin/{applet}": Link("busybox") for applet in APPLETS}
    files["etc/passwd"] = File(b"root:x:0:0::/:/bin/sh\n")
    files["tmp/.keep"] = File(b"")
    architecture = {"x86_64": "amd64", "aarch64": "arm64"}[platform.machine()]
    config = {
        "Entrypoint": ["/bin/sh", "-c", SCRIPTS[image]],
        "Env": ["PATH=/bin", "FROM_IMAGE=yes"],
    }
    return docker_archive(image, files, architecture=architecture, config=config)


@contextlib.asynccontextmanager
async def open_engine(name: str) -> AsyncIterator[Engine]:
    """Open an engine with all images loaded; skip where it is absent."""
    if name == "fake":
        yield Engine(name, _fake())
        return
    try:
        runtime = await open_runtime(name, "", SystemClock())
    except Unreachable as error:
        pytest.skip(str(error))
    try:
        for image in SCRIPTS:
            await runtime.load(archive(image))
        yield Engine(name, runtime)
    finally:
        for image in SCRIPTS:
            await _remove_image(runtime, image)
        await runtime.close()


async def _remove_image(runtime: Runtime, image: str) -> None:
    """Take an image back, unless containers that are not this run's use the very same one."""
    try:
        await runtime.remove_image(image)
    except NotThere:
        return
    except RuntimeFault as fault:
        if "in use" not in str(fault) and "is using" not in str(fault):
            raise


def _fake() -> Runtime:
    runtime = FakeRuntime(SystemClock(), images=tuple(SCRIPTS))
    runtime.deaf = {DEAF}
    runtime.on_start = {FAILING: 3}
    return runtime
