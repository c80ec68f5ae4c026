"""Databases that tests start: Debian's etcd, on free ports, gone afterwards."""

import contextlib
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from appliance.store.remote.endpoints import Endpoint, EtcdAddress

_UP_S = 30.0


def free_port() -> int:
    """A port that nobody has."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


class EtcdMember:
    """A cluster of one; quick to elect itself, and not made for power cuts."""

    def __init__(self, data: Path, *flags: str, scheme: str = "http", peer: str = "") -> None:
        self.port = free_port()
        self.url = f"{scheme}://127.0.0.1:{self.port}"
        peer = peer or f"http://127.0.0.1:{free_port()}"
        self._log = data.with_name(data.name + ".log")
        self._argv = [
            *(_program("etcd"), "--data-dir", str(data), "--unsafe-no-fsync"),
            *("--listen-client-urls", self.url, "--advertise-client-urls", self.url),
            *("--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer),
            *("--heartbeat-interval", "10", "--election-timeout", "100", *flags),
        ]
        self._cluster = ["--initial-cluster", f"default={peer}"]
        self._process: subprocess.Popen[bytes] | None = None

    def join(self, name: str, cluster: str) -> None:
        """Be one of several."""
        self._cluster = ["--name", name, "--initial-cluster", cluster]

    @property
    def address(self) -> EtcdAddress:
        """For our client."""
        return EtcdAddress((self.endpoint,))

    @property
    def endpoint(self) -> Endpoint:
        return Endpoint("127.0.0.1", self.port)

    def start(self) -> None:
        self.launch()
        self.wait()

    def launch(self) -> None:
        with self._log.open("wb") as log:
            argv = [*self._argv, *self._cluster]
            self._process = subprocess.Popen(argv, stdout=log, stderr=log)

    def wait(self) -> None:
        wait_until(self._serves, self._log)

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def _serves(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, self._log.read_text()[-2000:]
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
            return b"ready to serve client requests" in self._log.read_bytes()
        return False


def _program(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"there is no {name} on this machine; scripts/test fetches it")
    return found


def wait_until(serves: Callable[[], bool], log: Path) -> None:
    """Ask until it does; the log tells why if it does not."""
    deadline = time.monotonic() + _UP_S
    while not serves():
        assert time.monotonic() < deadline, log.read_text()[-2000:]
        time.sleep(0.01)


@contextlib.contextmanager
def etcd(data: Path) -> Iterator[EtcdMember]:
    """A running member."""
    member = EtcdMember(data)
    member.start()
    try:
        yield member
    finally:
        member.kill()


@contextlib.contextmanager
def etcd_cluster(folder: Path) -> Iterator[list[EtcdMember]]:
    """Three members."""
    peers = [f"http://127.0.0.1:{free_port()}" for _ in range(3)]
    cluster = ",".join(f"m{n}={peer}" for n, peer in enumerate(peers))
    members = [EtcdMember(folder / f"m{n}", peer=peer) for n, peer in enumerate(peers)]
    for n, member in enumerate(members):
        member.join(f"m{n}", cluster)
    try:
        for member in members:
            member.launch()
        for member in members:
            member.wait()
        yield members
    finally:
        for member in members:
            member.kill()
