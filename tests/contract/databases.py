"""Databases that tests start: Debian's etcd and PostgreSQL, on free ports, gone afterwards."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from appliance.store.remote.endpoints import Endpoint, EtcdAddress
from appliance.store.sql.postgres.database import conninfo

_UP_S = 30.0
NOBODY = 65534
_AS_NOBODY: Any = {"user": NOBODY, "group": NOBODY, "extra_groups": []} if os.getuid() == 0 else {}


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
        self.cluster = [*self._cluster, "--initial-advertise-peer-urls", peer]
        """For `etcdctl snapshot restore`, which wants to know who will start from it."""
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

    def freeze(self) -> None:
        """Stop without closing anything; `kill` ends it."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

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


class PostgresServer:
    """Debian's PostgreSQL on a free port, run as nobody: it refuses to be root."""

    def __init__(self, folder: Path, *settings: str) -> None:
        self.port = free_port()
        self._folder = folder
        self._log = folder / "log"
        self._settings = [
            *(
                f"port={self.port}",
                "listen_addresses=127.0.0.1",
                f"unix_socket_directories={folder}",
            ),
            *("fsync=off", "max_connections=50", "shared_buffers=16MB", *settings),
        ]
        self._env = dict(os.environ)
        if libraries := os.environ.get("APPLIANCE_POSTGRES_LIBS"):  # unpacked by scripts/test
            self._env["LD_LIBRARY_PATH"] = libraries
        self._process: subprocess.Popen[bytes] | None = None

    def make(self) -> None:
        self._log.touch()
        os.chown(self._folder, NOBODY, NOBODY)
        os.chown(self._log, NOBODY, NOBODY)
        flags = ["--no-sync", "--auth=trust", "--username=appliance", "--encoding=UTF8"]
        argv = [str(_postgres("initdb")), *flags, "--locale=C", "-D", str(self._folder / "data")]
        subprocess.run(
            argv, check=True, capture_output=True, timeout=60, env=self._env, **_AS_NOBODY
        )

    def start(self) -> None:
        flags = [flag for setting in self._settings for flag in ("-c", setting)]
        argv = [str(_postgres("postgres")), "-D", str(self._folder / "data"), *flags]
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                argv, stdout=log, stderr=log, env=self._env, **_AS_NOBODY
            )
        wait_until(self._serves, self._log)

    def kill(self, sign: int = signal.SIGKILL) -> None:
        """By default as at a power cut; SIGINT closes all sessions first."""
        if self._process is not None:
            self._process.send_signal(sign)
            self._process.wait(30)
            self._process = None

    def url(self, schema: str) -> str:
        """A database that has this schema alone; it must have been made."""
        options = f"options=-csearch_path%3D{schema}"
        return f"postgresql+psycopg://appliance@127.0.0.1:{self.port}/postgres?{options}"

    def conninfo(self, schema: str) -> str:
        return conninfo(self.url(schema))

    def make_schema(self, name: str) -> None:
        with psycopg.connect(conninfo(self.url("public")), autocommit=True) as connection:
            connection.execute(f"CREATE SCHEMA {name}")

    def _serves(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, self._log.read_text()[-2000:]
        with contextlib.suppress(psycopg.OperationalError):
            psycopg.connect(conninfo(self.url("public")), autocommit=True).close()
            return True
        return False


def _postgres(name: str) -> Path:
    """A server program: in the path, or where Debian keeps it."""
    if found := shutil.which(name):
        return Path(found)
    kept = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    if not kept:
        pytest.skip("there is no PostgreSQL on this machine; scripts/test fetches it")
    return kept[-1]


@contextlib.contextmanager
def postgres(*settings: str) -> Iterator[PostgresServer]:
    """A running server with an empty database."""
    with tempfile.TemporaryDirectory(dir="/tmp", prefix="postgres-") as name:
        server = PostgresServer(Path(name), *settings)
        server.make()
        server.start()
        try:
            yield server
        finally:
            server.kill(signal.SIGINT)
