"""Wakes the keeper when a file of the folder changes. No polling: the kernel tells.

Where the kernel cannot tell (no watch left, a file system over the network) the folder is read
again every LOOK_S.
"""

import asyncio
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import structlog

from appliance.client.controller import Runner
from appliance.control.stacks import manifests
from appliance.control.stacks.keeper import Stacks
from appliance.kit.clock import Clock
from appliance.kit.inotify import FolderWatch
from appliance.kit.tasks import Tasks

log = structlog.get_logger(__name__)

LOOK_S = 20.0


class Folder:
    """Follows the folder of manifests."""

    def __init__(self, path: Path, keeper: Stacks, clock: Clock) -> None:
        self._path = path
        self._keeper = keeper
        self._clock = clock

    async def run(self, runner: Runner) -> None:
        """Run until cancelled; `runner` is the keeper's."""
        self._path.mkdir(parents=True, exist_ok=True)
        before: dict[str, tuple[Any, ...]] = {}
        first = True
        while True:
            # Watched before it is read: what happens in between is not missed.
            with ExitStack() as stack:
                watches = self._watch(stack)
                try:
                    now = await asyncio.to_thread(manifests.names, self._path)
                except OSError as error:
                    log.warning("manifests cannot be read", why=str(error))
                else:
                    changed = {n for n in {*before, *now} if before.get(n) != now.get(n)}
                    if first:
                        changed |= set(self._keeper.known())
                    before, first = now, False
                    for name in sorted(changed):
                        runner.poke(name)
                await self._wait(watches)

    def _watch(self, stack: ExitStack) -> list[FolderWatch]:
        """A watch on each folder; none at all if one cannot be had."""
        try:
            return [stack.enter_context(FolderWatch(folder)) for folder in self._folders()]
        except OSError as error:
            log.debug("manifests not watched", why=str(error))
            return []

    def _folders(self) -> Iterator[Path]:
        yield self._path
        for folder in self._path.rglob("*"):
            if folder.is_dir() and not folder.name.startswith("."):
                yield folder

    async def _wait(self, watches: list[FolderWatch]) -> None:
        if not watches:
            await self._clock.sleep(LOOK_S)
            return
        async with Tasks("stacks", self._clock) as tasks:
            rings = [tasks.spawn("watch", watch.wait()) for watch in watches]
            await asyncio.wait(rings, return_when=asyncio.FIRST_COMPLETED)
