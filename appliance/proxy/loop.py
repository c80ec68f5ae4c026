"""Watches services and slices, and keeps the back end in step (names: `dns/keeper.py`).

Many changes fold into one run: while a table is applied, further changes only mark what is to be
compiled anew. A run costs what changed, not what there is. Nothing happens without a change.
"""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass

import structlog

from appliance.api.kinds.core.node import NODE, Node
from appliance.api.kinds.core.service import SERVICE, Service
from appliance.api.kinds.discovery.endpointslice import ENDPOINT_SLICE, EndpointSlice
from appliance.client.cache import key_of
from appliance.client.informer import Informers
from appliance.kit.backoff import Backoff
from appliance.kit.clock import Clock
from appliance.kit.coalesce import Coalesce
from appliance.proxy.backends.base import Backend, BackendFault
from appliance.proxy.compile import (
    SERVICE_NAME_LABEL,
    Viewpoint,
    cluster_ips,
    compile_service,
)
from appliance.proxy.healthports import HealthPorts
from appliance.proxy.table import Endpoint, ServiceEntry, ServicePort, ServiceTable

log = structlog.get_logger(__name__)

BY_SERVICE = "service, for the proxy"
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
        self._nodes = informers.of(NODE)
        self._slices.add_indexers({BY_SERVICE: _owner})
        self._backend = backend
        self._options = options
        self._clock = clock
        self._checks = checks or HealthPorts()
        self._backoff = Backoff(base_s=0.2, maximum_s=30.0)
        self._dirty = Coalesce(clock, every_s=APPLY_EVERY_S)
        self._stale: set[str] = set()
        self._number = 0
        self._entries: dict[str, ServiceEntry] = own_dns(options)
        self._services.on_change(self._service_changed)
        self._slices.on_change(self._slice_changed)
        self._nodes.on_change(self._node_changed)

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
        stale, self._stale = self._stale, set()
        view = Viewpoint(self._options.node_name, self._zone())
        entries = dict(self._entries)
        for key in stale:
            entry = self._compile(key, view)
            if entry is None:
                entries.pop(key, None)
            elif entries.get(key) != entry:
                entries[key] = entry
        self._entries = entries
        self._number += 1
        hosts = frozenset(a for node in self._nodes.cache.list() for a in _addresses(node))
        table = ServiceTable(entries, self._number, frozenset(stale), hosts)
        await self._backend.apply(table)
        await self._checks.apply(table.checks)
        log.debug("services applied", services=len(entries), changed=len(stale))

    def _compile(self, key: str, view: Viewpoint) -> ServiceEntry | None:
        service = self._services.cache.get(key)
        if service is None:
            return None
        if self._options.dns_listen and self._options.cluster_dns in cluster_ips(service):
            return None  # this node's own responder answers there
        return compile_service(service, self._slices.cache.by_index(BY_SERVICE, key), view)

    def _zone(self) -> str:
        return _zone_of(self._nodes.cache.get(self._options.node_name))

    def _service_changed(self, old: Service | None, new: Service | None) -> None:
        self._stale |= {key_of(one) for one in (old, new) if one is not None}
        self._dirty.poke()

    def _slice_changed(self, old: EndpointSlice | None, new: EndpointSlice | None) -> None:
        self._stale |= {key for one in (old, new) if one is not None for key in _owner(one)}
        self._dirty.poke()

    def _node_changed(self, old: Node | None, new: Node | None) -> None:
        here = self._options.node_name
        if new is not None and new.metadata.name == here and _zone_of(old) != _zone_of(new):
            self._stale |= set(self._services.cache.keys())
            self._dirty.poke()
        elif _addresses(old) != _addresses(new):
            self._dirty.poke()


def _zone_of(node: Node | None) -> str:
    return node.metadata.labels.get(ZONE, "") if node is not None else ""


def _addresses(node: Node | None) -> list[str]:
    return [a.address for a in node.status.addresses] if node is not None else []


def _owner(one: EndpointSlice) -> Iterable[str]:
    if owner := one.metadata.labels.get(SERVICE_NAME_LABEL):
        yield f"{one.metadata.namespace}/{owner}"


def own_dns(options: ProxyOptions) -> dict[str, ServiceEntry]:
    """Send the cluster's DNS address to this node's own responder."""
    if options.dns_listen is None or not options.cluster_dns:
        return {}
    address, port = options.dns_listen
    ports = tuple(
        ServicePort(
            namespace="kube-system",
            name="kube-dns",
            port_name=name,
            protocol=protocol,
            cluster_ip=options.cluster_dns,
            port=53,
            endpoints=(Endpoint(address, port, local=True),),
            local_endpoints=(Endpoint(address, port, local=True),),
        )
        for name, protocol in (("dns", "udp"), ("dns-tcp", "tcp"))
    )
    return {"this node's DNS": ServiceEntry(ports)}
