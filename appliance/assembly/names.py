"""A node's DNS responder from its parts: zone, its keeper, upstream, the sockets."""

import ipaddress

from appliance.client.informer import Informers
from appliance.config.schema import Config
from appliance.kit.clock import SystemClock
from appliance.kit.tasks import Tasks
from appliance.proxy.dns.counts import Counts
from appliance.proxy.dns.forward import Upstream
from appliance.proxy.dns.keeper import ZoneKeeper
from appliance.proxy.dns.responder import Responder
from appliance.proxy.dns.server import DnsServer
from appliance.proxy.dns.servers import DNS_PORT, Servers, parse_server, parse_stub
from appliance.proxy.dns.zone import Zone


async def start_dns(
    config: Config, informers: Informers, tasks: Tasks, *, address: str, counts: Counts
) -> tuple[str, int] | None:
    """Answer names at this address; gives where, or None if it is disabled."""
    if "dns" in config.disable:
        return None
    clock = SystemClock()
    servers = Servers(
        clock=clock,
        own=(config.dns_address, address),
        fixed=[parse_server(text) for text in config.dns_upstream],
        stubs=dict(parse_stub(text) for text in config.dns_stub),
    )
    upstream = Upstream(servers, clock=clock, tasks=tasks, counts=counts)
    ranges = [ipaddress.ip_network(text) for text in (config.cluster_cidr, config.service_cidr)]
    zone = Zone(config.cluster_domain, ranges=ranges, dns=config.dns_address)
    responder = Responder(zone, upstream, counts=counts)
    keeper = ZoneKeeper(informers, responder, clock=clock)
    await DnsServer(responder, host=address, port=DNS_PORT, tasks=tasks).start()
    upstream.look_for_loops()
    _ = tasks.spawn("names", keeper.run())
    return address, DNS_PORT
