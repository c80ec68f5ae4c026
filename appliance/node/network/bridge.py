"""`BridgeNetwork`: a bridge on this host, a pair of virtual links per pod.

Made by assembly, called by the pod workers. Everything goes through netlink and libnftables in
this process; an attach is about twenty small kernel calls, 15 ms.

A pod gets its address as a /32 and sends everything, also to its neighbours, to the bridge.
That costs one routing step and buys services without `br_netfilter`: if neighbours answered one
another directly, an answer from behind a service address would miss the host's connection
tracking and arrive from an address that the asker never spoke to.

On the host, for cluster id 1a2b3c4d: bridge `apl1a2b3c4d`, links `1a2b3c` + 9 digits of the
pod's uid hashed (15 letters, the kernel's limit), table `inet appliance_1a2b3c4d_net`. The
leases file is the only memory; what is on the host is looked at, not remembered.
"""

import asyncio
import hashlib
import os
import socket
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import structlog

from appliance.kit.netns import socket_inside
from appliance.kit.nftables import Nft, NftError, NftMissing
from appliance.node.network import publish, rules
from appliance.node.network.base import Attachment, NetworkFault, PodLink
from appliance.node.network.ipam import Leases, gateway_of, read_leases, write_leases
from appliance.node.network.kernel import index_of, kernel_socket, mtu_out, remove_link
from appliance.node.network.publish import Published

log = structlog.get_logger(__name__)

POD_PREFIX = 32
_SCOPE_LINK = 253
_LOOPBACK = 1  # the index of `lo` in every network namespace
_FORWARDING = Path("/proc/sys/net/ipv4/ip_forward")
_SETTINGS = Path("/proc/sys/net/ipv4/conf")


