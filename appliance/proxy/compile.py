"""A Service and its EndpointSlices, seen from one node, become an entry of the table. Pure.

Called by `loop.py` for each service that changed; `choose.py` says which endpoints are used.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from appliance.api.kinds.core.service import Service
from appliance.api.kinds.core.service import ServicePort as ApiPort
from appliance.api.kinds.discovery.endpointslice import EndpointSlice
from appliance.proxy.choose import Numbered, chosen, is_ready, near
from appliance.proxy.table import Endpoint, HealthCheck, ServiceEntry, ServicePort

SERVICE_NAME_LABEL = "kubernetes.io/service-name"
_DEFAULT_AFFINITY_S = 10800  # 3 hours, the API's default
LOCAL = "Local"


@dataclass(frozen=True, slots=True)
class Viewpoint:
    """The node that looks, and its zone ("" if it has none)."""

    node: str
    zone: str = ""


def compile_service(
    service: Service, slices: Sequence[EndpointSlice], view: Viewpoint
) -> ServiceEntry | None:
    """Make the entry of a service; None if it has no cluster address."""
    if not cluster_ips(service):
        return None
    ports = sorted(_ports(service, slices, view), key=lambda port: port.port_name)
    return ServiceEntry(tuple(ports), _check(service, slices, view))


def cluster_ips(service: Service) -> list[str]:
    """Virtual addresses of a service; none for headless and external-name ones."""
    spec = service.spec
    if spec.type == "ExternalName":
        return []
    found = spec.clusterIPs or ([spec.clusterIP] if spec.clusterIP else [])
    return [ip for ip in found if ip and ip != "None"]


def _ports(
    service: Service, slices: Sequence[EndpointSlice], view: Viewpoint
) -> Iterable[ServicePort]:
    spec = service.spec
    affinity_s = 0
    if spec.sessionAffinity == "ClientIP":
        config = spec.sessionAffinityConfig
        client = config.clientIP if config else None
        affinity_s = (client.timeoutSeconds if client else None) or _DEFAULT_AFFINITY_S
    # An ingress of mode Proxy sends on by itself; what is for it must not be caught here.
    ingress = [i.ip for i in service.status.loadBalancer.ingress if i.ip and i.ipMode != "Proxy"]
    for port in spec.ports:
        candidates = _candidates(port, slices)
        yield ServicePort(
            namespace=service.metadata.namespace,
            name=service.metadata.name,
            port_name=port.name,
            protocol=(port.protocol or "TCP").lower(),
            cluster_ip=cluster_ips(service)[0],
            port=port.port,
            node_port=port.nodePort,
            external_ips=tuple(spec.externalIPs),
            balancer_ips=tuple(ingress),
            allowed_sources=tuple(s.strip() for s in spec.loadBalancerSourceRanges),
            endpoints=_endpoints(chosen(near(candidates, view.node, view.zone)), view),
            local_endpoints=_endpoints(chosen(_local(candidates, view)), view),
            affinity_s=affinity_s,
            local_only_external=spec.externalTrafficPolicy == LOCAL,
            local_only_internal=spec.internalTrafficPolicy == LOCAL,
        )


def _check(
    service: Service, slices: Sequence[EndpointSlice], view: Viewpoint
) -> HealthCheck | None:
    spec = service.spec
    if not spec.healthCheckNodePort or spec.externalTrafficPolicy != LOCAL:
        return None
    ready = {
        endpoint.addresses[0]
        for one in slices
        for endpoint in one.endpoints or ()
        if endpoint.nodeName == view.node and is_ready(endpoint) and endpoint.addresses
    }
    return HealthCheck(
        namespace=service.metadata.namespace,
        name=service.metadata.name,
        port=spec.healthCheckNodePort,
        local_endpoints=len(ready),
    )


def _candidates(port: ApiPort, slices: Sequence[EndpointSlice]) -> list[Numbered]:
    return [
        (number, endpoint)
        for one in slices
        if (number := port_number(one, port.name)) is not None
        for endpoint in one.endpoints or ()
    ]


def _local(candidates: Iterable[Numbered], view: Viewpoint) -> list[Numbered]:
    return [c for c in candidates if c[1].nodeName == view.node]


def _endpoints(found: Iterable[Numbered], view: Viewpoint) -> tuple[Endpoint, ...]:
    made = {
        # the other addresses of an endpoint are the same pod, says the API
        Endpoint(endpoint.addresses[0], number, endpoint.nodeName == view.node)
        for number, endpoint in found
        if endpoint.addresses
    }
    return tuple(sorted(made))


def port_number(one: EndpointSlice, name: str) -> int | None:
    """Number of the slice's port of that name."""
    return next((p.port for p in one.ports or () if (p.name or "") == name), None)
