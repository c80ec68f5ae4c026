"""Services without nftables: a process of ours listens on each service's address and relays.

The whole service range is made local by one route, so that a service costs a socket and no
interface address; an external address that no host has gets a route of its own. Clients are
seen by the node's address (the original proxy's shortcoming too); nftables is better wherever
there is nftables.

The relay process (`proxy/relays`) outlives an agent that is killed; the next agent finds it with
what it does, and changes only what is different. `clean_up` ends it.
"""

import asyncio
import os
import sys
from dataclasses import dataclass, field
from pathlib import Path

import structlog
from pyroute2 import IPRoute
from pyroute2.netlink.exceptions import NetlinkError

import appliance
from appliance.kit import subproc
from appliance.kit.clock import Clock
from appliance.proxy.backends.base import BackendFault
from appliance.proxy.backends.relayclient import RelayClient, RelayGone
from appliance.proxy.backends.relayplan import RELAYED, fronts, outer_addresses
from appliance.proxy.relays.control import is_host_address
from appliance.proxy.relays.wire import Plan
from appliance.proxy.table import ServiceTable

log = structlog.get_logger(__name__)

_LOCAL_TABLE = 255
_RTN_LOCAL = 2
_SCOPE_HOST = 254
_START_S = 10.0
_TRY_EVERY_S = 0.02


@dataclass(frozen=True, slots=True, kw_only=True)
class RelayOptions:
    """Whose relays, for which addresses; `inside` is the network of the pods."""

    cluster_id: str
    service_cidr: str
    inside: str = ""
    log: Path = field(default=Path(os.devnull))


class UserspaceBackend:
    """Relays of one node."""

    def __init__(self, options: RelayOptions, *, clock: Clock) -> None:
        self._options = options
        self._clock = clock
        self._client: RelayClient | None = None
        self._pid = 0
        self._applied: dict[str, Plan] = {}
        self._refused: dict[str, str] = {}
        self._routed: set[str] = set()
        self._met = asyncio.Event()

    async def apply(self, table: ServiceTable) -> None:
        """Open, change and close fronts until they are what the table says.

        Raises:
            BackendFault: the relay process can't be started, or a route is refused.
        """
        _complain(table)
        wanted, outer = fronts(table.ports), outer_addresses(table)
        try:
            client = await self._meet()
            await asyncio.to_thread(self._route, outer)
            close = [name for name in self._applied if name not in wanted]
            opened = {n: plan for n, plan in wanted.items() if self._applied.get(n) != plan}
            if close or opened:
                change = {"open": opened, "close": close, "routes": sorted(self._routed)}
                self._note((await client.ask(change))["refused"])
        except RelayGone as gone:
            raise BackendFault(f"the relay process is gone: {gone}") from gone
        # What was refused is tried again with the next change.
        self._applied = {n: plan for n, plan in wanted.items() if n not in self._refused}

    async def drifted(self) -> None:
        """Wait until the relay process has ended without our asking."""
        await self._met.wait()
        if self._client is not None:
            await self._client.wait_closed()
            log.warning("the relay process has ended; starting another")
        self._client = None
        self._met.clear()

    async def clean_up(self) -> None:
        """End the relay process, also one that an agent before us left, and take routes back."""
        client = self._client or await self._find()
        if client is not None:
            self._routed |= {*client.routes, self._options.service_cidr}
            await client.stop()
        self._client = None
        self._met.clear()
        self._applied = {}
        await asyncio.to_thread(self._unroute)
        if self._pid:
            subproc.ended(self._pid)

    async def _meet(self) -> RelayClient:
        """Find the relay process, or start one."""
        if self._client is not None and not self._client.closed:
            return self._client
        client = await self._find()
        if client is None:
            self._start()
            deadline = self._clock.monotonic() + _START_S
            while client is None:
                if self._clock.monotonic() > deadline:
                    raise BackendFault(f"the relay process does not start; see {self._options.log}")
                await self._clock.sleep(_TRY_EVERY_S)
                client = await self._find()
        self._client = client
        self._applied = dict(client.fronts)
        self._routed |= set(client.routes)
        self._met.set()
        return client

    async def _find(self) -> RelayClient | None:
        client = await RelayClient.connect(self._options.cluster_id)
        if client is not None and not client.same_version:
            log.info("a relay process of another version is replaced")
            await client.stop()
            return None
        return client

    def _start(self) -> None:
        if self._pid:
            subproc.ended(self._pid)  # the one before: no zombie stays
        options = self._options
        argv = [sys.executable, "-m", "appliance.proxy.relays", options.cluster_id]
        home = str(Path(appliance.__file__).parent.parent)
        environment = {**os.environ, "PYTHONPATH": home}
        inside = [options.inside] if options.inside else []
        self._pid = subproc.detach([*argv, *inside], log=options.log, env=environment)

    def _note(self, refused: dict[str, str]) -> None:
        for name, why in refused.items():
            if self._refused.get(name) != why:
                # One taken port must not keep all other services from working.
                log.warning("can't listen for a service", front=name, why=why)
        self._refused = refused

    # routes

    def _route(self, outer: set[str]) -> None:
        wanted = {self._options.service_cidr}
        wanted |= {a for a in outer if a in self._routed or not is_host_address(a)}
        for target in self._routed - wanted:
            self._change_route("del", target)
        for target in wanted:
            self._change_route("replace", target)
        self._routed = wanted

    def _unroute(self) -> None:
        for target in self._routed:
            self._change_route("del", target)
        self._routed = set()

    def _change_route(self, command: str, target: str) -> None:
        try:
            with IPRoute() as netlink:
                netlink.route(
                    command,
                    dst=target,
                    oif=netlink.link_lookup(ifname="lo")[0],
                    table=_LOCAL_TABLE,
                    type=_RTN_LOCAL,
                    scope=_SCOPE_HOST,
                )
        except NetlinkError as refused:
            if command == "del":
                return  # it is gone already
            text = f"the route for {target} can't be set ({refused}); run as root"
            raise BackendFault(text) from refused


def _complain(table: ServiceTable) -> None:
    for port in table.ports:
        if port.protocol not in RELAYED:
            name = f"{port.namespace}/{port.name}"
            log.warning("this proxy has no such protocol", protocol=port.protocol, service=name)
