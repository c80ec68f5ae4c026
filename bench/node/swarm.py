"""The peer: Docker Swarm's time for as many tasks, on an engine that nobody else uses.

Swarm wants rules and bridges of its own, and refuses an engine with live-restore, so it gets a
dockerd in a network namespace of its own, with its own folders; both go when it is done.
"""

import json
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import docker

from appliance.node.images.pause import PAUSE_IMAGE, pause_archive

START_S = 60.0
DEADLINE_S = 300.0


@contextmanager
def own_engine(folder: Path) -> Iterator[str]:
    """A dockerd behind a socket in `folder`; gives its endpoint."""
    endpoint = f"unix://{folder}/docker.sock"
    config = folder / "daemon.json"
    config.write_text(json.dumps({"live-restore": False}))
    argv = [
        *("unshare", "-n", "sh", "-c", 'ip link set lo up; exec "$@"', "sh", "dockerd"),
        *("--config-file", str(config), "--data-root", str(folder / "data")),
        *("--exec-root", str(folder / "run"), "--pidfile", str(folder / "pid")),
        *("--host", endpoint, "--storage-driver", "overlay2"),
    ]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(argv, stdout=log, stderr=log)
    try:
        _wait(endpoint, process, folder / "log")
        yield endpoint
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)


def _wait(endpoint: str, process: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + START_S
    while time.monotonic() < until and process.poll() is None:
        try:
            docker.APIClient(endpoint, version="auto").close()
        except docker.errors.DockerException:
            time.sleep(0.2)
        else:
            return
    raise RuntimeError(f"no dockerd of our own: {log.read_text()[-2000:]}")


def tasks(api: Any, count: int) -> list[float]:
    """When each of the service's tasks ran, counted from the call that asked for them."""
    image = {"Image": PAUSE_IMAGE}
    spec = {"ContainerSpec": image, "RestartPolicy": {"Condition": "none"}}
    begun, wall = time.perf_counter(), time.time()
    service = api.create_service(spec, mode={"Replicated": {"Replicas": count}}, name="peer")
    while time.perf_counter() - begun < DEADLINE_S:
        found = api.tasks({"service": service["ID"], "desired-state": "running"})
        running = [t for t in found if t["Status"]["State"] == "running"]
        if len(running) == count:
            took = [_seconds(t["Status"]["Timestamp"]) - wall for t in running]
            api.remove_service(service["ID"])
            return took
        time.sleep(0.1)
    raise RuntimeError(f"{len(running)} of {count} tasks run after {DEADLINE_S:g} s")


def _seconds(stamp: str) -> float:
    return datetime.fromisoformat(stamp).timestamp()


def measured(count: int, rounds: int) -> dict[str, Any]:
    """Rounds of the same service."""
    folder = Path(tempfile.mkdtemp(prefix="swarm-"))
    try:
        with own_engine(folder) as endpoint:
            api: Any = docker.APIClient(endpoint, version="auto", timeout=120)
            api.load_image(pause_archive())
            api.init_swarm("127.0.0.1", listen_addr="127.0.0.1:0")
            tasks(api, 1)
            every, last = [], []
            for _ in range(rounds):
                while api.containers(all=True):
                    time.sleep(0.2)
                took = tasks(api, count)
                every.extend(took)
                last.append(max(took))
            api.leave_swarm(force=True)
            api.close()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return {
        f"Docker Swarm, {count} tasks": every,
        f"Docker Swarm, {count} tasks, last": last,
    }
