"""Netlink sockets as the pod network uses them; the kernel's refusals become `NetworkFault`s."""

import errno
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from pyroute2 import AsyncIPRoute
from pyroute2.netlink.exceptions import NetlinkError

from appliance.node.network.base import NetworkFault

_MTU = 1500  # Ethernet's, where nothing says otherwise


@asynccontextmanager
async def kernel_socket(**how: Any) -> AsyncIterator[Any]:
    """A netlink socket; `how` goes to the library."""
    try:
        async with AsyncIPRoute(**how) as kernel:
            yield kernel
    except NetlinkError as error:
        raise NetworkFault(f"the kernel refused a change of the pod network: {error}") from error


async def index_of(kernel: Any, name: str) -> int:
    """The number of an interface, 0 if there is none."""
    try:
        return int((await kernel.link("get", ifname=name))[0]["index"])
    except NetlinkError as error:
        if error.code != errno.ENODEV:
            raise
        return 0


async def mtu_out(kernel: Any) -> int:
    """The largest packet of the way out of this host: what is larger would get stuck there."""
    ways = [
        int(route.get("oif"))
        async for route in await kernel.route("dump", family=socket.AF_INET)
        if route["dst_len"] == 0 and route.get("oif") is not None
    ]
    sizes = [(await kernel.link("get", index=way))[0].get("mtu") or _MTU for way in ways]
    return min(sizes, default=_MTU)


async def remove_link(kernel: Any, name: str) -> None:
    """Delete an interface; fine if there is none."""
    index = await index_of(kernel, name)
    if index:
        try:
            await kernel.link("del", index=index)
        except NetlinkError as error:
            if error.code != errno.ENODEV:  # its namespace went at the same moment
                raise
