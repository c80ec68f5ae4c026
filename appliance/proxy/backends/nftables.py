"""Services by nftables: the kernel sends each connection on, at wire speed.

Called by `proxy.loop`. Keeps what it last applied, so that a change is a few elements; a refused
change is answered by a full reload, which heals drift. The rules stay when the agent dies.
"""

import asyncio
from concurrent.futures import ThreadPoolExecutor

import structlog

from appliance.kit.nftables import Nft, NftError, NftMissing
from appliance.kit.nftwatch import NftWatch
from appliance.proxy.backends.base import BackendFault
from appliance.proxy.backends.nft_affinity import Stick, forget, read, remember
from appliance.proxy.backends.nft_elements import Elements, elements
from appliance.proxy.backends.nft_rules import change, whole
from appliance.proxy.table import ServiceTable

log = structlog.get_logger(__name__)


class NftablesBackend:
    """One nftables table named after the cluster.

    Raises:
        BackendFault: nftables can't be used here.
    """

    def __init__(self, cluster_id: str) -> None:
        self._table = f"appliance_{cluster_id}_services"
        self._applied: Elements | None = None
        self._watch: NftWatch | None = None
        self._changing = asyncio.Lock()
        # One thread: the library's context belongs to the network namespace of its thread.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="nftables")
        try:
            self._nft = Nft()
        except NftMissing as missing:
            raise BackendFault(str(missing)) from missing

    async def apply(self, table: ServiceTable) -> None:
        """Make the kernel follow the table."""
        wanted = elements(table)
        async with self._changing:
            await asyncio.get_running_loop().run_in_executor(self._thread, self._apply, wanted)
            if self._watch is not None:
                self._watch.drain()  # our own changes are no news

    async def drifted(self) -> None:
        """Wait until somebody takes rules of ours away, as `nft flush ruleset` does."""
        if self._watch is None:
            try:
                self._watch = NftWatch(self._table)
            except OSError as refused:
                log.warning("lost service rules will not be noticed", why=str(refused))
                await asyncio.Event().wait()
                return
        lost = False
        while not lost:
            await self._watch.heard()
            async with self._changing:  # what we change ourselves has been drained by then
                lost = self._watch.drain()
        log.warning("somebody took service rules away; they are loaded anew", table=self._table)
        self._applied = None

    async def clean_up(self) -> None:
        """Delete our table."""
        if self._watch is not None:
            self._watch.close()
            self._watch = None
        name = self._table
        text = f"table ip {name}\ndelete table ip {name}"
        await asyncio.get_running_loop().run_in_executor(self._thread, self._run, text)
        self._applied = None

    def _apply(self, wanted: Elements) -> None:
        if self._applied is not None:
            text = change(self._table, self._applied, wanted)
            if not text:
                return
            try:
                self._nft.run_text(text)
            except NftError as refused:
                log.warning("service rules drifted and are loaded anew", why=str(refused))
            else:
                gone = self._applied.stuck - wanted.stuck
                self._applied = _with_chains(wanted, self._applied)
                # After the change, so that nobody sticks to what is gone meanwhile.
                if gone and (stale := [s for s in self._sticks() if not s.fits(wanted.stuck)]):
                    self._run(forget(self._table, stale))
                return
        kept = [s for s in self._sticks() if s.fits(wanted.stuck)]
        self._run(f"{whole(self._table, wanted)}\n{remember(self._table, kept)}")
        self._applied = wanted

    def _sticks(self) -> list[Stick]:
        """What the kernel has learned; nothing if our table is not there."""
        names = {"family": "ip", "table": self._table, "name": "affinity"}
        try:
            return list(read(self._nft.run_json([{"list": {"map": names}}])))
        except NftError:
            return []

    def _run(self, text: str) -> None:
        try:
            self._nft.run_text(text)
        except NftError as refused:
            raise BackendFault(f"nftables refused our rules: {refused}") from refused


def _with_chains(wanted: Elements, before: Elements) -> Elements:
    """Remember the chains that are still there, so that they are not made twice."""
    return Elements(of=wanted.of, chains=wanted.chains | before.chains, stuck=wanted.stuck)
