"""Puts a Firewall into the kernel: our own table, changed by differences.

Used by `loop.py` alone. What the kernel refuses is answered by loading the whole table anew, which
heals drift. Rules stay when the agent dies. Without policies there is no table.
"""

from typing import Protocol

import structlog

from appliance.kit.nftables import Nft, NftError
from appliance.kit.nfttable import OwnTable
from appliance.node.network.base import NetworkFault
from appliance.node.network.policies.firewall import Firewall
from appliance.node.network.policies.rules import change, removal, whole

log = structlog.get_logger(__name__)


class Guard(Protocol):
    """Where a Firewall is put: the kernel, or a test's memory."""

    async def apply(self, wanted: Firewall) -> None:
        """Let these rules hold from now on, all at once."""
        ...

    async def lost(self) -> None:
        """Wait until somebody else took rules away."""
        ...


class KernelGuard:
    """The table `inet appliance_<cluster id>_policies` of this network namespace.

    Raises:
        NftMissing: nftables can't be used here.
    """

    def __init__(self, cluster_id: str) -> None:
        self._name = table_name(cluster_id)
        self._table = OwnTable("inet", self._name)
        self._applied: Firewall | None = None

    async def apply(self, wanted: Firewall) -> None:
        """See `Guard`.

        Raises:
            NetworkFault: the kernel refused them; those before still hold.
        """
        try:
            await self._table.change(lambda nft: self._apply(nft, wanted))
        except NftError as refused:
            raise NetworkFault(f"rules of network policies were refused: {refused}") from refused

    async def lost(self) -> None:
        """See `Guard`."""
        await self._table.lost()
        self._applied = None

    async def clean_up(self) -> None:
        """Delete our table."""
        await self._table.remove()
        self._applied = None

    def _apply(self, nft: Nft, wanted: Firewall) -> None:
        applied, self._applied = self._applied, None
        if not wanted.guards:
            if applied is None or applied.guards:
                nft.run_text(removal(self._name))
        elif applied is None or not applied.guards:
            nft.run_text(whole(self._name, wanted))
        elif text := change(self._name, applied, wanted):
            try:
                nft.run_text(text)
            except NftError as refused:
                log.warning("network policies drifted and are loaded anew", why=str(refused))
                nft.run_text(whole(self._name, wanted))
        self._applied = wanted


def table_name(cluster_id: str) -> str:
    """The table of network policies."""
    return f"appliance_{cluster_id}_policies"
