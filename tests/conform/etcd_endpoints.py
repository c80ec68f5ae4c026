"""Two etcd endpoints for a test, ours and Debian's real one, and etcdctl to ask both."""

import asyncio
import os
import re
import shutil
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from appliance.kit.clock import SystemClock
from appliance.store.options import StoreOptions
from appliance.store.serve.identity import Identity
from appliance.store.serve.server import EtcdServer, ServeOptions
from appliance.store.sql.store import SqlStore

ETCDCTL, ETCD = shutil.which("etcdctl"), shutil.which("etcd")
OURS = Identity(
    cluster_id=0xC1C1C1C1C1C1C1C1,
    member_id=0xA1A1A1A1A1A1A1A1,
    client_urls=("http://127.0.0.1:1",),
    peer_urls=("http://127.0.0.1:2",),
)
_TIMEOUT_S = 20


@dataclass(frozen=True)
class Said:
    """What a command left behind."""

    code: int
    out: str
    err: str


class Etcdctl:
    """Runs etcdctl against one endpoint."""

    def __init__(self, url: str) -> None:
        self.url = url

    async def __call__(self, *argv: str, stdin: str = "") -> Said:
        process = await self.start(*argv)
        async with asyncio.timeout(_TIMEOUT_S):
            out, err = await process.communicate(stdin.encode())
        assert process.returncode is not None
        return Said(process.returncode, out.decode(), _without_log_prefix(err.decode()))

    async def start(self, *argv: str) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            str(ETCDCTL),
            f"--endpoints={self.url}",
            *argv,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env={"ETCDCTL_API": "3", "PATH": os.environ["PATH"]},
        )

    async def lines(self, wanted: int, *argv: str) -> list[str]:
        """The first lines of a command that does not end by itself."""
        process = await self.start(*argv)
        assert process.stdout is not None
        try:
            async with asyncio.timeout(_TIMEOUT_S):
                return [(await process.stdout.readline()).decode() for _ in range(wanted)]
        finally:
            process.kill()
            await process.communicate()


def _without_log_prefix(text: str) -> str:
    """Warnings of the client library name times and pointers."""
    return "\n".join(
        re.sub(r'^\{"level":"warn".*"error":"(.*)"\}$', r"warn: \1", line)
        for line in text.splitlines()
    )


@asynccontextmanager
async def ours(folder: Path, quota_bytes: int = -1) -> AsyncIterator[str]:
    """Our endpoint on a fresh store."""
    clock = SystemClock()
    async with AsyncExitStack() as stack:
        options = StoreOptions(keep_history_s=0)
        store = await SqlStore.open(folder / "ours" / "state.db", options, clock)
        stack.push_async_callback(store.close)
        server = EtcdServer(store, OURS, clock, ServeOptions(quota_bytes=quota_bytes))
        stack.push_async_callback(server.stop)
        yield f"http://127.0.0.1:{await server.listen('127.0.0.1', 0)}"


@asynccontextmanager
async def real(folder: Path, *flags: str) -> AsyncIterator[str]:
    """A real etcd on a fresh directory."""
    client, peer = (f"http://127.0.0.1:{port}" for port in _free_ports(2))
    log = (folder / "etcd.log").open("wb")
    process = await asyncio.create_subprocess_exec(
        str(ETCD),
        *("--data-dir", str(folder / "real")),
        *("--listen-client-urls", client, "--advertise-client-urls", client),
        *("--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer),
        *("--initial-cluster", f"default={peer}", "--log-level", "error"),
        *flags,
        stdout=log,
        stderr=log,
    )
    try:
        await until_open(client)
        yield client
    finally:
        process.kill()
        await process.wait()
        log.close()


async def until_open(url: str) -> None:
    """Wait until somebody listens."""
    host, port = url.removeprefix("http://").split(":")
    async with asyncio.timeout(_TIMEOUT_S):
        while True:
            try:
                _, writer = await asyncio.open_connection(host, int(port))
            except ConnectionRefusedError:
                await asyncio.sleep(0.02)  # another program's start gives us no event
                continue
            writer.close()
            await writer.wait_closed()
            return


def _free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [int(sock.getsockname()[1]) for sock in sockets]
    for sock in sockets:
        sock.close()
    return ports
