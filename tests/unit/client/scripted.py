"""A client that lists and watches by script: for what no real server does on command.

Failing lists, watches cut in the middle, Expired. Everything else is tested on the real registry.
"""

import asyncio
from collections.abc import AsyncIterator
from typing import Any, cast

from appliance.api.kinds.core.configmap import ConfigMap
from appliance.api.meta import ObjectMeta
from appliance.client.base import Client, EventType, Page, WatchEvent

Step = WatchEvent[ConfigMap] | Exception | None
"""What a watch does next: an event, an error, or (None) the end."""


class Scripted:
    """Gives `pages` one after the other; watches follow `steps`. `since` records resumptions."""

    def __init__(self) -> None:
        self.pages: list[Page[ConfigMap] | Exception] = []
        self.steps: asyncio.Queue[Step] = asyncio.Queue()
        self.since: list[str] = []

    async def list(self, *_: Any, **__: Any) -> Page[ConfigMap]:
        page = self.pages.pop(0)
        if isinstance(page, Exception):
            raise page
        return page

    async def watch(self, *_: Any, since: str, **__: Any) -> AsyncIterator[WatchEvent[ConfigMap]]:
        self.since.append(since)
        while (step := await self.steps.get()) is not None:
            if isinstance(step, Exception):
                raise step
            yield step

    def client(self) -> Client:
        return cast("Client", self)


def config(name: str, revision: int, uid: str = "u") -> ConfigMap:
    meta = ObjectMeta(name=name, namespace="ns", uid=uid, resourceVersion=str(revision))
    return ConfigMap(metadata=meta)


def added(name: str, revision: int) -> WatchEvent[ConfigMap]:
    return WatchEvent(EventType.ADDED, config(name, revision))


def modified(name: str, revision: int) -> WatchEvent[ConfigMap]:
    return WatchEvent(EventType.MODIFIED, config(name, revision))


def deleted(name: str, revision: int) -> WatchEvent[ConfigMap]:
    return WatchEvent(EventType.DELETED, config(name, revision))


async def settle() -> None:
    """Let every task run up to its next real wait."""
    for _ in range(30):
        await asyncio.sleep(0)
