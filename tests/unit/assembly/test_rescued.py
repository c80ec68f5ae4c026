"""A store that went back to a copy is told of as an Event, once."""

import json
import random

import pytest

from appliance.api.kinds.core.event import EVENT
from appliance.api.kinds.core.namespace import NAMESPACE, Namespace
from appliance.api.meta import ObjectMeta
from appliance.assembly.rescued import tell_rescues
from appliance.control.local import LocalClient
from appliance.control.registry.base import User
from appliance.control.registry.registry import StoreRegistry
from appliance.kit.clock import SystemClock
from appliance.store.memory import MemoryStore
from appliance.store.upkeep.rescue import BOOK

CLOCK = SystemClock()
NOTE = {"age_s": 7200, "broken_file": "/d/state.db.broken-1", "damage": "page 3"}


@pytest.mark.parametrize("ready", [True, False])
async def test_it_is_told_once_and_kept_until_it_could_be(ready: bool) -> None:
    store = MemoryStore(CLOCK)
    await store.write_notes(BOOK, {"state.db.broken-1": json.dumps(NOTE).encode()})
    async with StoreRegistry(store, clock=CLOCK, rng=random.Random(1)) as registry:  # noqa: S311
        client = LocalClient(registry, User(name="us", groups=("system:masters",)), CLOCK)
        if ready:
            await client.create(NAMESPACE, Namespace(metadata=ObjectMeta(name="default")))
        for _ in range(2):
            await tell_rescues(store, client, CLOCK, "pi-1")
        events = (await client.list(EVENT)).items
        if not ready:
            assert not events
            assert await store.notes(BOOK), "told at the next start"
            return
        (event,) = events
        assert (event.involvedObject.kind, event.involvedObject.name) == ("Node", "pi-1")
        assert (event.type, event.reason) == ("Warning", "StoreRescued")
        assert "7200 s old" in event.message
        assert "/d/state.db.broken-1" in event.message
        assert await store.notes(BOOK) == {}
    await store.close()
