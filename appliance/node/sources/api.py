"""Pods that the API has bound to this node.

The informer lists and watches only them. Services are waited for too: a pod started before they
are known would lack their variables for its whole life.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

from appliance.api.kinds.core.pod.kind import POD, Pod
from appliance.client.base import Where
from appliance.client.informer import Informer, Informers
from appliance.node.sources.base import MIRROR


class ApiSource:
    """The API as a source."""

    name = "api"

    def __init__(
        self, informers: Informers, node_name: str, *, wait_for: Sequence[Informer[Any]] = ()
    ) -> None:
        self._pods = informers.of(POD, Where(fields=f"spec.nodeName={node_name}"))
        self._wait_for = wait_for

    async def snapshots(self) -> AsyncIterator[Sequence[Pod]]:
        """All bound pods, after each change; many changes at once are one snapshot."""
        changed = asyncio.Event()
        changed.set()
        self._pods.on_change(lambda _old, _new: changed.set())
        for informer in (*self._wait_for, self._pods):
            await informer.wait_synced()
        while True:
            await changed.wait()
            changed.clear()
            yield [p for p in self._pods.cache.list() if MIRROR not in p.metadata.annotations]

    def on_change(self, call: Callable[[], None]) -> None:
        """Call after each change of a pod of this node, mirrors too."""
        self._pods.on_change(lambda _old, _new: call())

    async def wait_synced(self) -> None:
        """Return when `mirrors` can be believed."""
        await self._pods.wait_synced()

    def mirrors(self) -> list[Pod]:
        """The API's pictures of this node's static pods."""
        return [p for p in self._pods.cache.list() if MIRROR in p.metadata.annotations]
