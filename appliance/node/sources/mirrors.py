"""Show static pods in the API: one mirror pod for each, made and removed by this node.

A mirror carries the static pod's hash; one with another hash shows a pod that is no more and is
made anew. Deleting a mirror stops nothing: it comes back. Driven by the agent whenever the wish
or a mirror changes; failures are tried again at the next change or heartbeat of the runner.
"""

import asyncio
from collections.abc import Callable, Sequence

import structlog

from appliance.api.errors import AlreadyExists, NotFound
from appliance.api.kinds.core.node import NODE, Node
from appliance.api.kinds.core.pod.kind import POD, Pod
from appliance.api.kinds.core.pod.status import PodStatus
from appliance.api.meta import OwnerReference
from appliance.client.base import Client, DeleteOptions, clone
from appliance.kit.backoff import Backoff
from appliance.kit.clock import Clock
from appliance.node.sources.base import HASH, MIRROR, is_static

log = structlog.get_logger(__name__)

PAUSES = Backoff(base_s=0.5, maximum_s=30.0)


class Mirrors:
    """Keeps the API's pictures of this node's static pods in step."""

    def __init__(
        self,
        client: Client,
        clock: Clock,
        *,
        seen: Callable[[], Sequence[Pod]],
        node: Callable[[], Node | None],
        made: Callable[[Pod], None],
    ) -> None:
        self._client = client
        self._clock = clock
        self._seen = seen
        self._node = node
        self._made = made
        self._wanted: dict[str, Pod] = {}
        self._stir = asyncio.Event()

    def wish(self, pods: Sequence[Pod]) -> None:
        """These pods run here; the static ones among them should be shown."""
        self._wanted = {p.metadata.uid: p for p in pods if is_static(p)}
        self._stir.set()

    def stir(self) -> None:
        """A mirror changed."""
        self._stir.set()

    async def run(self) -> None:
        """Keep them in step until cancelled."""
        failures = 0
        while True:
            await self._stir.wait()
            self._stir.clear()
            try:
                await self._put_right()
                failures = 0
            except Exception as error:  # noqa: BLE001 - the top of the loop
                failures += 1
                pause = PAUSES.delay(failures)
                text = f"{type(error).__name__}: {error}"
                log.warning("mirror pods not in step", error=text, again_in_s=pause)
                await self._clock.sleep(pause)
                self._stir.set()

    async def _put_right(self) -> None:
        shown: set[str] = set()
        for mirror in self._seen():
            seal = mirror.metadata.annotations.get(MIRROR, "")
            if seal in self._wanted and mirror.metadata.deletionTimestamp is None:
                shown.add(seal)
                continue
            await self._remove(mirror)
        for seal, pod in self._wanted.items():
            if seal not in shown:
                await self._create(pod)

    async def _remove(self, mirror: Pod) -> None:
        meta = mirror.metadata
        options = DeleteOptions(grace_period_s=0, uid=meta.uid)
        try:
            await self._client.delete(POD, meta.name, namespace=meta.namespace, options=options)
        except NotFound:
            return

    async def _create(self, pod: Pod) -> None:
        mirror = clone(pod)
        meta = mirror.metadata
        meta.annotations = {**meta.annotations, MIRROR: meta.annotations[HASH]}
        meta.uid = ""
        node = self._node()
        if node is not None:
            meta.ownerReferences = [
                OwnerReference(
                    apiVersion=NODE.api_version,
                    kind=NODE.kind,
                    name=node.metadata.name,
                    uid=node.metadata.uid,
                    controller=True,
                )
            ]
        mirror.status = PodStatus()
        try:
            await self._client.create(POD, mirror, namespace=meta.namespace)
        except AlreadyExists:
            return  # an older one is still there: its removal stirs us again
        self._made(pod)
