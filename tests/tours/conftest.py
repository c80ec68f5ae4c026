"""One real cluster, and every kubectl in the folder KUBECTLS (files named kubectl-1.28, …)."""

import asyncio
import os
import re
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from appliance.kit.clock import SystemClock
from appliance.node.runtimes.base import Unreachable
from appliance.node.runtimes.detect import default_endpoint, open_runtime
from tests.lab import shell_image
from tests.lab.cluster import KUBECTL, Cluster

_LOOK_S = 0.2


def programs() -> list[Path]:
    """The kubectls to take along; without a folder the one that is installed."""
    folder = os.environ.get("KUBECTLS", "")
    found = sorted(Path(folder).glob("kubectl-*")) if folder else []
    return found or [Path(KUBECTL)]


@dataclass
class Guide:
    """Runs one kubectl in a namespace and a home of its own; notes which subcommands were used."""

    program: Path
    cluster: Cluster
    home: Path
    namespace: str
    used: set[str] = field(default_factory=set)

    @property
    def minor(self) -> int:
        """`28` of kubectl-1.28."""
        found = re.search(r"-1\.(\d+)", self.program.name)
        return int(found[1]) if found else 99

    def run(self, *argv: str, stdin: str = "", **env: str) -> subprocess.CompletedProcess[str]:
        """Whatever comes of it."""
        words = [word for word in argv if not word.startswith("-")]
        self.used.add(words[0])
        return subprocess.run(
            [self.program, "-n", self.namespace, *argv]
            if argv[0] not in _BARE
            else [self.program, *argv],
            input=stdin,
            capture_output=True,
            text=True,
            timeout=90,
            env={
                "HOME": str(self.home),
                "KUBECONFIG": str(self.cluster.kubeconfig),
                "PATH": os.environ["PATH"],
                **env,
            },
        )

    def __call__(self, *argv: str, stdin: str = "", **env: str) -> str:
        """It succeeds and has nothing to complain about."""
        done = self.run(*argv, stdin=stdin, **env)
        told = f"{self.program.name} {' '.join(argv)}\n{done.stdout[-800:]}\n{done.stderr[-800:]}"
        assert (done.returncode, done.stderr) == (0, ""), told
        return done.stdout

    def fails(self, *argv: str, code: int = 1, stdin: str = "") -> str:
        """It fails with this code and this text."""
        done = self.run(*argv, stdin=stdin)
        assert done.returncode == code, f"{argv}: {done.stdout}{done.stderr}"
        return done.stderr

    def until(self, text: str, *argv: str) -> str:
        """Ask until the answer has this in it."""
        end = time.monotonic() + 40
        while text not in (found := self.run(*argv).stdout):
            assert time.monotonic() < end, f"{argv}: no {text!r} in {found}"
            time.sleep(_LOOK_S)
        return found


_BARE = frozenset({"completion", "options", "kustomize", "plugin", "version", "config"})


async def _load() -> str:
    try:
        runtime = await open_runtime("docker", "", SystemClock())
    except Unreachable as absent:
        return str(absent)
    for name in (shell_image.SHELL, shell_image.SHELL_2):
        await runtime.load(shell_image.archive(name))
    await runtime.close()
    return ""


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    if why := asyncio.run(_load()):
        pytest.skip(why)
    made = Cluster(tmp_path_factory.mktemp("tours"), "docker", default_endpoint("docker"))
    try:
        made.start()
        yield made
        made.stop()
    finally:
        if made.process is not None and made.process.poll() is None:
            made.kill()
        made.reset()


@pytest.fixture(scope="session", params=programs(), ids=lambda path: path.name)
def guide(
    request: pytest.FixtureRequest, cluster: Cluster, tmp_path_factory: pytest.TempPathFactory
) -> Any:
    program: Path = request.param
    name = re.sub(r"[^a-z0-9]+", "-", f"tour-{program.name}")
    made = Guide(program, cluster, tmp_path_factory.mktemp(name), name)
    cluster.kubectl("create", "namespace", name)
    return made
