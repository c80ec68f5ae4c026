"""What the verbs share; put together once by `StoreRegistry`."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from appliance.api.custom.object import is_custom
from appliance.api.kind import Kind, T
from appliance.control.access.steps.base import Step
from appliance.control.options import ControlOptions
from appliance.control.registry.storage import Moved, Storage
from appliance.control.registry.strategy import DEFAULT, Strategy
from appliance.kit.clock import Clock


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """The pieces that every verb works with."""

    storage: Storage
    clock: Clock
    rng: random.Random
    options: ControlOptions
    admission: Sequence[Step]
    strategies: Mapping[str, Strategy]

    def strategy(self, kind: Kind[Any]) -> Strategy:
        """What the kind does differently."""
        if is_custom(kind.type):
            return DEFAULT  # whatever a user calls a kind
        return self.strategies.get(kind.kind, DEFAULT)


class StorageLookup:
    """`Lookup` for access control, straight from the watch caches."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    async def find(self, kind: Kind[T], namespace: str, name: str) -> T | None:
        """The object or None."""
        found = await self._storage.get(kind, namespace, name)
        return found.obj if found else None

    async def every(self, kind: Kind[T], namespace: str = "") -> Sequence[T]:
        """All objects of a kind, or of a namespace."""
        cache = self._storage.cache(kind)
        await cache.ready()
        return [item.obj for item in cache.items(namespace)]

    async def swap(self, kind: Kind[T], old: T, new: T) -> bool:
        """Put `new` where `old` is; False if something else is there by now."""
        meta = old.metadata
        stored = await self._storage.get(kind, meta.namespace, meta.name)
        if stored is None or stored.obj is not old:
            return False
        try:
            await self._storage.replace(kind, stored, new, "system:apiserver")
        except Moved as moved:
            if moved.now is not None:  # who tries again must find it
                await self._storage.cache(kind).reach(moved.now.revision)
            return False
        return True

    def changes(self, kind: Kind[Any]) -> int:
        """Changes to objects of a kind so far."""
        return self._storage.cache(kind).changes
