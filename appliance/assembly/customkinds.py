"""Users' kinds for the garbage collector: it learns of them as they come and go.

An informer for each kind of the catalog runs here beside the controllers, as long as the kind is
there. Run by the assembly on the master that leads.
"""

import asyncio
from typing import Any

from appliance.api.kind import Kind
from appliance.client.base import Client
from appliance.client.controller import Runner
from appliance.client.informer import Informer
from appliance.control.controllers.garbage import GarbageCollector
from appliance.control.custom.catalog import Catalog
from appliance.kit.clock import Clock
from appliance.kit.tasks import Tasks

_Key = tuple[str, str]


class CustomKinds:
    """Follows the catalog."""

    def __init__(
        self, client: Client, catalog: Catalog, clock: Clock, collector: GarbageCollector
    ) -> None:
        self._client = client
        self._catalog = catalog
        self._clock = clock
        self._collector = collector
        self._running: dict[_Key, tuple[Kind[Any], asyncio.Task[Any]]] = {}

    async def run(self, runner: Runner) -> None:
        """Run until cancelled; `runner` is the collector's."""
        for kind, _ in self._running.values():  # of a time when we led before
            self._collector.forget(kind)
        self._running.clear()
        async with Tasks("custom-kinds", self._clock) as tasks:
            seen = -1
            while True:
                seen = await self._catalog.changed(seen)
                self._settle(runner, tasks)

    def _settle(self, runner: Runner, tasks: Tasks) -> None:
        wanted = {
            (kind.api_version, kind.kind): kind
            for kind in self._catalog.custom()
            if kind.stored_as is None
        }
        for key in [key for key in self._running if key not in wanted]:
            kind, task = self._running.pop(key)
            _ = task.cancel()
            self._collector.forget(kind)
        for key, kind in wanted.items():
            if key not in self._running:
                informer = Informer(self._client, kind, clock=self._clock)
                for watch in self._collector.follow(informer):
                    runner.listen(watch)
                task = tasks.forever(f"informer {kind.plural}", informer.run)
                self._running[key] = (kind, task)
