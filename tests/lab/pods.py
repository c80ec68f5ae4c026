"""Manifests of pods made of shell scripts, and what an engine knows of them behind our back."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from appliance.kit.clock import SystemClock
from appliance.node.runtimes import marks
from appliance.node.runtimes.base import Container, Runtime, State
from appliance.node.runtimes.detect import open_runtime
from tests.lab.cluster import Cluster
from tests.lab.shell_image import SHELL

T = TypeVar("T")
Json = dict[str, Any]


def box(name: str, script: str, **fields: Any) -> Json:
    """A container that runs a script."""
    image = {"image": SHELL, "imagePullPolicy": "IfNotPresent"}
    return {"name": name, **image, "command": ["sh", "-c", script], **fields}


def pod(name: str, *containers: Json, **spec: Any) -> Json:
    """A pod; it stops quickly."""
    spec = {"terminationGracePeriodSeconds": 1, **spec, "containers": list(containers)}
    meta = {"name": name, "labels": {"pod": name}}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec}


def many(*objects: Json) -> str:
    """A list of objects to apply."""
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": list(objects)})


class Status:
    """A pod's status with short names for what tests look at."""

    def __init__(self, cluster: Cluster, name: str, pod: Json | None = None) -> None:
        self.pod: Json = pod or cluster.get("pod", name)
        self.all = self.pod["status"]
        self.phase = self.all.get("phase")
        self.uid = self.pod["metadata"]["uid"]
        self.ip = self.all.get("podIP", "")

    def __getitem__(self, container: str) -> Json:
        every = self.all.get("containerStatuses", []) + self.all.get("initContainerStatuses", [])
        found: Json = next((s for s in every if s["name"] == container), {})
        return found

    def restarts(self, container: str) -> int:
        return int(self[container].get("restartCount", 0))

    def id_of(self, container: str) -> str:
        return str(self[container].get("containerID", ""))

    def waiting(self, container: str) -> str:
        return str(self[container].get("state", {}).get("waiting", {}).get("reason", ""))

    def ended(self, container: str) -> Json:
        found: Json = self[container].get("state", {}).get("terminated", {})
        return found

    def ready(self) -> bool:
        return any(
            c["type"] == "Ready" and c["status"] == "True" for c in self.all.get("conditions", [])
        )


def events(cluster: Cluster, name: str) -> dict[str, str]:
    """What was said about a pod, by reason; a line per message."""
    found = cluster.get("events", "--field-selector", f"involvedObject.name={name}")["items"]
    told: dict[str, str] = {}
    for event in found:
        told[event["reason"]] = told.get(event["reason"], "") + event["message"] + "\n"
    return told


def behind(cluster: Cluster, work: Callable[[Runtime], Awaitable[T]]) -> T:
    """Do something with the cluster's engine, past the agent."""

    async def run() -> T:
        runtime = await open_runtime(cluster.runtime, "", SystemClock())
        try:
            return await work(runtime)
        finally:
            await runtime.close()

    return asyncio.run(run())


def containers(cluster: Cluster, uid: str, name: str) -> list[Container]:
    """A pod's containers of that name, dead ones too; `marks.SANDBOX_NAME` is the sandbox."""
    wanted = marks.of_pod(cluster.cluster_id, uid) | {marks.CONTAINER_NAME: name}

    async def look(runtime: Runtime) -> list[Container]:
        return list(await runtime.list(wanted))

    return behind(cluster, look)


def running(cluster: Cluster, uid: str, name: str) -> Container:
    """The one that runs."""
    (found,) = [c for c in containers(cluster, uid, name) if c.state is State.RUNNING]
    return found
