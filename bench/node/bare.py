"""The engine's own API, by its SDK's low-level client, from threads: the floor of every pod."""

import json
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import docker
from podman.api.client import APIClient

from appliance.api.kinds.core.pod.kind import Pod
from appliance.kit.limits import may_raise_limits
from appliance.node.images.pause import PAUSE_IMAGE
from appliance.node.pods.actions import StartContainer
from appliance.node.pods.spec import Surroundings, container_spec, sandbox_spec
from appliance.node.runtimes import marks
from appliance.node.runtimes.base import ContainerSpec, Mount
from appliance.node.runtimes.detect import default_endpoint
from appliance.node.runtimes.podman_spec import create_body
from appliance.node.runtimes.values import container_config

POOL = 40
Start = Callable[[ContainerSpec], str]


def open_bare(engine: str) -> Start:
    """Create and start with two requests; gives the id."""
    return _docker() if engine == "docker" else _podman()


def _docker() -> Start:
    api: Any = docker.APIClient(
        default_endpoint("docker"), version="auto", max_pool_size=POOL, num_pools=POOL
    )

    def start(wish: ContainerSpec) -> str:
        config = container_config(wish, may_lower_oom_score=may_raise_limits())
        made = str(api.create_container_from_config(config, wish.name)["Id"])
        api.start(made)
        return made

    return start


def _podman() -> Start:
    api: Any = APIClient(
        base_url=default_endpoint("podman"), version="4.0.0", num_pools=1, max_pool_size=POOL
    )
    headers = {"Content-Type": "application/json"}

    def start(wish: ContainerSpec) -> str:
        body = json.dumps(create_body(wish, may_raise_limits=may_raise_limits()))
        answer = api.post("/containers/create", data=body, headers=headers)
        made = str(answer.json()["Id"])
        api.post(f"/containers/{made}/start").raise_for_status()
        return made

    return start


def files_like(folder: Path) -> tuple[Mount, ...]:
    """Stand-ins for the files that every container of a pod gets."""
    made = []
    for name, target in (
        ("resolv.conf", "/etc/resolv.conf"),
        ("termination-log", "/dev/termination-log"),
        ("hosts", "/etc/hosts"),
    ):
        (folder / name).touch()
        made.append(Mount(str(folder / name), target))
    return tuple(made)


def make_pods(
    start: Start, pods: list[Pod], *, threads: int, cluster_id: str, folder: Path
) -> list[float]:
    """Both containers of each pod; gives when each was there, counted from when all were asked."""
    files = files_like(folder)
    begun = time.perf_counter()

    def make(pod: Pod) -> float:
        sandbox = start(sandbox_spec(pod, cluster_id, PAUSE_IMAGE, 0))
        action = StartContainer(
            wish=pod.spec.containers[0],
            role=marks.ROLE_APP,
            sandbox_id=sandbox,
            attempt=0,
            streak=0,
        )
        start(container_spec(pod, action, Surroundings(cluster_id=cluster_id, files=files)))
        return time.perf_counter() - begun

    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(make, pods))
