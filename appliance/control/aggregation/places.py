"""Where the pods behind a service answer.

The API server goes to endpoints itself: its host need not have the cluster's service rules.
Called by the proxies of services and by aggregation.
"""

from appliance.api.errors import ServiceUnavailable
from appliance.api.kinds.core.endpoints import ENDPOINTS
from appliance.api.kinds.core.service import Service, ServicePort
from appliance.control.registry.base import Lookup


async def places_behind(lookup: Lookup, service: Service, wanted: str) -> list[tuple[str, int]]:
    """Addresses and ports behind one port of a service, which is given by name or number.

    Raises:
        ServiceUnavailable: there is no such port, or nothing behind it.
    """
    name = service.metadata.name
    port = _port(service.spec.ports, wanted)
    if port is None:
        raise ServiceUnavailable(f'no service port "{wanted}" found for service "{name}"')
    found = await lookup.find(ENDPOINTS, service.metadata.namespace, name)
    places = [
        (address.ip, offered.port)
        for subset in (found.subsets if found else None) or ()
        for offered in subset.ports
        if offered.name == port.name
        for address in subset.addresses
    ]
    if not places:
        raise ServiceUnavailable(f'no endpoints available for service "{name}"')
    return places


def _port(ports: list[ServicePort], wanted: str) -> ServicePort | None:
    """By name or number; the only one needs neither."""
    if not wanted:
        return ports[0] if len(ports) == 1 else next((p for p in ports if not p.name), None)
    by_name = next((p for p in ports if p.name == wanted), None)
    return by_name or next((p for p in ports if str(p.port) == wanted), None)
