from pathlib import Path

from appliance.kit.clock import FakeClock
from appliance.node.images.collect import ImageCollector
from appliance.node.runtimes.base import ContainerSpec
from appliance.node.runtimes.fake import FakeRuntime
from appliance.node.stats.meter import Disk


class World:
    def __init__(self, folder: Path) -> None:
        self.clock = FakeClock()
        self.runtime = FakeRuntime(self.clock, images=("loaded:1",))
        self.folder = folder
        self.used = 50
        self.wanted: set[str] = set()
        self.collector = self.make()

    def make(self) -> ImageCollector:
        return ImageCollector(
            self.runtime,
            self.clock,
            self.folder,
            disk=lambda: Disk(100, 100 - self.used, 0, 0),
            wanted=lambda: self.wanted,
            high_percent=85,
            low_percent=80,
            minimum_age_s=120,
        )

    async def pull(self, name: str, size: int = 4) -> str:
        self.runtime.registry.add(name)
        image = await self.runtime.pull(name)
        self.runtime.resize(name, size)
        self.collector.came(name, image.id)
        await self.clock.advance(10)
        return image.id

    async def here(self) -> set[str]:
        return {name for image in await self.runtime.images() for name in image.names}


async def test_nothing_goes_below_the_high_mark(tmp_path: Path) -> None:
    world = World(tmp_path)
    await world.pull("a:1")
    await world.clock.advance(300)
    world.used = 84
    await world.collector.look()
    assert await world.here() == {"loaded:1", "a:1"}


async def test_the_longest_unused_goes_first_down_to_the_low_mark(tmp_path: Path) -> None:
    world = World(tmp_path)
    for name in ("a:1", "b:1", "c:1", "d:1"):
        await world.pull(name)
    world.wanted = {"a:1"}
    await world.clock.advance(300)
    world.used = 86  # 6 to free, 4 each
    await world.collector.look()
    assert await world.here() == {"loaded:1", "a:1", "d:1"}


async def test_what_is_in_use_new_or_not_ours_stays_whatever_happens(tmp_path: Path) -> None:
    world = World(tmp_path)
    await world.pull("running:1")
    await world.pull("dead:1")
    await world.pull("wanted:1")
    world.wanted = {"wanted:1"}
    for image in ("running:1", "dead:1"):
        made = await world.runtime.create(ContainerSpec(name=image, image=image, marks={}))
        await world.runtime.start(made)
        if image == "dead:1":
            world.runtime.finish(made, 0)
    await world.clock.advance(300)
    await world.pull("new:1")
    assert await world.collector.free() == 0
    assert await world.here() == {"loaded:1", "running:1", "dead:1", "wanted:1", "new:1"}


async def test_what_came_is_remembered_over_a_restart(tmp_path: Path) -> None:
    world = World(tmp_path)
    await world.pull("a:1")
    await world.clock.advance(300)
    assert await world.make().free() == 4
    assert await world.here() == {"loaded:1"}
