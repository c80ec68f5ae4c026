"""The runner: which keys reach a controller, when, and what happens when it fails."""

from collections.abc import AsyncIterator, Callable, Sequence

import pytest

from appliance.api.errors import Conflict
from appliance.api.kinds.core.configmap import CONFIG_MAP, ConfigMap
from appliance.client.base import Page
from appliance.client.controller import DONE, Result, Runner, Watch
from appliance.client.informer import Informer
from appliance.kit.backoff import Backoff
from appliance.kit.clock import FakeClock
from appliance.kit.tasks import Tasks
from tests.unit.client.scripted import Scripted, added, config, deleted, settle


class Loop:
    """Records the keys it is asked to reconcile and answers by script."""

    name = "test"

    def __init__(self, informer: Informer[ConfigMap], *answers: Result | Exception) -> None:
        self.seen: list[str] = []
        self.answers = list(answers)
        self._informer = informer

    def watches(self) -> Sequence[Watch]:
        return [Watch(self._informer, lambda obj: [obj.metadata.name])]

    async def reconcile(self, key: str) -> Result:
        self.seen.append(key)
        answer = self.answers.pop(0) if self.answers else DONE
        if isinstance(answer, Exception):
            raise answer
        return answer


Start = Callable[..., tuple[Scripted, Loop, FakeClock, Runner]]


@pytest.fixture
async def start() -> AsyncIterator[Start]:
    async with Tasks("test") as tasks:

        def begin(*answers: Result | Exception) -> tuple[Scripted, Loop, FakeClock, Runner]:
            clock, server = FakeClock(), Scripted()
            informer = Informer(server.client(), CONFIG_MAP, clock=clock)
            loop = Loop(informer, *answers)
            runner = Runner(loop, clock=clock, backoff=Backoff(base_s=1, maximum_s=60))
            tasks.spawn("informer", informer.run())
            tasks.spawn("runner", runner.run())
            server.pages = [Page([config("a", 1)], "1")]
            return server, loop, clock, runner

        yield begin


async def test_what_is_there_and_what_changes_is_reconciled(start: Start) -> None:
    server, loop, _, runner = start()
    await settle()
    server.steps.put_nowait(added("b", 2))
    server.steps.put_nowait(deleted("a", 3))
    await settle()
    runner.poke("by hand")
    await settle()
    assert loop.seen == ["a", "b", "a", "by hand"]
    assert runner.idle


async def test_a_failure_is_tried_again_with_growing_pauses(start: Start) -> None:
    _, loop, clock, _ = start(ValueError("no"), Conflict("raced"), ValueError("no"))
    await settle()
    assert loop.seen == ["a"]
    await clock.advance(1)
    assert loop.seen == ["a"] * 2
    await clock.advance(1.5)
    assert loop.seen == ["a"] * 2
    await clock.advance(1)
    assert loop.seen == ["a"] * 3
    await clock.advance(5)
    assert loop.seen == ["a"] * 4
    await clock.advance(3600)
    assert loop.seen == ["a"] * 4, "it worked: no timer is left"


async def test_a_controller_may_ask_to_come_back(start: Start) -> None:
    _, loop, clock, _ = start(Result(again_in_s=30))
    await settle()
    await clock.advance(29)
    assert loop.seen == ["a"]
    await clock.advance(2)
    assert loop.seen == ["a", "a"]
