"""One nftables table of our own: changed in a thread, watched for what others take out of it.

The services' back end and the network policies each hold one. Changes come one at a time, so that
what we undo ourselves can be told from what somebody else does. Blocking calls run in one thread:
the library's context belongs to the network namespace of the thread that made it.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import structlog

from appliance.kit.nftables import Nft
from appliance.kit.nftwatch import NftWatch

log = structlog.get_logger(__name__)
T = TypeVar("T")


class OwnTable:
    """A table by family and name; it need not be there.

    Raises:
        NftMissing: nftables can't be used here.
    """

    def __init__(self, family: str, name: str) -> None:
        self.family = family
        self.name = name
        self._nft = Nft()
        self._watch: NftWatch | None = None
        self._changing = asyncio.Lock()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="nftables")

    async def change(self, work: Callable[[Nft], T]) -> T:
        """Run a change in the table's thread, after those that were asked for before.

        Raises:
            NftError: the kernel refused it.
        """
        async with self._changing:
            loop = asyncio.get_running_loop()
            try:
                return await loop.run_in_executor(self._thread, work, self._nft)
            finally:
                if self._watch is not None:
                    self._watch.drain()  # our own changes are no news

    async def lost(self) -> None:
        """Wait until somebody else takes something away, as `nft flush ruleset` does."""
        if self._watch is None:
            try:
                self._watch = NftWatch(self.name)
            except OSError as refused:
                log.warning("lost rules will not be noticed", table=self.name, why=str(refused))
                await asyncio.Event().wait()
                return
        lost = False
        while not lost:
            await self._watch.heard()
            async with self._changing:  # what we change ourselves has been drained by then
                lost = self._watch.drain()
        log.warning("somebody took rules away; they are loaded anew", table=self.name)

    async def remove(self) -> None:
        """Delete the table, whether it is there or not, and stop watching it."""
        if self._watch is not None:
            self._watch.close()
            self._watch = None
        text = f"table {self.family} {self.name} {{}}\ndelete table {self.family} {self.name}"
        await self.change(lambda nft: nft.run_text(text))
