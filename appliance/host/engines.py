"""Make sure that a container engine answers: find it, start it, install it, in this order.

`make up` calls it through `scripts/engine`; nothing else imports it. It needs the standard
library only, so that it runs before the Python environment is complete. What it starts is
written down in `<run dir>/engine.json`, so that `stop` ends just that and nothing of others.

How we start an engine that nobody else runs:

* dockerd without bridge and without iptables. Pods get their links from our own bridge
  (network "none"), and dockerd's rules would set the FORWARD policy to DROP, which cuts the
  traffic between pods and breaks hosts that route for others.
* podman with a `containers.conf` for what this host lacks: see `podman_conf`.
"""

import argparse
import asyncio
import ctypes.util
import http.client
import json
import os
import shutil
import signal
import socket
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from appliance.kit import limits, subproc
from appliance.kit.atomicfile import write_atomic
from appliance.kit.clock import Clock, SystemClock

Kind = Literal["docker", "podman"]
Dead = Callable[[], str | None]  # says why the daemon ended; None while it lives

SOCKETS: Mapping[Kind, str] = {
    "docker": "/var/run/docker.sock",
    "podman": "/run/podman/podman.sock",
}
DAEMONS: Mapping[Kind, str] = {"docker": "dockerd", "podman": "podman"}
PACKAGES: Mapping[Kind, tuple[str, ...]] = {
    "docker": ("docker.io",),
    "podman": ("podman", "runc", "conmon", "netavark", "aardvark-dns"),
}
START_DEADLINE_S = 60.0  # dockerd on a slow disk checks its whole store first
STOP_DEADLINE_S = 20.0  # dockerd gives its containers 10 s of that
INSTALL_DEADLINE_S = 900.0  # a slow mirror, 100 MB
_OLD_CONTAINERD_S = 5.0
_PAUSE_S = 0.05
_DOCKER_RUN = Path("/var/run/docker")


class EngineError(Exception):
    """No engine can be had; `str()` says why and what to do."""


@dataclass(frozen=True, slots=True)
class Host:
    """What the choice depends on."""

    answering: frozenset[Kind]
    installed: frozenset[Kind]
    cgroup_version: int
    may_raise_limits: bool
    has_runc: bool
    systemd: bool


@dataclass(frozen=True, slots=True)
class Started:
    """An engine that we started: the process and its start time, against reuse of its number."""

    runtime: Kind
    endpoint: str
    pid: int
    start_ticks: int


def choose(wanted: str, host: Host) -> Kind:
    """Pick the engine: what answers, else what is installed, else what would be installed."""
    order: tuple[Kind, ...] = ("docker", "podman")
    for kind in order:
        if wanted == kind:
            return kind
    for pool in (host.answering, host.installed):
        for kind in order:
            if kind in pool:
                return kind
    return "docker"


def podman_conf(host: Host, grantable: Mapping[str, tuple[int, int]]) -> str:
    """A containers.conf for this host.

    Example of a quirk: where root may not raise limits (no CAP_SYS_RESOURCE), podman's built-in
    `nofile=1048576` fails each start with "error setting rlimit", so ours are named instead.
    """
    lines = ["[containers]", 'log_driver = "k8s-file"']
    if not host.may_raise_limits:
        named = (f'"{name}={soft}:{hard}"' for name, (soft, hard) in grantable.items())
        lines.append(f"default_ulimits = [{', '.join(named)}]")
    lines += ["[engine]", 'cgroup_manager = "cgroupfs"', 'events_logger = "file"']
    # After each exec two processes wait for somebody who asks for its exit code: 300 s by default,
    # so a probe every 2 s keeps 300 of them. Ours is asked for at once.
    lines.append("exit_command_delay = 5")
    if host.cgroup_version == 1 and host.has_runc:
        lines.append('runtime = "runc"')  # crun can't set up the devices of a v1 hierarchy here
    lines += ["[network]", 'network_backend = "netavark"']
    return "\n".join(lines) + "\n"


def command(kind: Kind, socket_path: str, run_dir: Path, store: Path | None = None) -> list[str]:
    """The daemon's argument list; `store` is for an engine beside the host's usual one."""
    if kind == "podman":
        roots = [f"--root={store / 'root'}", f"--runroot={store / 'run'}"] if store else []
        return ["podman", *roots, "system", "service", "--time=0", f"unix://{socket_path}"]
    roots = [f"--data-root={store / 'root'}", f"--exec-root={store / 'run'}"] if store else []
    return [
        "dockerd",
        f"--host=unix://{socket_path}",
        f"--pidfile={run_dir / 'dockerd.pid'}",
        "--bridge=none",
        "--iptables=false",
        "--ip-masq=false",
        "--ip-forward=false",
        # Its child containerd gets this score; a negative one needs CAP_SYS_RESOURCE.
        "--oom-score-adjust=0",
        "--live-restore",  # pods go on when dockerd dies, and are found again
        *roots,
    ]


