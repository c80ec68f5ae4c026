"""Pods outlive the death of their engine, and the driver finds them again.

Each test runs an engine of its own, beside the host's usual one, and kills it.
"""

import asyncio
import contextlib
import gc
import json
import os
import secrets
import shutil
import signal
import subprocess
import tempfile
import warnings
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from appliance.host.engines import DAEMONS, EngineError, Engines, Kind
from appliance.kit.clock import SystemClock
from appliance.node.runtimes.base import ContainerSpec, Runtime, State, Unreachable
from appliance.node.runtimes.detect import open_runtime
from tests.contract.engines import DEAF, archive

MARKS = {"appliance.test": f"restart-{secrets.token_hex(4)}"}

pytestmark = [pytest.mark.slow, pytest.mark.root]


@dataclass(frozen=True, slots=True)
class Own:
    """An engine that this test may kill."""

    kind: Kind
    engines: Engines

    @property
    def endpoint(self) -> str:
        return f"unix://{self.engines.sockets[self.kind]}"

    def kill(self) -> None:
        pid = json.loads((self.engines.run_dir / "engine.json").read_text())["pid"]
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


@pytest.fixture(
    params=[
        pytest.param("docker", marks=pytest.mark.docker),
        pytest.param("podman", marks=pytest.mark.podman),
    ]
)
async def own(request: pytest.FixtureRequest) -> AsyncIterator[Own]:
    kind: Kind = request.param
    if os.geteuid() != 0:
        pytest.skip("needs root")
    if shutil.which(DAEMONS[kind]) is None:
        pytest.skip(f"{DAEMONS[kind]} is not installed")
    folder = Path(tempfile.mkdtemp(prefix="apl-", dir="/var/tmp"))  # short: sockets lie in it
    sockets: dict[Kind, str] = {"docker": f"{folder}/d.sock", "podman": f"{folder}/p.sock"}
    engines = Engines(run_dir=folder, clock=SystemClock(), sockets=sockets, store=folder / "s")
    try:
        await engines.ensure(kind)
        yield Own(kind, engines)
    finally:
        await _clear(kind, f"unix://{sockets[kind]}")
        assert "stopped" in await engines.stop()
        _unmount(folder)
        shutil.rmtree(folder)


def _unmount(folder: Path) -> None:
    """Podman leaves its store mounted on itself."""
    mounts = [line.split()[1] for line in Path("/proc/mounts").read_text().splitlines()]
    for mount in sorted((m for m in mounts if m.startswith(f"{folder}/")), reverse=True):
        subprocess.run(["umount", mount], check=True)


async def _clear(kind: Kind, endpoint: str) -> None:
    runtime = await open_runtime(kind, endpoint, SystemClock())
    for left in await runtime.list(MARKS):
        await runtime.remove(left.id)
    await runtime.close()


# both SDKs leave the socket of a failed connect to the collector, whenever that comes
@pytest.mark.filterwarnings("ignore::ResourceWarning")
async def test_a_container_outlives_its_engine_and_is_found_again(own: Own) -> None:
    clock = SystemClock()
    runtime = await open_runtime(own.kind, own.endpoint, clock)
    try:
        await runtime.load(archive(DEAF))
        spec = ContainerSpec(name=MARKS["appliance.test"], image=DEAF, marks=MARKS)
        container_id = await runtime.create(spec)
        await runtime.start(container_id)
        before = await runtime.inspect(container_id)
        watching = asyncio.ensure_future(_watch(runtime))

        own.kill()
        with pytest.raises(Unreachable, match=r"\.sock"):
            await watching
        with pytest.raises(Unreachable, match="scripts/engine"):
            await runtime.inspect(container_id)
        os.kill(before.pid, 0)  # it is still there

        await own.engines.ensure(own.kind)
        (found,) = await runtime.list(MARKS)
        assert (found.id, found.pid, found.state) == (container_id, before.pid, State.RUNNING)
        await runtime.stop(container_id, 0)
        assert (await runtime.inspect(container_id)).state is State.EXITED
    finally:
        await runtime.close()
        with warnings.catch_warnings(action="ignore", category=ResourceWarning):
            gc.collect()  # both SDKs leave the socket of a failed connect to the collector


async def _watch(runtime: Runtime) -> None:
    async for _ in runtime.events(MARKS):
        pass


async def test_an_engine_that_can_not_start_says_what_it_said(tmp_path: Path) -> None:
    if shutil.which("podman") is None or os.geteuid() != 0:
        pytest.skip("needs root and podman")
    sockets: dict[Kind, str] = {"docker": "/no/such", "podman": str(tmp_path / "p.sock")}
    (tmp_path / "s").write_text("a file where a folder should be")
    engines = Engines(run_dir=tmp_path, clock=SystemClock(), sockets=sockets, store=tmp_path / "s")
    with pytest.raises(EngineError, match="ended with code"), contextlib.suppress(OSError):
        await engines.ensure("podman")
