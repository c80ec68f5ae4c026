"""Pods through our drivers against the engine's bare API, side by side, round by round.

    PYTHONPATH=. .venv/bin/python bench/pods.py [docker|podman] [pods] [rounds]

A pod here is a sandbox and one container joined to it. "bare" is the engine's own API called with
its SDK's low-level client from 4 threads, without addresses: the least that anybody can do. "ours"
is what the agent does: the same through the driver, with an address for each pod. The goal is at
most 1.25 times the bare time of the same run.
"""

import asyncio
import json
import secrets
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import docker
from podman.api.client import APIClient

from appliance.kit.clock import SystemClock
from appliance.node.images.pause import PAUSE_IMAGE, ensure_pause
from appliance.node.network.base import PodLink
from appliance.node.network.bridge import BridgeNetwork
from appliance.node.runtimes.base import ContainerSpec, Runtime
from appliance.node.runtimes.detect import default_endpoint, open_runtime
from appliance.node.runtimes.podman_spec import create_body
from appliance.node.runtimes.values import container_config

THREADS = 4
MARKS = {"appliance.bench": secrets.token_hex(4)}

Start = Callable[[ContainerSpec], str]


def spec(name: str, network: str = "none") -> ContainerSpec:
    """A container that waits; the pause program is both sandbox and load."""
    return ContainerSpec(name=name, image=PAUSE_IMAGE, marks=MARKS, network=network)


def bare_docker() -> Start:
    """Create and start with two requests."""
    api: Any = docker.APIClient(default_endpoint("docker"), version="auto", max_pool_size=THREADS)

    def start(wish: ContainerSpec) -> str:
        config = container_config(wish, may_lower_oom_score=False)
        made = str(api.create_container_from_config(config, wish.name)["Id"])
        api.start(made)
        return made

    return start


def bare_podman() -> Start:
    """Create and start with two requests."""
    api: Any = APIClient(base_url=default_endpoint("podman"), version="4.0.0")
    headers = {"Content-Type": "application/json"}

    def start(wish: ContainerSpec) -> str:
        body = json.dumps(create_body(wish, may_raise_limits=False))
        answer = api.post("/containers/create", data=body, headers=headers)
        made = str(answer.json()["Id"])
        api.post(f"/containers/{made}/start").raise_for_status()
        return made

    return start


def bare(start: Start, pods: int) -> None:
    """All pods from a few threads."""

    def pod(_number: int) -> None:
        name = secrets.token_hex(6)
        start(spec(f"{name}-c", f"container:{start(spec(f'{name}-s'))}"))

    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(pod, range(pods)))


async def ours(runtime: Runtime, network: BridgeNetwork, pods: int) -> None:
    """All pods at once, as their workers do it."""

    async def pod() -> None:
        name = secrets.token_hex(6)
        sandbox = await runtime.create(spec(f"{name}-s"))
        await runtime.start(sandbox)
        seen = await runtime.inspect(sandbox)
        await network.attach(PodLink(pod_uid=name, pid=seen.pid))
        await runtime.start(await runtime.create(spec(f"{name}-c", f"container:{sandbox}")))

    await asyncio.gather(*(pod() for _ in range(pods)))


async def timed(work: Awaitable[None], runtime: Runtime, network: BridgeNetwork) -> float:
    """Seconds that it took; what was made goes before the next."""
    begun = time.perf_counter()
    await work
    took = time.perf_counter() - begun
    await asyncio.gather(*(runtime.remove(c.id) for c in await runtime.list(MARKS)))
    await network.keep_only(frozenset())
    return took


async def main(kind: str, pods: int, rounds: int) -> None:
    """Run the rounds and print medians and their ratio."""
    runtime = await open_runtime(kind, "", SystemClock())
    await ensure_pause(runtime)
    start = bare_docker() if kind == "docker" else bare_podman()
    figures: dict[str, list[float]] = {"bare": [], "ours": []}
    with tempfile.TemporaryDirectory() as folder:
        network = BridgeNetwork(
            MARKS["appliance.bench"], cluster_cidr="10.250.0.0/16", data_dir=Path(folder)
        )
        await network.set_up("10.250.0.0/24")
        try:
            for _ in range(rounds):
                work = asyncio.to_thread(bare, start, pods)
                figures["bare"].append(await timed(work, runtime, network))
                figures["ours"].append(await timed(ours(runtime, network, pods), runtime, network))
        finally:
            await network.clean_up()
            await runtime.close()
    for name, seconds in figures.items():
        shown = ", ".join(f"{s:.2f}" for s in seconds)
        print(f"{kind} {pods} pods, {name}: {statistics.median(seconds):.2f} s  [{shown}]")
    ratio = statistics.median(figures["ours"]) / statistics.median(figures["bare"])
    print(f"{kind} ours/bare: {ratio:.2f}")


if __name__ == "__main__":
    given = sys.argv[1:]
    kinds = given[:1] or ["docker", "podman"]
    for each in kinds:
        asyncio.run(main(each, int((given[1:2] or ["10"])[0]), int((given[2:3] or ["3"])[0])))
