"""A whole one-node cluster of the test's own: server process, free ports and address ranges."""

import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

KUBECTL = str(Path(sys.executable).with_name("kubectl"))
_LOOK_S = 0.1  # kubectl and sockets give no events to a test; this is how often it looks


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


class Cluster:
    """One server with its agent; `endpoint` is the engine's socket.

    `enter` is put before every command: how to get where the cluster is.
    """

    def __init__(
        self,
        folder: Path,
        runtime: str,
        endpoint: str,
        *,
        enter: Sequence[str] = (),
        node: str = "",
        flags: Sequence[str] = (),
    ) -> None:
        second, third = 128 + secrets.randbelow(64), 192 + secrets.randbelow(58)
        self.data = folder / "data"
        self.log = folder / "server.log"
        self.port = free_port()
        self.cidr, self.services = f"10.{second}.0.0/16", f"10.{third}.0.0/16"
        self.node = node or f"e2e-{secrets.token_hex(3)}"
        self.enter = tuple(enter)
        self._argv = [
            *enter, sys.executable, "-m", "appliance", "server",
            "--data-dir", str(self.data), "--https-listen-port", str(self.port),
            "--kubelet-port", str(free_port()), "--node-name", self.node,
            "--cluster-cidr", self.cidr, "--service-cidr", self.services,
            "--runtime", runtime, "--runtime-endpoint", endpoint, *flags,
        ]  # fmt: skip
        self.ingress_port = 0
        """Where HTTP requests come in, if somebody gave the flags for that."""
        self.runtime = runtime
        self._engine = ["--runtime", runtime, "--runtime-endpoint", endpoint]
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def kubeconfig(self) -> Path:
        return self.data / "server" / "admin.kubeconfig"

    @property
    def cluster_id(self) -> str:
        return (self.data / "cluster-id").read_text().strip()

    def start(self) -> None:
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as out:
            self.process = subprocess.Popen(self._argv, stdout=out, stderr=out)
        found = self.appliance("status", "--data-dir", str(self.data), "--wait", "60s", check=False)
        assert found.returncode == 0, f"{found.stdout}\n{self.tail()}"

    def stop(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(15)

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def agent_pid(self) -> int:
        """The server's child."""
        assert self.process is not None
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text()
        return int(children.split()[0])

    def reset(self) -> None:
        self.appliance("reset", "--data-dir", str(self.data), *self._engine)

    def tail(self, lines: int = 40) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])

    def appliance(self, *args: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        argv = [*self.enter, sys.executable, "-m", "appliance", *args]
        return subprocess.run(argv, check=check, capture_output=True, text=True)

    def start_appliance(self, *args: str) -> subprocess.Popen[str]:
        """The same in the background."""
        argv = [*self.enter, sys.executable, "-m", "appliance", *args]
        pipe = subprocess.PIPE
        return subprocess.Popen(argv, stdout=pipe, stderr=pipe, text=True)

    def run(self, *args: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        """kubectl, whatever comes of it."""
        env = {**os.environ, "KUBECONFIG": str(self.kubeconfig), "HOME": str(self.data)}
        return subprocess.run(
            [*self.enter, KUBECTL, *args],
            input=stdin,
            capture_output=True,
            text=True,
            env=env,
            timeout=120,
        )

    def kubectl(self, *args: str, stdin: str = "") -> str:
        """kubectl without errors or warnings."""
        done = self.run(*args, stdin=stdin)
        assert done.returncode == 0, f"kubectl {args}: {done.stderr}\n{self.tail()}"
        return done.stdout

    def get(self, *args: str) -> Any:
        return json.loads(self.kubectl("get", *args, "-o", "json"))

    def revision(self) -> int:
        """The store's revision, as a list of all pods shows it."""
        found = json.loads(self.kubectl("get", "--raw", "/api/v1/pods"))
        return int(found["metadata"]["resourceVersion"])

    def apply(self, manifest: str) -> None:
        self.kubectl("apply", "-f", "-", stdin=manifest)

    def pods(self, selector: str) -> list[dict[str, Any]]:
        """Pods that are not on their way out."""
        found = self.get("pods", "-l", selector)["items"]
        return [p for p in found if "deletionTimestamp" not in p["metadata"]]

    def running(self, selector: str) -> list[dict[str, Any]]:
        return [p for p in self.pods(selector) if is_ready(p)]


def is_ready(pod: dict[str, Any]) -> bool:
    conditions = pod["status"].get("conditions", [])
    return any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)


def eventually(what: Callable[[], Any], within_s: float = 60.0) -> Any:
    """Call until it gives something true; returns that, or fails with the last value."""
    end = time.monotonic() + within_s
    while True:
        found = what()
        if found:
            return found
        assert time.monotonic() < end, f"not within {within_s} s: {found!r}"
        time.sleep(_LOOK_S)
