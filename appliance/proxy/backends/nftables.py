"""Services by nftables: the kernel sends each connection on, at wire speed.

Called by `proxy.loop`. Keeps what it last applied, so that a change is a few elements; a refused
change is answered by a full reload, which heals drift. The rules stay when the agent dies.
"""

import structlog

from appliance.kit import conntrack
from appliance.kit.nftables import Nft, NftError, NftMissing
from appliance.kit.nfttable import OwnTable
from appliance.proxy.backends.base import BackendFault
from appliance.proxy.backends.nft_affinity import Stick, forget, read, remember
from appliance.proxy.backends.nft_elements import Elements, elements
from appliance.proxy.backends.nft_flows import stale, touches_udp
from appliance.proxy.backends.nft_held import Held
from appliance.proxy.backends.nft_rules import change, whole
from appliance.proxy.table import ServiceTable

log = structlog.get_logger(__name__)


class NftablesBackend:
    """One nftables table named after the cluster; `inside` is the network of its pods.

    Raises:
        BackendFault: nftables can't be used here.
    """

    def __init__(self, cluster_id: str, *, inside: str = "") -> None:
        self._name = f"appliance_{cluster_id}_services"
        self._inside = inside
        self._held: Held | None = None
        try:
            self._table = OwnTable("ip", self._name)
        except NftMissing as missing:
            raise BackendFault(str(missing)) from missing

    async def apply(self, table: ServiceTable) -> None:
        """Make the kernel follow the table."""
        try:
            await self._table.change(lambda nft: self._apply(nft, table))
        except NftError as refused:
            raise BackendFault(f"nftables refused our rules: {refused}") from refused

    async def drifted(self) -> None:
        """Wait until somebody takes rules of ours away, as `nft flush ruleset` does."""
        await self._table.lost()
        self._held = None

    async def clean_up(self) -> None:
        """Delete our table."""
        try:
            await self._table.remove()
        except NftError as refused:
            raise BackendFault(f"our table can't be removed: {refused}") from refused
        self._held = None

    def _apply(self, nft: Nft, table: ServiceTable) -> None:
        held, self._held = self._held, None
        if held is None or not self._changed(nft, held, table):
            held = self._load(nft, table)
        self._held = held

    def _changed(self, nft: Nft, held: Held, table: ServiceTable) -> bool:
        """Apply the difference; False if the kernel does not have what we think it has."""
        old, new = held.difference(table)
        if text := change(self._name, old, new, have=held.chains, inside=self._inside):
            try:
                nft.run_text(text)
            except NftError as refused:
                log.warning("service rules drifted and are loaded anew", why=str(refused))
                return False
        held.chains |= new.chains
        # After the change, so that nobody sticks to what is gone meanwhile.
        gone = old.stuck - new.stuck
        if gone and (loose := [stick for stick in self._sticks(nft) if stick.fits(gone)]):
            nft.run_text(forget(self._name, loose))
        if touches_udp(old.of, new.of):
            _forget_flows(new)
        return True

    def _load(self, nft: Nft, table: ServiceTable) -> Held:
        wanted = elements(table.ports)
        kept = [stick for stick in self._sticks(nft) if stick.fits(wanted.stuck)]
        nft.run_text(f"{whole(self._name, wanted, self._inside)}\n{remember(self._name, kept)}")
        _forget_flows(wanted)
        return Held(table, set(wanted.chains))

    def _sticks(self, nft: Nft) -> list[Stick]:
        """What the kernel has learned; nothing if our table is not there."""
        names = {"family": "ip", "table": self._name, "name": "affinity"}
        try:
            return list(read(nft.run_json([{"list": {"map": names}}])))
        except NftError:
            return []


def _forget_flows(wanted: Elements) -> None:
    """Let UDP clients whose endpoint is gone be sent on anew."""
    try:
        if wrong := stale(conntrack.flows(conntrack.UDP), wanted):
            conntrack.forget(wrong)
            log.debug("flows forgotten", count=len(wrong))
    except OSError as refused:
        log.warning("old flows can't be forgotten; they time out", why=str(refused))