def answers(socket_path: str, timeout_s: float = 2.0) -> bool:
    """Whether an engine says hello on this socket."""
    connection = http.client.HTTPConnection("localhost", timeout=timeout_s)
    with socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(timeout_s)
        try:
            sock.connect(socket_path)
            connection.sock = sock
            connection.request("GET", "/_ping")
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False


def look(sockets: Mapping[Kind, str]) -> Host:
    """Find out what the choice depends on."""
    kinds: tuple[Kind, ...] = ("docker", "podman")
    return Host(
        answering=frozenset(k for k in kinds if answers(sockets[k])),
        installed=frozenset(k for k in kinds if shutil.which(DAEMONS[k])),
        cgroup_version=2 if Path("/sys/fs/cgroup/cgroup.controllers").exists() else 1,
        may_raise_limits=limits.may_raise_limits(),
        has_runc=shutil.which("runc") is not None,
        systemd=Path("/run/systemd/system").is_dir(),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Engines:
    """The hands: install, start, wait, stop."""

    run_dir: Path
    clock: Clock
    sockets: Mapping[Kind, str]
    store: Path | None = None

    @property
    def _record(self) -> Path:
        return self.run_dir / "engine.json"

    async def ensure(self, wanted: str) -> tuple[Kind, str]:
        """Return an engine that answers and its endpoint.

        Raises:
            EngineError: there is none and none can be started.
        """
        host = look(self.sockets)
        kind = choose(wanted, host)
        if kind not in host.answering:
            if os.geteuid() != 0:
                raise EngineError(f"{kind} does not answer and only root can start it; use sudo")
            if kind not in host.installed:
                await self._install(kind)
                host = look(self.sockets)
            if kind not in host.answering:
                await self._start(kind, host)
        return kind, f"unix://{self.sockets[kind]}"

    async def stop(self) -> str:
        """End the engine that we started; say what was done."""
        if not self._record.exists():
            return "no engine of ours is running"
        mine = Started(**json.loads(self._record.read_text()))
        if _start_ticks(mine.pid) != mine.start_ticks:
            self._record.unlink()
            return f"{mine.runtime} (process {mine.pid}) had ended already"
        if busy := _running_containers(mine.endpoint.removeprefix("unix://")):
            return (
                f"{mine.runtime} (process {mine.pid}) still runs {busy} container(s): left alone; "
                "remove them and stop again"
            )
        os.kill(mine.pid, signal.SIGTERM)
        await self._wait_gone(mine)
        self._record.unlink()
        return f"{mine.runtime} (process {mine.pid}) stopped"

    async def _install(self, kind: Kind) -> None:
        if not shutil.which("apt-get"):
            raise EngineError(f"{kind} is not installed and there is no apt-get; install it first")
        packages = list(PACKAGES[kind])
        if not ctypes.util.find_library("nftables"):
            packages.append("nftables")
        _say(f"installing {' '.join(packages)}")
        apt = ["env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-q"]
        for rest in (["update"], ["install", "-y", "--no-install-recommends", *packages]):
            done = await subproc.run([*apt, *rest], timeout_s=INSTALL_DEADLINE_S)
            if done.code != 0:
                raise EngineError(f"apt-get {rest[0]} failed: {done.stderr.decode()[-600:]}")

    async def _start(self, kind: Kind, host: Host) -> None:
        if host.systemd:
            unit = "docker.service" if kind == "docker" else "podman.socket"
            (await subproc.run(["systemctl", "start", unit], timeout_s=START_DEADLINE_S)).check()
            await self._wait_answer(kind, None)
            return
        if kind == "docker":
            await self._wait_old_containerd()
        log = self.run_dir / f"{kind}.log"
        pid = self._launch(kind, host, log)

        def dead() -> str | None:
            code = subproc.ended(pid)
            if code is None:
                return None
            self._record.unlink(missing_ok=True)
            return f"{DAEMONS[kind]} ended with code {code}:\n{_tail(log)}"

        await self._wait_answer(kind, dead)

    async def _wait_old_containerd(self) -> None:
        """Let the child of a dockerd that was killed end first.

        It ends by itself within a second; a dockerd that finds its number taken (a zombie will
        do) waits for it 15 s long and gives up. Containers live on: their shims are nobody's child.
        """
        note = (self.store / "run" if self.store else _DOCKER_RUN) / "containerd/containerd.pid"
        deadline = self.clock.monotonic() + _OLD_CONTAINERD_S
        while self.clock.monotonic() < deadline and _start_ticks(_pid_in(note)):
            await self.clock.sleep(_PAUSE_S)
        await asyncio.to_thread(note.unlink, missing_ok=True)

    def _launch(self, kind: Kind, host: Host, log: Path) -> int:
        path = Path(self.sockets[kind])
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)  # left over: nobody answered on it
        environment = dict(os.environ)
        if kind == "podman":
            conf = self.run_dir / "containers.conf"
            write_atomic(conf, podman_conf(host, limits.grantable()).encode(), mode=0o644)
            environment["CONTAINERS_CONF"] = str(conf.resolve())
        argv = command(kind, str(path), self.run_dir.resolve(), self.store)
        _say(f"found: cgroup v{host.cgroup_version}, may raise limits: {host.may_raise_limits}")
        _say(f"starting: {' '.join(argv)} (log: {log})")
        pid = subproc.detach(argv, log=log, env=environment)
        record = Started(kind, f"unix://{path}", pid, _start_ticks(pid))
        write_atomic(self._record, json.dumps(asdict(record)).encode(), mode=0o644)
        return pid

    async def _wait_answer(self, kind: Kind, dead: Dead | None) -> None:
        deadline = self.clock.monotonic() + START_DEADLINE_S
        while not answers(self.sockets[kind]):
            if dead is not None and (why := dead()):
                raise EngineError(why)
            if self.clock.monotonic() > deadline:
                raise EngineError(f"{kind} does not answer after {START_DEADLINE_S:.0f} s")
            await self.clock.sleep(_PAUSE_S)

    async def _wait_gone(self, mine: Started) -> None:
        deadline = self.clock.monotonic() + STOP_DEADLINE_S
        while _start_ticks(mine.pid) == mine.start_ticks:
            if self.clock.monotonic() > deadline:
                os.kill(mine.pid, signal.SIGKILL)
                deadline += STOP_DEADLINE_S
            await self.clock.sleep(_PAUSE_S)


