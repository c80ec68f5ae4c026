"""Whatever happens to a pod, in whatever order, it comes to rest where it should be."""

import asyncio
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.api.kinds.core.pod.kind import Pod
from appliance.node.runtimes import marks
from appliance.node.runtimes.base import Container, CreateFailed, StartFailed, State, Unreachable
from tests.unit.node.stage import Stage, going, pod, wish

Step = tuple[str, int]

STEPS = st.lists(
    st.tuples(
        st.sampled_from(
            [
                "finish",
                "fail",
                "vanish",
                "image",
                "agent restarts",
                "engine away",
                "create fails",
                "start fails",
                "time passes",
            ]
        ),
        st.integers(0, 5),
    ),
    max_size=8,
)


class Story:
    """Plays steps on a stage, and checks the rest."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.image = "web:1"
        stage.runtime.add_image("web:2")

    def pod(self) -> Pod:
        made = pod(wish("a", self.image), wish("b"), initContainers=[wish("init", "init:1")])
        if "u1" in self.stage.heard.status:
            made.status = self.stage.heard.status["u1"]
        return made

    async def world_does(self, what: str, which: int) -> None:
        runtime = self.stage.runtime
        everything = await self.stage.all()
        running = [c for c in everything if c.state is State.RUNNING]
        if what in {"finish", "fail"} and running:
            runtime.finish(running[which % len(running)].id, int(what == "fail"))
        elif what == "vanish" and everything:
            runtime.vanish(everything[which % len(everything)].id)
        elif what == "image":
            self.image = "web:2" if self.image == "web:1" else "web:1"
        elif what == "engine away":
            runtime.fail_next("list", Unreachable("away"), times=which)
            await self.stage.settle(60)
            runtime._faults.clear()
        elif what == "create fails":
            runtime.fail_next("create", CreateFailed("no"))
        elif what == "start fails":
            runtime.fail_next("start", StartFailed("no"))
        elif what == "time passes":
            await self.stage.settle(which * 7)

    async def play(self, steps: list[Step]) -> None:
        """Each agent lives until the next "agent restarts"."""
        self.stage.runtime.add_image("init:1")
        self.stage.runtime.on_start["init:1"] = 0
        left = list(steps)
        while True:
            async with self.stage.workers() as workers:
                while left and left[0][0] != "agent restarts":
                    workers.wish([self.pod()])
                    await self.stage.settle(left[0][1])
                    await self.world_does(*left.pop(0))
                if left:
                    left.pop(0)
                    continue
                workers.wish([self.pod()])
                await self.stage.settle(1000)
                await self.stage.settle(1000)
                await self.check_rest()
                workers.wish([going(self.pod(), self.stage.clock.wall())])
                await self.stage.settle(60)
                await workers.wait_idle()
                assert await self.stage.all() == []
                assert self.stage.network.attached == {}
                assert self.stage.heard.deleted == ["u1"]
                return

    async def check_rest(self) -> None:
        running = [c for c in await self.stage.all() if c.state is State.RUNNING]
        by_name = {_name(c): c for c in running}
        assert sorted(map(_name, running)) == ["POD", "a", "b"]
        assert by_name["a"].image == self.image
        for name in ("a", "b"):
            assert by_name[name].marks[marks.SANDBOX] == by_name["POD"].id
        dead = [c for c in await self.stage.all() if c.state is not State.RUNNING]
        assert len([c for c in dead if _name(c) == "a"]) <= 1
        status = self.stage.status()
        assert status.phase == "Running"
        assert all(s.ready for s in status.containerStatuses)
        assert status.podIP == self.stage.network.attached["u1"]


def _name(container: Container) -> str:
    return container.marks[marks.CONTAINER_NAME]


@pytest.mark.slow
@settings(max_examples=30, deadline=None, derandomize=True)
@given(STEPS)
def test_every_story_ends_well(steps: list[Step]) -> None:
    async def play() -> None:
        with tempfile.TemporaryDirectory() as folder:
            await Story(Stage(Path(folder))).play(steps)

    asyncio.run(play())
