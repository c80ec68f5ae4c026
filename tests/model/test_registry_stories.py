"""Random stories of writers and watchers: what a watch tells is what a list shows.

Several writers change the same few objects at once. Watches with different selections start at
random revisions, read at random moments, and are restarted where they ended. At the end each one,
folded into a state, must equal the list of its selection, and each list at a past revision must
equal what was there then.
"""

import asyncio
import random
from dataclasses import dataclass, field

import pytest

from appliance.api import errors
from appliance.api.kinds.core.configmap import CONFIG_MAP, ConfigMap
from appliance.api.kinds.core.namespace import NAMESPACE, Namespace
from appliance.api.meta import DeleteOptions, ObjectMeta
from appliance.client.base import EventType, PatchType
from appliance.control.registry.base import Call, Query, Stored, User
from appliance.control.registry.registry import StoreRegistry
from appliance.control.registry.watching import KindWatch
from appliance.kit.clock import FakeClock
from appliance.store.memory import MemoryStore

NAMES = ("a", "b", "c", "d")
SPACES = ("one", "two")
SELECTIONS = (
    {},
    {"namespace": "one"},
    {"labels": "color=red"},
    {"namespace": "two", "labels": "color in (red,blue)"},
    {"fields": "metadata.name!=a"},
)
CALL = Call(user=User(name="writer"), field_manager="story")
State = dict[str, str]


@dataclass
class Follower:
    """A watch and what it has told so far."""

    select: dict[str, str]
    seen: State = field(default_factory=dict)
    revision: int = 0
    watch: KindWatch[ConfigMap] | None = None

    async def start(self, registry: StoreRegistry) -> None:
        if not self.revision:
            page = await registry.list(CONFIG_MAP, Query(**self.select))  # type: ignore[arg-type]
            self.seen = state(page.items)
            self.revision = page.revision
        query = Query(**self.select, resource_version=str(self.revision), bookmarks=True)  # type: ignore[arg-type]
        self.watch = registry.watch(CONFIG_MAP, query)

    async def restart(self, registry: StoreRegistry) -> None:
        """Go on where the watch ended, or where its last bookmark says."""
        assert self.watch is not None
        if (last := self.watch.farewell()) is not None:
            self.revision = last.item.revision
        await self.watch.aclose()
        await self.start(registry)

    async def read(self, upto: int | None = None) -> None:
        """Read what is there, or until nothing comes for a while."""
        assert self.watch is not None
        left = upto
        while left is None or left > 0:
            try:
                async with asyncio.timeout(0.02):
                    event = await anext(self.watch)
            except TimeoutError:
                return
            self._take(event.type, event.item)
            left = None if left is None else left - 1

    def _take(self, kind: EventType, item: Stored[ConfigMap]) -> None:
        assert item.revision > self.revision, "in order, each once"
        self.revision = item.revision
        name = key(item)
        if kind is EventType.DELETED:
            assert name in self.seen, "only what was shown can go"
            del self.seen[name]
            return
        assert (name in self.seen) == (kind is EventType.MODIFIED)
        self.seen[name] = value(item)


def key(item: Stored[ConfigMap]) -> str:
    return f"{item.obj.metadata.namespace}/{item.obj.metadata.name}"


def value(item: Stored[ConfigMap]) -> str:
    return f"{item.obj.data.get('n')} {item.obj.metadata.labels.get('color')}"


def state(items: list[Stored[ConfigMap]]) -> State:
    return {key(item): value(item) for item in items}


async def write(registry: StoreRegistry, chance: random.Random, number: int) -> None:
    """One step of a writer; losing a race is part of the story."""
    name, space = chance.choice(NAMES), chance.choice(SPACES)
    color = chance.choice(("red", "blue", None))
    try:
        if chance.random() < 0.3:
            await registry.delete(
                CONFIG_MAP, namespace=space, name=name, options=DeleteOptions(), call=CALL
            )
        elif chance.random() < 0.4:
            labels = {"color": color} if color else {}
            obj = ConfigMap(metadata=ObjectMeta(name=name, labels=labels), data={"n": str(number)})
            await registry.create(CONFIG_MAP, obj, namespace=space, call=CALL)
        else:
            body = {"metadata": {"labels": {"color": color}}, "data": {"n": str(number)}}
            await registry.patch(
                CONFIG_MAP, namespace=space, name=name, how=PatchType.MERGE, body=body, call=CALL
            )
    except (errors.NotFound, errors.AlreadyExists):
        pass


@pytest.mark.parametrize("seed", range(8))
async def test_what_a_watch_tells_is_what_a_list_shows(seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311
    store = MemoryStore(FakeClock())
    async with StoreRegistry(store, clock=FakeClock(), rng=chance) as registry:
        for space in SPACES:
            namespace = Namespace(metadata=ObjectMeta(name=space))
            await registry.create(NAMESPACE, namespace, namespace="", call=CALL)
        followers = [Follower(select) for select in SELECTIONS]
        past: list[tuple[int, State]] = []
        for round_ in range(25):
            await asyncio.gather(*(write(registry, chance, round_ * 10 + n) for n in range(4)))
            page = await registry.list(CONFIG_MAP, Query())
            past.append((page.revision, state(page.items)))
            for follower in followers:
                if follower.watch is None:
                    await follower.start(registry)
                elif chance.random() < 0.2:
                    await follower.restart(registry)
                elif chance.random() < 0.5:
                    await follower.read(chance.randint(1, 5))
        for follower in followers:
            await follower.read()
            page = await registry.list(CONFIG_MAP, Query(**follower.select))  # type: ignore[arg-type]
            assert follower.seen == state(page.items), follower.select
        for revision, then in past:
            query = Query(resource_version=str(revision), resource_version_match="Exact")
            assert state((await registry.list(CONFIG_MAP, query)).items) == then
        assert registry.mutated() == ()
    await store.close()
