"""The sandbox program: it waits, it reaps, it ends when asked."""

import json
import platform
import shutil
import signal
import subprocess
import tarfile
import time
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import pytest

from appliance.node.images.pause import (
    PAUSE_IMAGE,
    UnknownProcessor,
    ensure_pause,
    pause_archive,
    pause_program,
)

MACHINES = ("x86_64", "aarch64")


@pytest.fixture(params=MACHINES)
def launcher(request: pytest.FixtureRequest, tmp_path: Path) -> list[str]:
    """How to run the program of each processor here."""
    program = tmp_path / "pause"
    program.write_bytes(pause_program(request.param))
    program.chmod(0o755)
    if platform.machine() == request.param:
        return [str(program)]
    emulator = shutil.which(f"qemu-{request.param}-static") or shutil.which(f"qemu-{request.param}")
    if emulator is None:
        pytest.skip(f"no emulator for {request.param} here")
    return [emulator, str(program)]


@pytest.fixture
def running(launcher: list[str]) -> Iterator[subprocess.Popen[bytes]]:
    # A child made before exec stays the program's child afterwards: somebody to reap.
    shell = ["sh", "-c", 'sleep 1 & echo $!; exec "$@" >/dev/null', "sh", *launcher]
    with subprocess.Popen(shell, stdout=subprocess.PIPE) as process:
        yield process
        process.kill()


def is_reaped(pid: int, deadline_s: float) -> bool:
    """Whether the process has ended and its parent took note, in time."""
    deadline = time.monotonic() + deadline_s
    while Path(f"/proc/{pid}").exists():  # it stays there as a zombie until reaped
        if time.monotonic() > deadline:
            return False
        time.sleep(0.005)
    return True


@pytest.mark.parametrize("ask", [signal.SIGTERM, signal.SIGINT])
def test_it_reaps_children_and_ends_when_asked(
    running: subprocess.Popen[bytes], ask: signal.Signals
) -> None:
    assert running.stdout is not None
    child = int(running.stdout.readline())

    assert is_reaped(child, 20)
    assert running.poll() is None, "the end of a child is not its own"

    running.send_signal(ask)
    assert running.wait(timeout=20) == 0


@pytest.mark.parametrize("machine", MACHINES)
def test_it_is_small(machine: str) -> None:
    assert len(pause_program(machine)) < 300


def test_an_unknown_processor_is_named() -> None:
    with pytest.raises(UnknownProcessor, match=r"'riscv64'.*x86_64, aarch64"):
        pause_program("riscv64")


def test_the_archive_says_what_to_run_and_is_the_same_each_time() -> None:
    archive = pause_archive("aarch64")
    with tarfile.open(fileobj=BytesIO(archive)) as tar:
        (manifest,) = json.load(tar.extractfile("manifest.json"))  # type: ignore[arg-type]
        image = json.load(tar.extractfile(manifest["Config"]))  # type: ignore[arg-type]

    assert manifest["RepoTags"] == [PAUSE_IMAGE]
    assert image["architecture"] == "arm64"
    assert image["config"]["Entrypoint"] == ["/pause"]
    assert pause_archive("aarch64") == archive


async def test_it_is_loaded_where_it_is_missing_only() -> None:
    class Engine:
        loads = 0

        async def image(self, name: str) -> str | None:
            return name if self.loads else None

        async def load(self, archive: bytes) -> None:
            assert archive
            self.loads += 1

    engine = Engine()
    for _ in range(2):
        await ensure_pause(engine)  # type: ignore[arg-type]
    assert engine.loads == 1
