"""Three nodes on one host, each in a network namespace of its own; all use one engine.

    master ─┐
            ├─ link 1 ─ router ─ link 2 ─ far
    near  ──┘

`near` shares a link with the master, `far` is reached through the router. The router is a
namespace as well, so nothing of the host's own network takes part or is changed.
"""

import json
import os
import secrets
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from tests.lab.cluster import Cluster, eventually
from tests.lab.netns import sh

_ASK = """
import json, sys, urllib.request
def ask(url):
    try:
        return urllib.request.urlopen(url, timeout=3).read().decode()
    except OSError as error:
        return f"fault: {error}"
print(json.dumps([ask(url) for url in sys.argv[1:]]))
"""
_RESOLVE = """
import sys
from dnslib import DNSRecord
server, *names = sys.argv[1:]
for name in names:
    answer = DNSRecord.parse(DNSRecord.question(name).send(server, 53, timeout=3))
    print(*[str(record.rdata) for record in answer.rr])
"""


class Host:
    """One namespace with an address; `run` runs something in it."""

    def __init__(self, name: str, address: str, namespace: str) -> None:
        self.name = name
        self.address = address
        self.enter = ("nsenter", f"--net=/run/netns/{namespace}")

    def run(self, *argv: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([*self.enter, *argv], capture_output=True, text=True, timeout=60)

    def ask(self, *urls: str) -> list[str]:
        """What each URL answers from here."""
        return ask(self.enter, *urls)


class Worker:
    """A node that joins: its data, its agent's process, its log."""

    def __init__(
        self, host: Host, folder: Path, engine: tuple[str, ...], flags: tuple[str, ...] = ()
    ) -> None:
        self.host = host
        self.data = folder / host.name
        self.log = folder / f"{host.name}.log"
        self._engine = engine
        self._flags = flags
        self.process: subprocess.Popen[bytes] | None = None

    def argv(self, master: str, token: str) -> list[str]:
        given = ["--token", token] if token else []
        return [
            *self.host.enter, sys.executable, "-m", "appliance", "join", master, *given,
            "--data-dir", str(self.data), "--node-name", self.host.name, *self._engine,
            *self._flags,
        ]  # fmt: skip

    def join(self, master: str, token: str = "") -> None:
        with self.log.open("ab") as out:
            self.process = subprocess.Popen(self.argv(master, token), stdout=out, stderr=out)

    def stop(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(15)

    def close(self) -> None:
        self.stop()
        if (self.data / "cluster-id").exists():
            argv = [sys.executable, "-m", "appliance", "reset", "--data-dir", str(self.data)]
            done = self.host.run(*argv, *self._engine)
            assert done.returncode == 0, done.stderr

    def tail(self) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-30:])


