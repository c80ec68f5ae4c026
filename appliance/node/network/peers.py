"""Keeps the ways to other nodes' pods in step with the Nodes in the API.

`routes.py` chooses, `wiring.py` carries it out; this loop runs both whenever a Node changes and
whenever somebody (a link that went down, an administrator) changes the kernel's routes or links.
Nothing happens without a change.
"""

from collections.abc import Callable, Sequence
from typing import Protocol

import structlog

from appliance.api.kinds.core.node import NODE
from appliance.client.informer import Informers
from appliance.kit.backoff import Backoff
from appliance.kit.clock import Clock
from appliance.kit.coalesce import Coalesce
from appliance.kit.tasks import Tasks
from appliance.node.network.base import NetworkFault
from appliance.node.network.routes import Tunnel, Way, Ways, find_ways

log = structlog.get_logger(__name__)

PAUSES = Backoff(base_s=0.2, maximum_s=10.0)
_EVERY_S = 0.5
"""Our own changes are heard as well, and links that flap are heard often."""


class Kernel(Protocol):
    """What the loop needs of `wiring.Wiring`."""

    async def links(self, address: str) -> list[str]:
        """The networks of the interface that has this address."""
        ...

    async def apply(self, ways: Sequence[Way], own: Tunnel) -> None:
        """Make the kernel's routes and the tunnel be what these ways ask for."""
        ...

    async def listen(self, stir: Callable[[], None]) -> None:
        """Call whenever routes or links of this host change, until cancelled."""
        ...


class RangeChanged(Exception):
    """The master gave this node another pod range: start anew with that one."""


class PeerRoutes:
    """The loop; run it once, before the informers are started.

    `range_changed` is told of a new range of our own just before `run` ends with `RangeChanged`.
    """

    def __init__(
        self,
        informers: Informers,
        kernel: Kernel,
        *,
        node_name: str,
        own: Tunnel,
        clock: Clock,
        range_changed: Callable[[str], None],
    ) -> None:
        self._nodes = informers.of(NODE)
        self._kernel = kernel
        self._node_name = node_name
        self._own = own
        self._clock = clock
        self._range_changed = range_changed
        self._wanted = Coalesce(clock, every_s=_EVERY_S)
        self._nodes.on_change(lambda _old, _new: self._wanted.poke())
        self._last: Ways | None = None

    async def run(self) -> None:
        """Keep the ways until cancelled.

        Raises:
            RangeChanged: the API says that our own range is another one.
        """
        await self._nodes.wait_synced()
        async with Tasks("routes", self._clock) as tasks:
            _ = tasks.forever("kernel", self._listen)
            failures = 0
            while True:
                await self._wanted.wait()
                try:
                    await self._apply()
                except NetworkFault as fault:
                    failures += 1
                    pause = PAUSES.delay(failures)
                    log.warning("routes not written", why=str(fault), again_in_s=pause)
                    await self._clock.sleep(pause)
                    self._wanted.poke()
                else:
                    failures = 0

    async def _listen(self) -> None:
        await self._kernel.listen(self._wanted.poke)

    async def _apply(self) -> None:
        links = await self._kernel.links(self._own.node_ip)
        ways = find_ways(self._nodes.cache.list(), self._node_name, links)
        if ways.own_cidr and ways.own_cidr != self._own.pod_cidr:
            self._range_changed(ways.own_cidr)
            was = self._own.pod_cidr
            raise RangeChanged(f"this node's pod range was {was} and is {ways.own_cidr} now")
        await self._kernel.apply(ways.others, self._own)
        if ways != self._last:
            self._last = ways
            log.info(
                "ways to other nodes",
                direct=[way.node for way in ways.others if not way.tunnel],
                tunnel=[way.node for way in ways.others if way.tunnel],
            )
