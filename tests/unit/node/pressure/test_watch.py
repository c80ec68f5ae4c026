"""The node under pressure, with workers on a fake engine."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from appliance.api.kinds.core.pod.container import ResourceRequirements
from appliance.node.pods.workers import Workers
from appliance.node.pressure.judge import Judge
from appliance.node.pressure.levels import MEMORY, NODE_DISK, Level
from appliance.node.pressure.ranking import Use
from appliance.node.pressure.thresholds import parse_thresholds
from appliance.node.pressure.watch import Doors, PressureWatch
from tests.unit.node.stage import Stage, pod, wish


class Host:
    """A host whose levels a test sets; every pod takes what `takes` says."""

    def __init__(self, stage: Stage, workers: Workers, thresholds: str, **soft: str) -> None:
        self.levels = {MEMORY: Level(1000, 1000), NODE_DISK: Level(100, 100)}
        self.takes: dict[str, int] = {}
        self.reclaimed = 0
        self.freed = 0
        self.changes = 0
        self.workers = workers
        doors = Doors(
            read=lambda: self.levels, uses=self.uses, reclaim=self.reclaim, changed=self.change
        )
        self.watch = PressureWatch(
            lambda: workers,
            Judge(parse_thresholds(thresholds, **soft), {}, 60),
            doors,
            node_name="n1",
            soft_grace_s=5,
            recorder=stage.notes,
            clock=stage.clock,
        )

    async def uses(self, _signal: str) -> Sequence[Use]:
        return [
            Use(worker.pod, {"web": self.takes.get(uid, 0)})
            for uid, worker in self.workers.by_uid.items()
            if worker.lives
        ]

    async def reclaim(self) -> None:
        self.reclaimed += 1
        self.levels[NODE_DISK] = Level(self.levels[NODE_DISK].available + self.freed, 100)

    def change(self) -> None:
        self.changes += 1


def two(**spec: Any) -> list[Any]:
    return [pod(name=f"p{n}", uid=f"u{n}", **spec) for n in (1, 2)]


async def test_one_pod_goes_then_the_next_if_that_was_not_enough(tmp_path: Path) -> None:
    stage = Stage(tmp_path)
    async with stage.workers() as workers:
        workers.wish(two())
        await stage.settle()
        host = Host(stage, workers, "memory.available<100")
        host.takes = {"u1": 10, "u2": 20}
        await host.watch.look()
        assert not host.watch.conditions
        host.levels[MEMORY] = Level(50, 1000)
        await host.watch.look()
        await stage.settle()
        assert host.watch.conditions == {"MemoryPressure"}
        assert host.changes == 1
        gone = stage.status("u2")
        assert (gone.phase, gone.reason) == ("Failed", "Evicted")
        assert gone.message.startswith("The node was low on resource: memory. ")
        (disrupted,) = [c for c in gone.conditions if c.type == "DisruptionTarget"]
        assert (disrupted.status, disrupted.reason) == ("True", "TerminationByKubelet")
        assert stage.status("u1").phase == "Running"
        assert {"EvictionThresholdMet", "NodeHasInsufficientMemory", "Evicted"} <= set(
            stage.notes.reasons
        )
        await host.watch.look()
        await stage.settle()
        assert stage.status("u1").reason == "Evicted"


async def test_a_pod_that_takes_its_time_holds_the_next_back(tmp_path: Path) -> None:
    stage = Stage(tmp_path)
    stage.runtime.deaf = {"web:1"}
    async with stage.workers() as workers:
        workers.wish(two())
        await stage.settle()
        soft = {"soft": "memory.available<100", "graces": "memory.available=0s"}
        host = Host(stage, workers, "", **soft)
        host.levels[MEMORY] = Level(50, 1000)
        await host.watch.look()
        await stage.settle()
        await host.watch.look()
        assert [w.lives for w in workers.by_uid.values()].count(True) == 1
        await stage.settle(6)  # the most that a soft eviction gives
        await host.watch.look()
        assert not any(w.lives for w in workers.by_uid.values())


async def test_garbage_goes_before_pods(tmp_path: Path) -> None:
    stage = Stage(tmp_path)
    async with stage.workers() as workers:
        workers.wish(two())
        await stage.settle()
        host = Host(stage, workers, "nodefs.available<10%")
        host.levels[NODE_DISK], host.freed = Level(5, 100), 20
        await host.watch.look()
        assert host.reclaimed == 1
        assert all(w.lives for w in workers.by_uid.values())
        assert host.watch.conditions == {"DiskPressure"}


async def test_new_pods_are_refused_by_kind(tmp_path: Path) -> None:
    stage = Stage(tmp_path)
    async with stage.workers() as workers:
        host = Host(stage, workers, "memory.available<100,nodefs.available<10%")
        asks = ResourceRequirements(requests={"memory": "1Mi"})
        modest, greedy = pod(wish(resources=asks)), pod()
        assert host.watch.refusal(greedy) == ""
        host.levels[MEMORY] = Level(50, 1000)
        await host.watch.look()
        assert host.watch.refusal(modest) == ""
        assert host.watch.refusal(greedy) == "The node had condition: [MemoryPressure]. "
        host.levels[NODE_DISK] = Level(1, 100)
        await host.watch.look()
        assert "DiskPressure" in host.watch.refusal(modest)
        assert host.watch.refusal(pod(priority=2_000_000_000)) == ""