class Fleet:
    """Namespaces, master and workers; `close` takes everything back."""

    def __init__(
        self, folder: Path, runtime: str, endpoint: str, *, proxy_mode: str = "auto"
    ) -> None:
        self._id = secrets.token_hex(3)
        self._namespaces: list[str] = []
        engine = ("--runtime", runtime, "--runtime-endpoint", endpoint)
        proxy = ("--proxy-mode", proxy_mode)
        self._router = self._namespace("router")
        self._in_router("sysctl", "-qw", "net.ipv4.ip_forward=1")
        for link in (1, 2):
            self._in_router("ip", "link", "add", f"link{link}", "type", "bridge")
            self._in_router("ip", "addr", "add", f"198.18.{link}.254/24", "dev", f"link{link}")
            self._in_router("ip", "link", "set", f"link{link}", "up")
        self.outside = Host("outside", "198.18.1.254", self._router)
        where = [self._host("master", 1, 1), self._host("near", 1, 2), self._host("far", 2, 1)]
        self.hosts = {host.name: host for host in where}
        self.master = Cluster(
            folder,
            runtime,
            endpoint,
            enter=where[0].enter,
            node="master",
            flags=proxy,
        )
        self.workers = {host.name: Worker(host, folder, engine, proxy) for host in where[1:]}

    @property
    def url(self) -> str:
        """The master as a worker is told of it."""
        return f"{self.hosts['master'].address}:{self.master.port}"

    def token(self, *options: str) -> str:
        made = self.master.appliance(
            "token", "create", "--data-dir", str(self.master.data), *options
        )
        return made.stdout.strip()

    def ready(self) -> set[str]:
        """Names of the nodes that are ready."""
        return {
            node["metadata"]["name"]
            for node in self.master.get("nodes")["items"]
            for c in node["status"].get("conditions", ())
            if (c["type"], c["status"]) == ("Ready", "True")
        }

    def start(self) -> float:
        """Start the master, join both workers; seconds from the first join until all are ready."""
        self.master.start()
        token = self.token()
        begun = time.monotonic()
        for worker in self.workers.values():
            worker.join(self.url, token)
        try:
            eventually(lambda: self.ready() == set(self.hosts), within_s=40)
        except AssertionError as late:
            logs = "\n".join(worker.tail() for worker in self.workers.values())
            raise AssertionError(f"{late}\n{logs}") from late
        return time.monotonic() - begun

    def close(self) -> None:
        with ThreadPoolExecutor() as pool:
            ends = [pool.submit(worker.close) for worker in self.workers.values()]
            ends.append(pool.submit(self._close_master))
        for end in ends:
            end.result()
        for namespace in self._namespaces:
            sh("ip", "netns", "del", namespace)

    def _close_master(self) -> None:
        if self.master.process is not None and self.master.process.poll() is None:
            self.master.stop()
        if (self.master.data / "cluster-id").exists():
            self.master.reset()

    def _host(self, name: str, link: int, number: int) -> Host:
        namespace, address = self._namespace(name), f"198.18.{link}.{number}"
        end = f"to-{name}"
        self._in_router(
            "ip", "link", "add", end, "type", "veth", "peer", "name", "eth0", "netns", namespace
        )
        self._in_router("ip", "link", "set", end, "master", f"link{link}", "up")
        inside = ("ip", "-n", namespace)
        sh(*inside, "addr", "add", f"{address}/24", "dev", "eth0")
        sh(*inside, "link", "set", "eth0", "up")
        sh(*inside, "route", "add", "default", "via", f"198.18.{link}.254")
        return Host(name, address, namespace)

    def _namespace(self, name: str) -> str:
        full = f"aplfleet-{self._id}-{name}"
        sh("ip", "netns", "add", full)
        self._namespaces.append(full)
        sh("ip", "-n", full, "link", "set", "lo", "up")
        return full

    def route(self, network: str, through: str) -> None:
        """Let the router send a network to one of the hosts."""
        self._in_router("ip", "route", "replace", network, "via", self.hosts[through].address)

    def _in_router(self, *argv: str) -> str:
        return sh("nsenter", f"--net=/run/netns/{self._router}", *argv)


def ask(enter: tuple[str, ...], *urls: str) -> list[str]:
    """What each URL answers, asked from where `enter` leads."""
    argv = [*enter, sys.executable, "-I", "-c", _ASK, *urls]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    found: list[str] = json.loads(done.stdout)
    return found


def resolve(enter: tuple[str, ...], server: str, *names: str) -> list[str]:
    """The addresses of each name, as a DNS server says."""
    argv = [*enter, sys.executable, "-c", _RESOLVE, server, *names]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def into_pod(pod: dict[str, Any]) -> tuple[str, ...]:
    """How to enter a pod's network: through a process that has the pod's name as HOSTNAME."""
    wanted = f"HOSTNAME={pod['metadata']['name']}".encode()
    for entry in filter(str.isdigit, os.listdir("/proc")):
        try:
            environ = Path(f"/proc/{entry}/environ").read_bytes()
        except OSError:
            continue
        if wanted in environ.split(b"\0"):
            return ("nsenter", f"--net=/proc/{entry}/ns/net")
    raise AssertionError(f"no process of {pod['metadata']['name']}")
