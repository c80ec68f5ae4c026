"""Static pods that were posted to the node's own API: the fourth source of the first kubelets.

`serve/manifests` hands the bodies over. What is posted replaces what was posted before; it lives
on through a restart of the agent, which remembers the last wish.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence

from appliance.api.kinds.core.pod.kind import Pod
from appliance.node.sources.base import SOURCE
from appliance.node.sources.manifest import Origin, pods_of

PLACE_NAME = "POST"


class PushSource:
    """The node's own API as a source."""

    name = "push"

    def __init__(self, *, node_name: str, last: Sequence[Pod]) -> None:
        self._node_name = node_name
        self._pods = [p for p in last if p.metadata.annotations.get(SOURCE) == self.name]
        self._changed = asyncio.Event()
        self._changed.set()

    def take(self, body: bytes) -> list[str]:
        """These pods, and no others that were posted before; gives their names.

        Raises:
            ManifestFault: the body is no manifest; what runs stays.
        """
        self._pods = pods_of(body, Origin(self._node_name, self.name, PLACE_NAME))
        self._changed.set()
        return [f"{p.metadata.namespace}/{p.metadata.name}" for p in self._pods]

    async def snapshots(self) -> AsyncIterator[Sequence[Pod]]:
        """All pods that were posted."""
        while True:
            await self._changed.wait()
            self._changed.clear()
            yield self._pods
