"""Keeps the zone in step with Services and EndpointSlices.

Changes carry the service they are of; what is gathered while one round runs is one more round, so
endpoints that flap cost a bounded share of time. The names are kept apart from the packet filter:
a host whose rules can't be written answers names all the same.
"""

from collections.abc import Iterable

import structlog

from appliance.api.kinds.core.service import SERVICE, Service
from appliance.api.kinds.discovery.endpointslice import ENDPOINT_SLICE, EndpointSlice
from appliance.client.informer import Informers
from appliance.kit.clock import Clock
from appliance.kit.coalesce import Coalesce
from appliance.proxy.compile import SERVICE_NAME_LABEL
from appliance.proxy.dns.names import records_of
from appliance.proxy.dns.responder import Responder

log = structlog.get_logger(__name__)

EVERY_S = 0.1
"""The first change is seen at once; a storm of them at most so often."""
_INDEX = "service"


def owner_of(one: EndpointSlice) -> list[str]:
    """The service of a slice as a cache's key."""
    owner = one.metadata.labels.get(SERVICE_NAME_LABEL)
    return [f"{one.metadata.namespace}/{owner}"] if owner else []


class ZoneKeeper:
    """Run it once, after it is made and before the informers are started."""

    def __init__(self, informers: Informers, responder: Responder, *, clock: Clock) -> None:
        self._services = informers.of(SERVICE)
        self._slices = informers.of(ENDPOINT_SLICE)
        self._slices.add_indexers({_INDEX: owner_of})
        self._responder = responder
        self._changed: set[str] = set()
        self._wanted = Coalesce(clock, every_s=EVERY_S)
        self._services.on_change(self._service_changed)
        self._slices.on_change(self._slice_changed)

    async def run(self) -> None:
        """Follow every change until cancelled."""
        await self._services.wait_synced()
        await self._slices.wait_synced()
        self._round()
        self._responder.zone.complete = True
        self._responder.forget_all()
        log.info("cluster names are answered", names=len(self._responder.zone))
        while True:
            await self._wanted.wait()
            self._round()

    def _service_changed(self, old: Service | None, new: Service | None) -> None:
        for one in (old, new):
            if one is not None:
                self._mark([f"{one.metadata.namespace}/{one.metadata.name}"])

    def _slice_changed(self, old: EndpointSlice | None, new: EndpointSlice | None) -> None:
        for one in (old, new):
            if one is not None:
                self._mark(owner_of(one))

    def _mark(self, keys: Iterable[str]) -> None:
        self._changed.update(keys)
        self._wanted.poke()

    def _round(self) -> None:
        marked, self._changed = self._changed, set()
        zone = self._responder.zone
        for key in marked:
            namespace, _, name = key.partition("/")
            service = self._services.cache.get(key)
            records = None
            if service is not None:
                slices = self._slices.cache.by_index(_INDEX, key)
                records = records_of(service, slices, zone.domain)
            known = zone.has_namespace(namespace)
            self._responder.forget(zone.put(namespace, name, records))
            if zone.has_namespace(namespace) != known:
                self._responder.forget_all()  # the namespace's pods have names now, or no longer
        self._responder.counts.names = len(zone)
