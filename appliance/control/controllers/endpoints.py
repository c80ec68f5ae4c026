"""Endpoints: the addresses behind a service, in the form of 2014.

One object per service with a selector, of the same name; it goes with the service. Terminating
pods are left out, as this form can't tell them from others. At most ADDRESS_MAX addresses.
"""

from collections import defaultdict
from collections.abc import Sequence

from appliance.api.errors import NotFound
from appliance.api.kinds.core.endpoints import (
    ENDPOINTS,
    EndpointAddress,
    EndpointPort,
    Endpoints,
    EndpointSubset,
)
from appliance.api.kinds.core.pod.kind import POD
from appliance.api.kinds.core.service import SERVICE, Service
from appliance.api.meta import ObjectMeta
from appliance.client.base import Client, clone
from appliance.client.cache import key_of, split_key
from appliance.client.controller import DONE, Result, Watch
from appliance.client.informer import Informers
from appliance.control.controllers import serving
from appliance.control.controllers.serving import Backend, Port

ADDRESS_MAX = 1000
MANAGED_BY = {"endpoints.kubernetes.io/managed-by": "endpoint-controller"}


class EndpointsController:
    """Keeps the Endpoints of each service in step with its pods."""

    name = "endpoints"

    def __init__(self, client: Client, informers: Informers) -> None:
        self._client = client
        self._services = informers.of(SERVICE)
        self._pods = informers.of(POD)
        self._endpoints = informers.of(ENDPOINTS)

    def watches(self) -> Sequence[Watch]:
        """Services, their pods, and what somebody does to our objects."""
        return [
            Watch(self._services, lambda service: [key_of(service)]),
            Watch(self._pods, lambda pod: serving.services_of(self._services.cache, pod)),
            Watch(self._endpoints, lambda endpoints: [key_of(endpoints)]),
        ]

    async def reconcile(self, key: str) -> Result:
        """Publish the addresses of one service."""
        service = self._services.cache.get(key)
        current = self._endpoints.cache.get(key)
        if service is None:
            if current is not None and _is_ours(current):
                await self._remove(key)
            return DONE
        if not serving.is_selecting(service) or service.metadata.deletionTimestamp is not None:
            return DONE
        found = serving.backends(service, self._pods.cache.list(service.metadata.namespace))
        labels = _labels(service)
        wanted = subsets(service, found)
        if current is None:
            meta = service.metadata
            made = Endpoints(
                metadata=ObjectMeta(name=meta.name, namespace=meta.namespace, labels=labels),
                subsets=wanted,
            )
            await self._client.create(ENDPOINTS, made, namespace=meta.namespace)
        elif (current.subsets, current.metadata.labels) != (wanted, labels):
            changed = clone(current)
            changed.subsets = wanted
            changed.metadata.labels = labels
            await self._client.update(ENDPOINTS, changed)
        return DONE

    async def _remove(self, key: str) -> None:
        namespace, name = split_key(key)
        try:
            await self._client.delete(ENDPOINTS, name, namespace=namespace)
        except NotFound:
            return


def subsets(service: Service, found: Sequence[Backend]) -> list[EndpointSubset]:
    """Group addresses by the ports they offer.

    Pods of one service mostly offer the same ports and make one subset; a named port that differs
    between pods makes more.
    """
    by_ports: dict[tuple[Port, ...], list[Backend]] = defaultdict(list)
    for backend in [b for b in found if not b.terminating][:ADDRESS_MAX]:
        by_ports[tuple(sorted(backend.ports))].append(backend)
    return [
        EndpointSubset(
            addresses=_addresses(service, group, ready=True),
            notReadyAddresses=_addresses(service, group, ready=False),
            ports=[_port(port) for port in ports],
        )
        for ports, group in sorted(by_ports.items())
    ]


def _addresses(service: Service, group: list[Backend], *, ready: bool) -> list[EndpointAddress]:
    chosen = sorted((b for b in group if b.ready is ready), key=lambda b: b.ip)
    return [
        EndpointAddress(
            ip=backend.ip,
            hostname=serving.hostname(service, backend.pod),
            nodeName=backend.pod.spec.nodeName or None,
            targetRef=backend.target,
        )
        for backend in chosen
    ]


def _port(port: Port) -> EndpointPort:
    return EndpointPort(
        name=port.name,
        protocol=port.protocol,
        port=port.number,
        appProtocol=port.app_protocol,
    )


def _labels(service: Service) -> dict[str, str]:
    headless = {serving.HEADLESS_LABEL: ""} if serving.is_headless(service) else {}
    return {**service.metadata.labels, **headless, **MANAGED_BY}


def _is_ours(endpoints: Endpoints) -> bool:
    return endpoints.metadata.labels.items() >= MANAGED_BY.items()
