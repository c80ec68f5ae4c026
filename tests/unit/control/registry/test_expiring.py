"""Events go by themselves."""

import pytest

from appliance.api import errors
from appliance.api.kinds.core.event import EVENT, Event
from appliance.api.kinds.core.references import ObjectReference
from appliance.api.meta import ObjectMeta
from appliance.client.base import PatchType
from appliance.control.registry.base import Call
from appliance.control.registry.expiring import SHARED_BY, Leases
from appliance.control.registry.registry import StoreRegistry
from appliance.kit.clock import FakeClock
from appliance.store.memory import MemoryStore


async def test_an_event_is_forgotten_an_hour_after_its_last_write(
    registry: StoreRegistry, call: Call, clock: FakeClock
) -> None:
    about = ObjectReference(kind="Pod", namespace="default", name="web")
    event = Event(metadata=ObjectMeta(name="web.1"), involvedObject=about)
    await registry.create(EVENT, event, namespace="default", call=call)
    await clock.advance(3000)
    await registry.patch(
        EVENT,
        namespace="default",
        name="web.1",
        how=PatchType.MERGE,
        body={"count": 2},
        call=call,
    )
    await clock.advance(3000)
    assert (await registry.get(EVENT, "default", "web.1")).obj.count == 2
    await clock.advance(700)
    with pytest.raises(errors.NotFound):
        await registry.get(EVENT, "default", "web.1")


async def test_objects_of_a_minute_share_a_lease(store: MemoryStore, clock: FakeClock) -> None:
    leases = Leases(store, clock)
    first = await leases.lease_for(3600)
    assert await leases.lease_for(3600) == first
    assert await leases.lease_for(60) != first
    await clock.advance(61)
    second = await leases.lease_for(3600)
    assert second != first
    for _ in range(SHARED_BY - 1):
        assert await leases.lease_for(3600) == second
    assert await leases.lease_for(3600) != second
    assert await leases.lease_for(0) == 0
