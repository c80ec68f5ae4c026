"""Watches services and slices, and keeps the back end in step (names: `dns/keeper.py`).

Many changes fold into one run: while a table is applied, further changes only mark that another
run is due. Nothing happens without a change.
"""

import asyncio
from dataclasses import dataclass

import structlog

from appliance.api.kinds.core.node import NODE, Node
from appliance.api.kinds.core.service import SERVICE
from appliance.api.kinds.discovery.endpointslice import ENDPOINT_SLICE
from appliance.client.informer import Informers
from appliance.kit.backoff import Backoff
from appliance.kit.clock import Clock
from appliance.kit.coalesce import Coalesce
from appliance.proxy.backends.base import Backend, BackendFault
from appliance.proxy.compile import Viewpoint, compile_table
from appliance.proxy.healthports import HealthPorts
from appliance.proxy.table import Endpoint, ServicePort, ServiceTable

log = structlog.get_logger(__name__)

ZONE = "topology.kubernetes.io/zone"
APPLY_EVERY_S = 0.1
"""The first change is applied at once; a storm of them (a scale-up) at most so often."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxyOptions:
    """What the proxy of one node must know; `dns_listen` is where our responder listens."""

    node_name: str
    cluster_dns: str = ""
    dns_listen: tuple[str, int] | None = None


class ProxyLoop:
    """One node's services and names; run it once, after the informers are asked for."""

    def __init__(
        self,
        informers: Informers,
        backend: Backend,
        *,
        options: ProxyOptions,
        clock: Clock,
        checks: HealthPorts | None = None,
    ) -> None:
        self._services = informers.of(SERVICE)
        self._slices = informers.of(ENDPOINT_SLICE)
        self._backend = backend
        self._options = options
        self._clock = clock
        self._backoff = Backoff(base_s=0.2, maximum_s=30.0)
        self._dirty = Coalesce(clock, every_s=APPLY_EVERY_S)
        self._services.on_change(lambda _old, _new: self._dirty.poke())
        self._slices.on_change(lambda _old, _new: self._dirty.poke())
        self._nodes = informers.of(NODE)
        self._nodes.on_change(self._node_changed)
        self._checks = checks or HealthPorts()

    async def run(self) -> None:
        """Apply the first whole state, then every change, until cancelled."""
        await self._services.wait_synced()
        await self._slices.wait_synced()
        await self._nodes.wait_synced()
        self._dirty.poke()
        try:
            async with asyncio.TaskGroup() as both:
                both.create_task(self._follow())
                both.create_task(self._heal())
        finally:
            self._checks.close()

    async def _heal(self) -> None:
        """What others undo is done again."""
        while True:
            await self._backend.drifted()
            self._dirty.poke()

    async def _follow(self) -> None:
        failures = 0
        while True:
            await self._dirty.wait()
            try:
                await self._apply()
            except BackendFault as fault:
                failures += 1
                pause = self._backoff.delay(failures)
                log.warning("services can't be applied", why=str(fault), again_in_s=pause)
                await self._clock.sleep(pause)
                self._dirty.poke()
            else:
                failures = 0

    async def _apply(self) -> None:
        services, slices = self._services.cache.list(), self._slices.cache.list()
        view = Viewpoint(self._options.node_name, self._zone())
        table = compile_table(services, slices, view=view)
        await self._backend.apply(with_dns(table, self._options))
        await self._checks.apply(table.checks)
        log.debug("services applied", ports=len(table.ports))

    def _zone(self) -> str:
        return _zone_of(self._nodes.cache.get(self._options.node_name))

    def _node_changed(self, old: Node | None, new: Node | None) -> None:
        here = self._options.node_name
        if new is not None and new.metadata.name == here and _zone_of(old) != _zone_of(new):
            self._dirty.poke()


def _zone_of(node: Node | None) -> str:
    return node.metadata.labels.get(ZONE, "") if node is not None else ""


def with_dns(table: ServiceTable, options: ProxyOptions) -> ServiceTable:
    """Send the cluster's DNS address to this node's own responder."""
    if options.dns_listen is None or not options.cluster_dns:
        return table
    address, port = options.dns_listen
    ports = [p for p in table.ports if p.cluster_ip != options.cluster_dns]
    ports += [
        ServicePort(
            namespace="kube-system",
            name="kube-dns",
            port_name=name,
            protocol=protocol,
            cluster_ip=options.cluster_dns,
            port=53,
            endpoints=(Endpoint(address, port, local=True),),
        )
        for name, protocol in (("dns", "udp"), ("dns-tcp", "tcp"))
    ]
    return ServiceTable(tuple(ports), table.checks)
