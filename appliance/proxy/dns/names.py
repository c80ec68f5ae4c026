"""The names of one service: the Kubernetes DNS specification 1.1. Pure.

<svc>.<ns>.svc.<domain>                A, AAAA   cluster addresses; headless: every ready endpoint
<host>.<svc>.<ns>.svc.<domain>         A, AAAA   one endpoint of a headless service
_<port>._<proto>.<svc>.<ns>.svc.…      SRV       each named port
<svc>.<ns>.svc.<domain>                CNAME     ExternalName
<reversed>.in-addr.arpa, …ip6.arpa     PTR       service addresses and headless endpoints
"""

from collections.abc import Iterable, Iterator
from ipaddress import ip_address

from appliance.api.kinds.core.service import Service
from appliance.api.kinds.discovery.endpointslice import Endpoint, EndpointSlice
from appliance.proxy.compile import cluster_ips
from appliance.proxy.dns.base import Record, RType

TTL_S = 5  # short: endpoints change
_WEIGHT = 100
_PORT_MAX = 0xFFFF


def records_of(
    service: Service, slices: Iterable[EndpointSlice], domain: str
) -> tuple[Record, ...]:
    """All records of a service, each once; what is no address is left out."""
    meta = service.metadata
    base = f"{meta.name}.{meta.namespace}.svc.{domain}."
    if service.spec.type == "ExternalName":
        found = _alias(service, base)
    elif addresses := cluster_ips(service):
        found = _virtual(service, base, addresses)
    else:
        publish = service.spec.publishNotReadyAddresses
        found = (record for one in slices for record in _headless(one, base, publish=publish))
    return tuple(dict.fromkeys(found))


def _alias(service: Service, base: str) -> Iterator[Record]:
    target = service.spec.externalName.strip(".").lower()
    if target:
        yield Record(base, RType.CNAME, TTL_S, f"{target}.")


def _virtual(service: Service, base: str, addresses: Iterable[str]) -> Iterator[Record]:
    for address in addresses:
        yield from _address(base, address)
        yield from _reverse(address, base)
    for port in service.spec.ports:
        yield from _srv(base, (port.name, port.protocol, port.port), base)


def _headless(one: EndpointSlice, base: str, *, publish: bool) -> Iterator[Record]:
    for endpoint in one.endpoints or ():
        if endpoint.conditions.ready is False and not publish:
            continue
        for address in endpoint.addresses:
            name = f"{_host(endpoint, address)}.{base}"
            yield from _address(base, address)
            yield from _address(name, address)
            yield from _reverse(address, name)
            for port in one.ports or ():
                yield from _srv(base, (port.name, port.protocol, port.port), name)


def _host(endpoint: Endpoint, address: str) -> str:
    # Endpoints without a host name get one made of their address, as CoreDNS does.
    return (endpoint.hostname or address.replace(".", "-").replace(":", "-")).lower()


def _address(name: str, address: str) -> Iterator[Record]:
    try:
        parsed = ip_address(address)
    except ValueError:
        return  # slices of type FQDN hold names
    yield Record(name, RType.A if parsed.version == 4 else RType.AAAA, TTL_S, str(parsed))


def _reverse(address: str, target: str) -> Iterator[Record]:
    try:
        pointer = ip_address(address).reverse_pointer
    except ValueError:
        return
    yield Record(f"{pointer}.", RType.PTR, TTL_S, target)


def _srv(
    base: str, port: tuple[str | None, str | None, int | None], target: str
) -> Iterator[Record]:
    name, protocol, number = port
    if name and number and number <= _PORT_MAX:
        full = f"_{name}._{(protocol or 'TCP').lower()}.{base}"
        yield Record(full, RType.SRV, TTL_S, (0, _WEIGHT, number, target))
