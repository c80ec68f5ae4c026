"""Services without nftables: we listen on each service's address ourselves and relay.

The whole service range is made local by one route, so that a service costs a socket and no
interface address. Clients are seen by the node's address (the original proxy's shortcoming too),
and connections end with this process; nftables is better wherever there is nftables.
"""

import asyncio
from dataclasses import dataclass

import structlog
from pyroute2 import IPRoute
from pyroute2.netlink.exceptions import NetlinkError

from appliance.kit.clock import Clock
from appliance.kit.tasks import Tasks
from appliance.proxy.backends.base import BackendFault
from appliance.proxy.backends.relays import TcpRelay, UdpRelay
from appliance.proxy.balance import Balancer
from appliance.proxy.table import Endpoint, ServicePort, ServiceTable

log = structlog.get_logger(__name__)

_EVERY_ADDRESS = "0.0.0.0"  # noqa: S104 - node ports are open on every address of the node
_LOCAL_TABLE = 255
_RTN_LOCAL = 2
_SCOPE_HOST = 254
Front = tuple[str, str, int]
"""Protocol, address and port that we listen on."""


@dataclass(slots=True)
class _Open:
    relay: TcpRelay | UdpRelay
    balancer: Balancer


class UserspaceBackend:
    """Relays of one node; `service_cidr` is made local while services exist."""

    def __init__(self, service_cidr: str, *, clock: Clock, tasks: Tasks) -> None:
        self._cidr = service_cidr
        self._clock = clock
        self._tasks = tasks
        self._open: dict[Front, _Open] = {}
        self._routed = False

    async def apply(self, table: ServiceTable) -> None:
        """Open, change and close listeners until they are what the table says."""
        if not self._routed:
            await asyncio.to_thread(self._route, "replace")
            self._routed = True
        wanted = _fronts(table)
        for front in [f for f in self._open if f not in wanted]:
            self._open.pop(front).relay.close()
        for front, (port, endpoints) in wanted.items():
            known = self._open.get(front)
            if known is not None:
                known.balancer.update(endpoints, port.affinity_s)
            elif endpoints:
                await self._listen(front, Balancer(endpoints, port.affinity_s))

    async def drifted(self) -> None:
        """Never: nobody else can close our sockets."""
        await asyncio.Event().wait()

    async def clean_up(self) -> None:
        """Close all listeners and take the route back."""
        for front in tuple(self._open):
            self._open.pop(front).relay.close()
        if self._routed:
            await asyncio.to_thread(self._route, "del")
            self._routed = False

    async def _listen(self, front: Front, balancer: Balancer) -> None:
        protocol, address, port = front
        relay: TcpRelay | UdpRelay
        if protocol == "tcp":
            relay = TcpRelay(balancer, clock=self._clock)
        elif protocol == "udp":
            relay = UdpRelay(balancer, clock=self._clock, tasks=self._tasks)
        else:
            log.warning("this proxy has no such protocol", protocol=protocol, port=port)
            return
        try:
            await relay.start(address, port)
        except OSError as taken:
            # One taken port must not keep all other services from working.
            log.warning("can't listen for a service", address=address, port=port, why=str(taken))
            return
        self._open[front] = _Open(relay, balancer)

    def _route(self, command: str) -> None:
        try:
            with IPRoute() as netlink:
                netlink.route(
                    command,
                    dst=self._cidr,
                    oif=netlink.link_lookup(ifname="lo")[0],
                    table=_LOCAL_TABLE,
                    type=_RTN_LOCAL,
                    scope=_SCOPE_HOST,
                )
        except NetlinkError as refused:
            text = f"the route for services {self._cidr} can't be set ({refused}); run as root"
            raise BackendFault(text) from refused


def _fronts(table: ServiceTable) -> dict[Front, tuple[ServicePort, tuple[Endpoint, ...]]]:
    found: dict[Front, tuple[ServicePort, tuple[Endpoint, ...]]] = {}
    for port in table.ports:
        local = port.local_endpoints
        inside = local if port.local_only_internal else port.endpoints
        outside = local if port.local_only_external else port.endpoints
        found[port.protocol, port.cluster_ip, port.port] = (port, inside)
        for address in (*port.external_ips, *port.balancer_ips):
            found[port.protocol, address, port.port] = (port, outside)
        if port.node_port:
            found[port.protocol, _EVERY_ADDRESS, port.node_port] = (port, outside)
    return found