class BridgeNetwork:
    """The pods' network of one node."""

    def __init__(self, cluster_id: str, *, cluster_cidr: str, data_dir: Path) -> None:
        self._cluster_id = cluster_id
        self._cluster_cidr = cluster_cidr
        self._file = data_dir / "agent" / "addresses.json"
        self._leases: Leases | None = None
        self._lock = asyncio.Lock()  # one change at a time: table and kernel move together
        self.bridge = f"apl{cluster_id[:12]}"

    async def set_up(self, pod_cidr: str) -> None:
        """Make the bridge, turn forwarding on, write the rules.

        Raises:
            NetworkFault: not root, or the kernel lacks bridges or nftables.
        """
        async with self._lock:
            leases = await asyncio.to_thread(read_leases, self._file, pod_cidr)
            text = rules.ruleset(self._cluster_id, self.bridge, pod_cidr, self._cluster_cidr)
            await asyncio.to_thread(self._open_host, text)
            async with _kernel() as kernel:
                await self._make_bridge(kernel, gateway_of(pod_cidr), pod_cidr)
            self._leases = leases

    async def attach(self, link: PodLink) -> Attachment:
        """Give a pod its interface and address; the same address each time.

        Raises:
            NoAddressLeft: the node's range is used up.
            NetworkFault: the process has ended, or `set_up` was not called.
        """
        async with self._lock:
            leases = self._known().with_pod(link.pod_uid)
            await self._keep(leases)
            address, gateway = leases.addresses[link.pod_uid], gateway_of(leases.pod_cidr)
            async with _kernel() as kernel, _kernel(link.pid) as inside:
                if not await _has_address(inside, address):
                    await self._plug(kernel, link, address)
                    try:
                        await _configure(inside, address, gateway)
                    except BaseException:
                        # Half a link would look like a whole one next time.
                        await remove_link(kernel, self._link_name(link.pod_uid))
                        raise
            if link.ports:
                await asyncio.to_thread(self._publish, {address: link.ports})
            return Attachment(address, gateway, POD_PREFIX)

    async def detach(self, pod_uid: str) -> None:
        """Remove the link, then free the address; what is gone is fine."""
        async with self._lock:
            await self._release(frozenset({pod_uid}))

    async def keep_only(self, pod_uids: frozenset[str]) -> None:
        """Detach all pods but these."""
        async with self._lock:
            await self._release(frozenset(self._known().addresses) - pod_uids)

    async def clean_up(self) -> None:
        """Remove links, bridge, rules and the leases file."""
        async with self._lock:
            async with _kernel() as kernel:
                bridge = await index_of(kernel, self.bridge)
                if bridge:
                    for port in [p async for p in await kernel.link("dump", master=bridge)]:
                        await remove_link(kernel, port.get("ifname"))
                await remove_link(kernel, self.bridge)
            await asyncio.to_thread(self._close_host)
            await asyncio.to_thread(self._file.unlink, missing_ok=True)
            self._leases = None

    # inside

    def _known(self) -> Leases:
        if self._leases is None:
            raise NetworkFault("the pod network is not set up yet; the node has no pod range")
        return self._leases

    async def _keep(self, leases: Leases) -> None:
        if leases != self._leases:
            await asyncio.to_thread(write_leases, self._file, leases)
            self._leases = leases

    async def _release(self, pod_uids: frozenset[str]) -> None:
        if not pod_uids:
            return
        async with _kernel() as kernel:
            for uid in pod_uids:
                await remove_link(kernel, self._link_name(uid))
        if self._leases is not None:
            freed = {a: () for u, a in self._leases.addresses.items() if u in pod_uids}
            await asyncio.to_thread(self._publish, freed)
        # The address is free only after its link has gone, also if we are killed in between.
        if self._leases is not None:
            await self._keep(self._leases.without(pod_uids))

    def _link_name(self, pod_uid: str) -> str:
        digest = hashlib.sha256(f"{self._cluster_id}/{pod_uid}".encode()).hexdigest()
        return self._cluster_id[:6] + digest[: 15 - len(self._cluster_id[:6])]

    async def _make_bridge(self, kernel: Any, gateway: str, pod_cidr: str) -> None:
        if not await index_of(kernel, self.bridge):
            # A bridge without an address of its own takes its ports', which come and go.
            digest = hashlib.sha256(self._cluster_id.encode()).digest()
            mac = ":".join(f"{byte:02x}" for byte in (0x02, *digest[:5]))
            await kernel.link("add", ifname=self.bridge, kind="bridge", address=mac)
        index = await index_of(kernel, self.bridge)
        await kernel.link("set", index=index, mtu=await mtu_out(kernel), state="up")
        prefix = int(pod_cidr.partition("/")[2])
        wanted = (gateway, prefix)
        seen = {
            (found.get("address"), found["prefixlen"])
            async for found in await kernel.addr("dump", index=index, family=2)
        }
        for address, length in seen - {wanted}:
            await kernel.addr("del", index=index, address=address, prefixlen=length)
        if wanted not in seen:
            await kernel.addr("add", index=index, address=gateway, prefixlen=prefix)
        # Node ports answer on 127.0.0.1 too: such packets leave by this bridge, and only by it.
        local = _SETTINGS / self.bridge / "route_localnet"
        await asyncio.to_thread(local.write_text, "1\n")

    async def _plug(self, kernel: Any, link: PodLink, address: str) -> None:
        name = self._link_name(link.pod_uid)
        await remove_link(kernel, name)  # a sandbox that died took its end along, mostly
        # The hardware address follows the address, so neighbours' memories of it stay right.
        mac = "02:a9:" + ":".join(f"{int(part):02x}" for part in address.split("."))
        bridge = await index_of(kernel, self.bridge)
        mtu = (await kernel.link("get", index=bridge))[0].get("mtu")
        await kernel.link(
            "add",
            ifname=name,
            kind="veth",
            master=bridge,
            mtu=mtu,
            peer={"ifname": "eth0", "net_ns_pid": link.pid, "address": mac, "mtu": mtu},
        )
        index = await index_of(kernel, name)
        # A pod that asks a service may be sent back to itself: out where it came in.
        await kernel.brport("set", index=index, mode=1)
        await kernel.link("set", index=index, state="up")

    def _open_host(self, text: str) -> None:
        if os.geteuid() != 0:
            raise NetworkFault("the pod network needs root; run the agent as root")
        if _FORWARDING.read_text().strip() != "1":
            _FORWARDING.write_text("1")
        try:
            with Nft() as nft:
                nft.run_text(text)
                door = rules.closed_door(nft.run_json([{"list": {"chains": None}}]))
                if door:
                    log.info("opening a foreign filter for pods", chain=door, table="ip filter")
                    nft.run_text(
                        self._closing(nft) + rules.opening(self._cluster_id, self.bridge, door)
                    )
        except (NftError, NftMissing) as error:
            raise NetworkFault(f"the rules of the pod network were refused: {error}") from error

    def _publish(self, ports: Mapping[str, Sequence[Published]]) -> None:
        """Let these ports of the host lead to these addresses, and no others to them."""
        table = rules.table_name(self._cluster_id)
        try:
            with Nft() as nft:
                have: publish.Entries = {}
                for name in publish.MAPS:
                    place = {"family": "inet", "table": table, "name": name}
                    have |= publish.entries(nft.run_json([{"list": {"map": place}}]))
                for address, wanted in ports.items():
                    text = publish.change(table, have, publish.wanted(address, wanted), address)
                    if text:
                        nft.run_text(text)
        except (NftError, NftMissing) as error:
            raise NetworkFault(f"ports of the host can't be published: {error}") from error

    def _close_host(self) -> None:
        try:
            with Nft() as nft:
                nft.run_text(rules.removal(self._cluster_id) + self._closing(nft))
        except (NftError, NftMissing) as error:
            raise NetworkFault(f"the pod network's rules can't be removed: {error}") from error

    def _closing(self, nft: Nft) -> str:
        found = nft.run_json([{"list": {"chains": None}}])
        chains = [
            {"family": "ip", "table": "filter", "name": c["chain"]["name"]}
            for c in found
            if c.get("chain", {}).get("table") == "filter"
            and c["chain"]["family"] == "ip"
            and c["chain"]["name"] in {"DOCKER-USER", "FORWARD"}
        ]
        # One at a time: the library can't list two in one go.
        listed = [rule for chain in chains for rule in nft.run_json([{"list": {"chain": chain}}])]
        return rules.closing(self._cluster_id, listed)


