"""Servers of one cluster as processes of this host, over a datastore that they share."""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from appliance.client.http import HttpClient
from appliance.client.kubeconfig import read_kubeconfig

UP_S = 60.0


class Server:
    """One `appliance server` without an agent."""

    def __init__(self, data: Path, endpoint: str, *flags: str) -> None:
        self.data = data
        self.log = data.with_name(data.name + ".log")
        self._argv = [
            *(sys.executable, "-m", "appliance", "server", "--disable-agent"),
            *("--data-dir", str(data), "--datastore-endpoint", endpoint),
            *("--bind-address", "127.0.0.1", "--https-listen-port", "0"),
            *("--node-name", data.name, *flags),
        ]
        if not any(flag == "--etcd-listen-client-urls" for flag in flags):
            self._argv += ["--etcd-listen-client-urls", ""]
        self._process: asyncio.subprocess.Process | None = None
        self.client: HttpClient = None  # type: ignore[assignment]  # there once it runs

    async def start(self) -> None:
        kubeconfig = self.data / "server" / "admin.kubeconfig"
        kubeconfig.unlink(missing_ok=True)
        with self.log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *self._argv, stdout=log, stderr=log
            )
        async with asyncio.timeout(UP_S):
            while not kubeconfig.exists():
                assert self._process.returncode is None, self.log.read_text()[-3000:]
                await asyncio.sleep(0.05)
        self.client = HttpClient(read_kubeconfig(kubeconfig))

    @property
    def runs(self) -> bool:
        return self._process is not None and self._process.returncode is None

    async def refused(self) -> str:
        """Start, expect it to end by itself; returns what it said."""
        with self.log.open("ab") as log:
            process = await asyncio.create_subprocess_exec(*self._argv, stdout=log, stderr=log)
        async with asyncio.timeout(UP_S):
            assert await process.wait() == 1
        return self.log.read_text()

    async def end(self, sign: int = signal.SIGTERM) -> None:
        if self._process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.kill(self._process.pid, sign)
        async with asyncio.timeout(30):
            await self._process.wait()
        self._process = None
        await self.client.close()


@asynccontextmanager
async def servers(*those: Server) -> AsyncIterator[None]:
    """Start all, end all."""
    try:
        for server in those:
            await server.start()
        yield
    finally:
        for server in those:
            await server.end(signal.SIGKILL)
