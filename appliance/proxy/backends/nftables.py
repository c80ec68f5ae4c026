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
        self._applied: Elements | None = None
        try:
            self._table = OwnTable("ip", self._name)
        except NftMissing as missing:
            raise BackendFault(str(missing)) from missing

    async def apply(self, table: ServiceTable) -> None:
        """Make the kernel follow the table."""
        wanted = elements(table)
        try:
            await self._table.change(lambda nft: self._apply(nft, wanted))
        except NftError as refused:
            raise BackendFault(f"nftables refused our rules: {refused}") from refused

    async def drifted(self) -> None:
        """Wait until somebody takes rules of ours away, as `nft flush ruleset` does."""
        await self._table.lost()
        self._applied = None

    async def clean_up(self) -> None:
        """Delete our table."""
        try:
            await self._table.remove()
        except NftError as refused:
            raise BackendFault(f"our table can't be removed: {refused}") from refused
        self._applied = None

    def _apply(self, nft: Nft, wanted: Elements) -> None:
        if self._applied is not None:
            text = change(self._name, self._applied, wanted, self._inside)
            if not text:
                return
            try:
                nft.run_text(text)
            except NftError as refused:
                log.warning("service rules drifted and are loaded anew", why=str(refused))
            else:
                before = self._applied
                gone = before.stuck - wanted.stuck
                self._applied = _with_chains(wanted, self._applied)
                # After the change, so that nobody sticks to what is gone meanwhile.
                if gone and (loose := [s for s in self._sticks(nft) if not s.fits(wanted.stuck)]):
                    nft.run_text(forget(self._name, loose))
                if touches_udp(before.of, wanted.of):
                    _forget_flows(wanted)
                return
        kept = [s for s in self._sticks(nft) if s.fits(wanted.stuck)]
        nft.run_text(f"{whole(self._name, wanted, self._inside)}\n{remember(self._name, kept)}")
        self._applied = wanted
        _forget_flows(wanted)

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


def _with_chains(wanted: Elements, before: Elements) -> Elements:
    """Remember the chains that are still there, so that they are not made twice."""
    return Elements(of=wanted.of, chains=wanted.chains | before.chains, stuck=wanted.stuck)
