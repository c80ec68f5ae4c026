"""List, then watch: keeps a cache of one kind in step with the API.

An `Informer` lists, watches from the list's revision, resumes a broken watch where it ended, and
lists again when the server says Expired. `Informers` shares one informer per kind and `Where`
among all loops of a process.
"""

from collections.abc import Callable, Mapping
from typing import Any, Generic

from appliance.api.kind import Kind, T
from appliance.client.base import EVERYWHERE, Client, Where
from appliance.client.cache import Cache, Indexer
from appliance.kit.clock import Clock
from appliance.kit.tasks import Tasks

Change = Callable[[T | None, T | None], None]
"""Called with (old, new) after the cache has changed; old None is new, new None is gone."""


class Informer(Generic[T]):
    """Keeps `cache` in step with what the client lists."""

    cache: Cache[T]

    def __init__(
        self, client: Client, kind: Kind[T], *, clock: Clock, where: Where = EVERYWHERE
    ) -> None:
        raise NotImplementedError

    def add_indexers(self, indexers: Mapping[str, Indexer[T]]) -> None:
        """Add named indexes; before `run` only."""
        raise NotImplementedError

    def on_change(self, call: Change[T]) -> None:
        """Call after each change; calls must be quick and must not raise."""
        raise NotImplementedError

    @property
    def synced(self) -> bool:
        """Whether the first list is in the cache."""
        raise NotImplementedError

    async def wait_synced(self) -> None:
        """Return once the first list is in the cache."""
        raise NotImplementedError

    async def run(self) -> None:
        """List and watch until cancelled, with back-off on errors."""
        raise NotImplementedError


class Informers:
    """One informer per kind and selection, shared by all loops of a process."""

    def __init__(self, client: Client, clock: Clock) -> None:
        raise NotImplementedError

    def of(self, kind: Kind[T], where: Where = EVERYWHERE) -> Informer[T]:
        """The informer of that kind and selection, made at first use."""
        raise NotImplementedError

    def start(self, tasks: Tasks) -> None:
        """Run all informers that were asked for and do not run yet."""
        raise NotImplementedError

    async def wait_synced(self) -> None:
        """Return once all that were asked for are synced."""
        raise NotImplementedError

    def all(self) -> tuple[Informer[Any], ...]:
        """Every informer made so far."""
        raise NotImplementedError
