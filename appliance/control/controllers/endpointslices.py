"""EndpointSlices: the addresses behind a service, as proxies and DNS read them.

Slices belong to their service, so the collector takes them when it goes. Only slices with our
label are touched: others are made by hand or by other controllers.
"""

from collections.abc import Iterable, Sequence

from appliance.api.kinds.core.node import NODE
from appliance.api.kinds.core.pod.kind import POD
from appliance.api.kinds.core.service import SERVICE, Service
from appliance.api.kinds.discovery.endpointslice import (
    ENDPOINT_SLICE,
    Endpoint,
    EndpointConditions,
    EndpointHints,
    EndpointSlice,
    ForNode,
    ForZone,
)
from appliance.api.objects import controller_ref
from appliance.client.base import Client
from appliance.client.cache import key_of
from appliance.client.controller import DONE, Result, Watch
from appliance.client.informer import Informers
from appliance.control.controllers import serving, slices
from appliance.control.controllers.serving import Backend
from appliance.control.controllers.slicewriter import SliceSource, SliceWriter

OURS = "endpointslice-controller.k8s.io"
ZONE = "topology.kubernetes.io/zone"

_BY_SERVICE = "service"


class EndpointSliceController:
    """Keeps the slices of each service in step with its pods."""

    name = "endpointslices"

    def __init__(self, client: Client, informers: Informers) -> None:
        self._services = informers.of(SERVICE)
        self._pods = informers.of(POD)
        self._nodes = informers.of(NODE)
        self._slices = informers.of(ENDPOINT_SLICE)
        self._slices.add_indexers({_BY_SERVICE: _service_key})
        self._writer = SliceWriter(client, self._slices)

    def watches(self) -> Sequence[Watch]:
        """Services, their pods, and what somebody does to our slices."""
        return [
            Watch(self._services, lambda service: [key_of(service)]),
            Watch(self._pods, lambda pod: serving.services_of(self._services.cache, pod)),
            Watch(self._slices, _service_key),
        ]

    async def reconcile(self, key: str) -> Result:
        """Publish the endpoints of one service."""
        service = self._services.cache.get(key)
        if service is None:
            self._writer.forget(key)
            return DONE
        going = service.metadata.deletionTimestamp is not None
        if going or not serving.is_selecting(service) or not self._writer.is_current(key):
            return DONE
        found = serving.backends(service, self._pods.cache.list(service.metadata.namespace))
        current = self._slices.cache.by_index(_BY_SERVICE, key)
        source = SliceSource(
            namespace=service.metadata.namespace,
            prefix=service.metadata.name,
            labels=_labels(service),
            owner=controller_ref(SERVICE, service),
        )
        await self._writer.carry_out(
            key, source, current, slices.plan(current, self._wanted(service, found))
        )
        return DONE

    def _wanted(
        self, service: Service, found: Iterable[Backend]
    ) -> dict[slices.Ports, list[Endpoint]]:
        groups: dict[slices.Ports, list[Endpoint]] = {}
        for backend in found:
            ports = tuple((p.name, p.protocol, p.number, p.app_protocol) for p in backend.ports)
            groups.setdefault(ports, []).append(self._endpoint(service, backend))
        return groups

    def _endpoint(self, service: Service, backend: Backend) -> Endpoint:
        node_name = backend.pod.spec.nodeName
        node = self._nodes.cache.get(node_name)
        zone = node.metadata.labels.get(ZONE) if node else None
        return Endpoint(
            addresses=[backend.ip],
            conditions=EndpointConditions(
                ready=backend.ready, serving=backend.serving, terminating=backend.terminating
            ),
            hostname=serving.hostname(service, backend.pod) or None,
            nodeName=node_name or None,
            targetRef=backend.target,
            zone=zone,
            hints=hints(service, backend, zone),
        )


def hints(service: Service, backend: Backend, zone: str | None) -> EndpointHints | None:
    """Who should use an endpoint, as the service's traffic distribution has it."""
    wanted = service.spec.trafficDistribution
    if wanted is None or not backend.ready:
        return None
    nodes = [ForNode(name=backend.pod.spec.nodeName)] if backend.pod.spec.nodeName else []
    made = EndpointHints(
        forZones=[ForZone(name=zone)] if zone else [],
        forNodes=nodes if wanted == "PreferSameNode" else [],
    )
    return made if made.forZones or made.forNodes else None


def _service_key(slice_: EndpointSlice) -> Iterable[str]:
    labels = slice_.metadata.labels
    if labels.get(serving.MANAGED_BY) == OURS and serving.SERVICE_NAME in labels:
        yield f"{slice_.metadata.namespace}/{labels[serving.SERVICE_NAME]}"


def _labels(service: Service) -> dict[str, str]:
    headless = {serving.HEADLESS_LABEL: ""} if serving.is_headless(service) else {}
    meta = service.metadata
    return {**meta.labels, **headless, serving.SERVICE_NAME: meta.name, serving.MANAGED_BY: OURS}