def _start_ticks(pid: int) -> int:
    """When a process started, in clock ticks since boot; 0 if it is gone (or a zombie)."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    fields = stat.rpartition(")")[2].split()  # the name before it may hold spaces: proc(5)
    return 0 if fields[0] == "Z" else int(fields[19])


def _pid_in(note: Path) -> int:
    try:
        return int(note.read_text())
    except (FileNotFoundError, ValueError):
        return -1  # no process has this number


def _running_containers(socket_path: str) -> int:
    connection = http.client.HTTPConnection("localhost", timeout=10)
    with socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(10)
        try:
            sock.connect(socket_path)
            connection.sock = sock
            connection.request("GET", "/v1.40/containers/json")
            return len(json.load(connection.getresponse()))
        except (OSError, http.client.HTTPException, ValueError):
            return 0  # it does not even answer: nothing to protect


def _tail(log: Path) -> str:
    return log.read_bytes()[-1500:].decode(errors="replace")


def _say(text: str) -> None:
    sys.stderr.write(f"engine: {text}\n")


def main(argv: Sequence[str]) -> int:
    """Run `scripts/engine`; the last line on stdout is for scripts."""
    parser = argparse.ArgumentParser(
        prog="engine", epilog="example: scripts/engine ensure --runtime auto --run-dir .run"
    )
    parser.add_argument("verb", choices=["ensure", "stop"])
    parser.add_argument("--runtime", choices=["auto", "docker", "podman"], default="auto")
    parser.add_argument("--run-dir", type=Path, default=Path(".run"))
    chosen = parser.parse_args(argv)
    engines = Engines(run_dir=chosen.run_dir, clock=SystemClock(), sockets=SOCKETS)
    try:
        if chosen.verb == "stop":
            sys.stdout.write(asyncio.run(engines.stop()) + "\n")
            return 0
        kind, endpoint = asyncio.run(engines.ensure(chosen.runtime))
    except (EngineError, subproc.ProgramError, TimeoutError) as error:
        _say(str(error))
        return 1
    sys.stdout.write(f"runtime={kind} endpoint={endpoint}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
