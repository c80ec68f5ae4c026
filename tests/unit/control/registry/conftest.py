"""A registry over memory, with the namespaces that every test may use."""

import random
from collections.abc import AsyncIterator

import pytest

from appliance.api.kinds.core.namespace import NAMESPACE, Namespace
from appliance.api.meta import ObjectMeta
from appliance.control.registry.base import Call, User
from appliance.control.registry.registry import StoreRegistry
from appliance.kit.clock import FakeClock
from appliance.store.memory import MemoryStore


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
async def store(clock: FakeClock) -> AsyncIterator[MemoryStore]:
    store = MemoryStore(clock)
    yield store
    await store.close()


@pytest.fixture
def call() -> Call:
    return Call(user=User(name="admin", groups=("system:masters",)), field_manager="tests")


@pytest.fixture
async def registry(
    store: MemoryStore, clock: FakeClock, call: Call
) -> AsyncIterator[StoreRegistry]:
    async with StoreRegistry(store, clock=clock, rng=random.Random(1)) as registry:  # noqa: S311
        for name in ("default", "other"):
            namespace = Namespace(metadata=ObjectMeta(name=name))
            await registry.create(NAMESPACE, namespace, namespace="", call=call)
        yield registry
        assert registry.mutated() == ()