@asynccontextmanager
async def _kernel(pid: int | None = None) -> AsyncIterator[Any]:
    """A netlink socket, here or in a process's network namespace; its errors become ours."""
    made = {} if pid is None else {"fileno": await _netlink_inside(pid)}
    async with kernel_socket(**made) as kernel:
        yield kernel


async def _netlink_inside(pid: int) -> int:
    """A netlink socket's number; whoever takes it owns it. (The library's own way forks us.)"""
    try:
        made = await socket_inside(
            pid, socket.AF_NETLINK, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC, socket.NETLINK_ROUTE
        )
    except ProcessLookupError as error:
        raise NetworkFault(f"process {pid} has ended; its pod needs a new sandbox") from error
    return made.detach()


async def _has_address(inside: Any, address: str) -> bool:
    return any([found.get("address") == address async for found in await inside.addr("dump")])


async def _configure(inside: Any, address: str, gateway: str) -> None:
    index = await index_of(inside, "eth0")
    await inside.link("set", index=_LOOPBACK, state="up")
    await inside.link("set", index=index, state="up")
    await inside.addr("add", index=index, address=address, prefixlen=POD_PREFIX)
    await inside.route("add", dst=f"{gateway}/32", oif=index, scope=_SCOPE_LINK)
    await inside.route("add", dst="default", gateway=gateway)
