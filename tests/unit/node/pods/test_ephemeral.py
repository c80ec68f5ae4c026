"""Ephemeral containers: put into a pod that runs, started once."""

import copy
from pathlib import Path

from appliance.api.kinds.core.pod.container import EphemeralContainer
from appliance.api.kinds.core.pod.kind import Pod
from appliance.node.runtimes.base import State
from tests.unit.node.stage import WEB, Stage, pod, wish


def with_debugger(one: Pod, target: str = "") -> Pod:
    made = copy.deepcopy(one)
    made.spec.ephemeralContainers = [
        EphemeralContainer(name="look", image=WEB, targetContainerName=target)
    ]
    return made


async def test_it_joins_the_pod_and_the_processes_of_its_target(tmp_path: Path) -> None:
    stage = Stage(tmp_path)
    async with stage.workers() as workers:
        workers.wish([pod()])
        await stage.settle()
        web = await stage.running("web")
        workers.wish([with_debugger(pod(), "web")])
        await stage.settle()
        look = await stage.running("look")
        spec = stage.runtime.specs[look.id]
        sandbox = await stage.running("POD")
        assert (spec.network, spec.pid) == (f"container:{sandbox.id}", f"container:{web.id}")
        (status,) = stage.status().ephemeralContainerStatuses
        assert (status.name, status.ready, status.started) == ("look", False, None)
        assert status.state.running is not None
        assert stage.status().phase == "Running"
        assert (await stage.running("web")).id == web.id


async def test_it_is_not_started_again_and_the_pod_does_not_care(tmp_path: Path) -> None:
    stage = Stage(tmp_path)
    async with stage.workers() as workers:
        workers.wish([with_debugger(pod())])
        await stage.settle()
        stage.runtime.finish((await stage.running("look")).id, 3)
        await stage.settle(600)
        (status,) = stage.status().ephemeralContainerStatuses
        assert status.state.terminated is not None
        assert (status.state.terminated.exitCode, status.restartCount) == (3, 0)
        assert stage.status().phase == "Running"
        stage.runtime.finish((await stage.running("web")).id, 0)
        await stage.settle()
        await stage.running("web")


async def test_a_pod_that_ends_takes_it_along(tmp_path: Path) -> None:
    stage = Stage(tmp_path)
    async with stage.workers() as workers:
        workers.wish([with_debugger(pod(restartPolicy="Never"))])
        await stage.settle()
        stage.runtime.finish((await stage.running("web")).id, 0)
        await stage.settle(31)
        assert stage.status().phase == "Succeeded"
        assert [c.name for c in await stage.all() if c.state is State.RUNNING] == []


async def test_it_waits_for_its_target(tmp_path: Path) -> None:
    stage = Stage(tmp_path)
    async with stage.workers() as workers:
        made = with_debugger(pod(wish("web", image="none:1", imagePullPolicy="Never")), "web")
        workers.wish([made])
        await stage.settle()
        (status,) = stage.status().ephemeralContainerStatuses
        assert status.state.waiting is not None
        stage.runtime.add_image("none:1")
        await stage.settle(20)
        await stage.running("look")
