"""Services and EndpointSlices, seen from one node, become a ServiceTable. Pure.

Called by `loop.py` after each change. Ready endpoints are used; when none is ready, those that
still serve while they terminate are (KEP-1669).
"""

from collections.abc import Iterable, Sequence

from appliance.api.kinds.core.service import Service
from appliance.api.kinds.core.service import ServicePort as ApiPort
from appliance.api.kinds.discovery.endpointslice import Endpoint as ApiEndpoint
from appliance.api.kinds.discovery.endpointslice import EndpointSlice
from appliance.proxy.table import Endpoint, ServicePort, ServiceTable

SERVICE_NAME_LABEL = "kubernetes.io/service-name"
Numbered = tuple[int, ApiEndpoint]
"""A port number and who listens there."""
_DEFAULT_AFFINITY_S = 10800  # 3 hours, the API's default


def compile_table(
    services: Iterable[Service], slices: Iterable[EndpointSlice], *, node_name: str
) -> ServiceTable:
    """Make the table of every service that has a cluster address."""
    by_service: dict[tuple[str, str], list[EndpointSlice]] = {}
    for one in slices:
        if owner := one.metadata.labels.get(SERVICE_NAME_LABEL):
            by_service.setdefault((one.metadata.namespace, owner), []).append(one)
    ports = [
        port
        for service in services
        if _has_address(service)
        for port in _ports(service, by_service.get(_identity(service), ()), node_name)
    ]
    return ServiceTable(tuple(sorted(ports, key=lambda p: (p.namespace, p.name, p.port_name))))


def cluster_ips(service: Service) -> list[str]:
    """Virtual addresses of a service; none for headless and external-name ones."""
    spec = service.spec
    if spec.type == "ExternalName":
        return []
    found = spec.clusterIPs or ([spec.clusterIP] if spec.clusterIP else [])
    return [ip for ip in found if ip and ip != "None"]


def chosen(candidates: Sequence[Numbered]) -> list[Numbered]:
    """The ready ones; if there are none, those that serve on while terminating."""
    ready = [c for c in candidates if c[1].conditions.ready is not False]
    if ready:
        return ready
    return [c for c in candidates if c[1].conditions.serving and c[1].conditions.terminating]


def _has_address(service: Service) -> bool:
    return bool(cluster_ips(service))


def _identity(service: Service) -> tuple[str, str]:
    return service.metadata.namespace, service.metadata.name


def _ports(
    service: Service, slices: Sequence[EndpointSlice], node_name: str
) -> Iterable[ServicePort]:
    spec = service.spec
    affinity_s = 0
    if spec.sessionAffinity == "ClientIP":
        config = spec.sessionAffinityConfig
        client = config.clientIP if config else None
        affinity_s = (client.timeoutSeconds if client else None) or _DEFAULT_AFFINITY_S
    balancer = [i.ip for i in service.status.loadBalancer.ingress if i.ip]
    for port in spec.ports:
        yield ServicePort(
            namespace=service.metadata.namespace,
            name=service.metadata.name,
            port_name=port.name,
            protocol=(port.protocol or "TCP").lower(),
            cluster_ip=cluster_ips(service)[0],
            port=port.port,
            node_port=port.nodePort,
            external_ips=(*spec.externalIPs, *balancer),
            endpoints=_endpoints(port, slices, node_name),
            affinity_s=affinity_s,
            local_only_external=spec.externalTrafficPolicy == "Local",
            local_only_internal=spec.internalTrafficPolicy == "Local",
        )


def _endpoints(
    port: ApiPort, slices: Sequence[EndpointSlice], node_name: str
) -> tuple[Endpoint, ...]:
    candidates = [
        (number, endpoint)
        for one in slices
        if (number := port_number(one, port.name)) is not None
        for endpoint in one.endpoints or ()
    ]
    found = {
        # the other addresses of an endpoint are the same pod, says the API
        Endpoint(endpoint.addresses[0], number, endpoint.nodeName == node_name)
        for number, endpoint in chosen(candidates)
        if endpoint.addresses
    }
    return tuple(sorted(found))


def port_number(one: EndpointSlice, name: str) -> int | None:
    """Number of the slice's port of that name."""
    return next((p.port for p in one.ports or () if (p.name or "") == name), None)
