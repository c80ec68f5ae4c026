"""The kernel's part of the ways to other nodes: routes, and the tunnel with its tables.

Used by `peers.py`, and by `appliance reset`. Our routes bear a protocol number and a metric that
name this cluster, so no other's are ever touched. When the agent stops everything stays: pods go
on talking.

The tunnel is one VXLAN interface `apv<cluster id>` that learns nothing by itself: each peer's end
is written into its tables, and what has no peer is taken out. UDP port 8472 is the Linux default.
"""

import asyncio
import ipaddress
from collections.abc import Callable, Sequence
from typing import Any

from pyroute2.netlink.rtnl import RTMGRP_IPV4_ROUTE, RTMGRP_LINK

from appliance.node.network.kernel import index_of, kernel_socket, remove_link
from appliance.node.network.routes import Tunnel, Way, tunnel_address, tunnel_mac

PROTOCOL = 98
"""Marks our routes; the kernel keeps the number and gives it no meaning."""
PORT = 8472
_WRAPPING = 50
"""Bytes that the tunnel puts around a packet; without room for them each would be cut in two."""
_MTU = 1500
_IPV4 = 2
_PERMANENT = 0x80  # of a neighbour: written by hand, never asked for
_SELF = 2  # the entry belongs to the interface itself, not to a bridge above it
_ONLINK = 4  # the gateway is behind that interface, whatever the addresses say


class Wiring:
    """Routes and tunnel of one cluster on this host."""

    def __init__(self, cluster_id: str) -> None:
        self.tunnel = f"apv{cluster_id[:12]}"
        self._metric = int(cluster_id[:8], 16) or 1
        self._lock = asyncio.Lock()

    async def apply(self, ways: Sequence[Way], own: Tunnel) -> None:
        """Make the kernel's routes and the tunnel be what these ways ask for.

        Raises:
            NetworkFault: the kernel refuses, such as a gateway on a link that is down.
        """
        far = [way for way in ways if way.tunnel]
        async with self._lock, kernel_socket() as kernel:
            index = await self._open_tunnel(kernel, own) if far else 0
            if index:
                await _write_peers(kernel, index, far)
            await self._write_routes(kernel, ways, index)
            if not far:
                await remove_link(kernel, self.tunnel)

    async def links(self, address: str) -> list[str]:
        """The networks of the interface that has this address."""
        async with kernel_socket() as kernel:
            seen = [
                (entry["index"], entry.get("address"), entry["prefixlen"])
                async for entry in await kernel.addr("dump", family=_IPV4)
            ]
        mine = {index for index, own, _ in seen if own == address}
        return [
            str(ipaddress.ip_network(f"{own}/{length}", strict=False))
            for index, own, length in seen
            if index in mine and length < ipaddress.IPV4LENGTH
        ]

    async def clean_up(self) -> None:
        """Take all of it back."""
        async with self._lock, kernel_socket() as kernel:
            await self._write_routes(kernel, (), 0)
            await remove_link(kernel, self.tunnel)

    async def listen(self, stir: Callable[[], None]) -> None:
        """Call whenever routes or links of this host change, by whomever; until cancelled."""
        async with kernel_socket() as kernel:
            await kernel.bind(groups=RTMGRP_IPV4_ROUTE | RTMGRP_LINK)
            stir()  # for what changed before we listened
            while True:
                async for _message in kernel.get():
                    stir()

    async def _open_tunnel(self, kernel: Any, own: Tunnel) -> int:
        index = await index_of(kernel, self.tunnel)
        if not index:
            await kernel.link(
                "add",
                ifname=self.tunnel,
                kind="vxlan",
                address=tunnel_mac(own.node_ip),
                vxlan_id=own.network_id,
                vxlan_local=own.node_ip,
                vxlan_port=PORT,
                vxlan_learning=False,
            )
            index = await index_of(kernel, self.tunnel)
        room = await _mtu_towards(kernel, own.node_ip) - _WRAPPING
        if (await kernel.link("get", index=index))[0].get("mtu") != room:
            await kernel.link("set", index=index, mtu=room)
        await kernel.link("set", index=index, state="up")
        address = tunnel_address(own.pod_cidr)
        await kernel.addr("replace", index=index, address=address, prefixlen=32)
        return index

    async def _write_routes(self, kernel: Any, ways: Sequence[Way], tunnel: int) -> None:
        there = await self._routes(kernel)
        wanted = {way.pod_cidr: _target(way, tunnel) for way in ways}
        for cidr in set(there) - set(wanted):
            await kernel.route("del", dst=cidr, proto=PROTOCOL, priority=self._metric)
        for cidr, (gateway, interface) in wanted.items():
            seen_gateway, seen_interface = there.get(cidr, ("", 0))
            if seen_gateway == gateway and interface in (0, seen_interface):
                continue
            onto = {"oif": interface, "flags": _ONLINK} if interface else {}
            await kernel.route(
                "replace", dst=cidr, gateway=gateway, proto=PROTOCOL, priority=self._metric, **onto
            )

    async def _routes(self, kernel: Any) -> dict[str, tuple[str, int]]:
        """Our routes as the kernel has them: gateway and interface by range."""
        return {
            f"{route.get('dst')}/{route['dst_len']}": (
                str(route.get("gateway", "")),
                int(route.get("oif", 0)),
            )
            async for route in await kernel.route("dump", family=_IPV4)
            if route["proto"] == PROTOCOL and route.get("priority") == self._metric
        }


async def _mtu_towards(kernel: Any, address: str) -> int:
    """The largest packet of the interface that has this address."""
    async for entry in await kernel.addr("dump", family=_IPV4):
        if entry.get("address") == address:
            return int((await kernel.link("get", index=entry["index"]))[0].get("mtu") or _MTU)
    return _MTU


def _target(way: Way, tunnel: int) -> tuple[str, int]:
    """Gateway and interface of a route; a direct one's interface follows from its gateway."""
    return (tunnel_address(way.pod_cidr), tunnel) if way.tunnel else (way.address, 0)


async def _write_peers(kernel: Any, tunnel: int, far: Sequence[Way]) -> None:
    """Tell the tunnel where each peer's end is, and forget all others."""
    neighbours = {tunnel_address(way.pod_cidr): tunnel_mac(way.address) for way in far}
    ends = {tunnel_mac(way.address): way.address for way in far}
    for address, mac in neighbours.items():
        await kernel.neigh("replace", ifindex=tunnel, dst=address, lladdr=mac, state=_PERMANENT)
    for mac, address in ends.items():
        await kernel.fdb(
            "replace", ifindex=tunnel, lladdr=mac, dst=address, state=_PERMANENT, flags=_SELF
        )
    async for entry in await kernel.neigh("dump", family=_IPV4, ifindex=tunnel):
        if entry["ifindex"] == tunnel and entry.get("dst") not in neighbours:
            await kernel.neigh("del", ifindex=tunnel, dst=entry.get("dst"))
    async for entry in await kernel.fdb("dump", ifindex=tunnel):
        mac = entry.get("lladdr")
        if entry["ifindex"] == tunnel and mac not in ends:
            await kernel.fdb("del", ifindex=tunnel, lladdr=mac, dst=entry.get("dst"), flags=_SELF)
