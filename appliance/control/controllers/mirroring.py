"""Endpoints that people make by hand, as EndpointSlices: proxies and DNS read only those.

For services without a selector. Endpoints that carry the skip label are left alone (`kubernetes`
in `default` makes its own slice). Slices belong to the Endpoints and go with them. IPv4 only.
Source: KEP-752.
"""

from collections.abc import Iterable, Sequence

from appliance.api.kinds.core.endpoints import ENDPOINTS, EndpointAddress, Endpoints, EndpointSubset
from appliance.api.kinds.core.service import SERVICE, Service
from appliance.api.kinds.discovery.endpointslice import (
    ENDPOINT_SLICE,
    Endpoint,
    EndpointConditions,
    EndpointSlice,
)
from appliance.api.objects import controller_ref
from appliance.client.base import Client
from appliance.client.cache import key_of
from appliance.client.controller import DONE, Result, Watch
from appliance.client.informer import Informers
from appliance.control.controllers import serving, slices
from appliance.control.controllers.slicewriter import SliceSource, SliceWriter

OURS = "endpointslicemirroring-controller.k8s.io"
SKIP = "endpointslice.kubernetes.io/skip-mirror"

_BY_ENDPOINTS = "endpoints"


class EndpointMirroring:
    """Mirrors hand-made Endpoints."""

    name = "mirroring"

    def __init__(self, client: Client, informers: Informers) -> None:
        self._services = informers.of(SERVICE)
        self._endpoints = informers.of(ENDPOINTS)
        self._slices = informers.of(ENDPOINT_SLICE)
        self._slices.add_indexers({_BY_ENDPOINTS: _endpoints_key})
        self._writer = SliceWriter(client, self._slices)

    def watches(self) -> Sequence[Watch]:
        """Endpoints, the services they are of, and what somebody does to our slices."""
        return [
            Watch(self._endpoints, lambda endpoints: [key_of(endpoints)]),
            Watch(self._services, lambda service: [key_of(service)]),
            Watch(self._slices, _endpoints_key),
        ]

    async def reconcile(self, key: str) -> Result:
        """Mirror one Endpoints object."""
        endpoints = self._endpoints.cache.get(key)
        if endpoints is None:
            self._writer.forget(key)
            return DONE
        if endpoints.metadata.deletionTimestamp is not None or not self._writer.is_current(key):
            return DONE
        current = self._slices.cache.by_index(_BY_ENDPOINTS, key)
        meta = endpoints.metadata
        source = SliceSource(
            namespace=meta.namespace,
            prefix=meta.name,
            labels={**meta.labels, serving.SERVICE_NAME: meta.name, serving.MANAGED_BY: OURS},
            owner=controller_ref(ENDPOINTS, endpoints),
        )
        if _is_mirrored(endpoints, self._services.cache.get(key)):
            todo = slices.plan(current, mirrored(endpoints.subsets))
        else:
            todo = slices.SlicePlan(delete=list(current))
        await self._writer.carry_out(key, source, current, todo)
        return DONE


def mirrored(subsets: Sequence[EndpointSubset]) -> dict[slices.Ports, list[Endpoint]]:
    """The same addresses, by the ports they offer."""
    groups: dict[slices.Ports, list[Endpoint]] = {}
    for subset in subsets:
        ports = tuple(
            (port.name or "", port.protocol or "TCP", port.port or 0, port.appProtocol)
            for port in subset.ports
        )
        found = groups.setdefault(ports, [])
        for addresses, ready in ((subset.addresses, True), (subset.notReadyAddresses, False)):
            found.extend(_endpoint(a, ready=ready) for a in addresses if ":" not in a.ip)
    return {ports: found for ports, found in groups.items() if found}


def _endpoint(address: EndpointAddress, *, ready: bool) -> Endpoint:
    return Endpoint(
        addresses=[address.ip],
        conditions=EndpointConditions(ready=ready),
        hostname=address.hostname or None,
        nodeName=address.nodeName,
        targetRef=address.targetRef,
    )


def _is_mirrored(endpoints: Endpoints, service: Service | None) -> bool:
    if service is None or service.spec.selector or service.spec.type == "ExternalName":
        return False
    return endpoints.metadata.labels.get(SKIP) != "true"


def _endpoints_key(slice_: EndpointSlice) -> Iterable[str]:
    labels = slice_.metadata.labels
    if labels.get(serving.MANAGED_BY) == OURS and serving.SERVICE_NAME in labels:
        yield f"{slice_.metadata.namespace}/{labels[serving.SERVICE_NAME]}"
