"""Static pods of a file or a folder of manifests.

The folder is watched, so a file that is dropped there runs at once; and it is read again every
`period_s` (20 s, `--file-check-frequency`), which also helps where the kernel tells nothing, as
on network file systems. Files whose names begin with a dot or end with `~` are none of ours. A
file that can't be understood keeps the pods that it had; while the folder can't be read at all the
last snapshot stands.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path

import structlog

from appliance.api.kinds.core.pod.kind import Pod
from appliance.kit.clock import Clock
from appliance.kit.inotify import FolderWatch
from appliance.kit.tasks import Tasks
from appliance.node.sources.complaints import Complaints
from appliance.node.sources.kept import Kept, Text
from appliance.node.sources.manifest import SIZE_MAX, ManifestFault

log = structlog.get_logger(__name__)


class FileSource:
    """A path as a source."""

    name = "file"

    def __init__(
        self, path: Path, *, period_s: float, clock: Clock, kept: Kept, complaints: Complaints
    ) -> None:
        self._path = path
        self._period_s = period_s
        self._clock = clock
        self._kept = kept
        self._complaints = complaints

    async def snapshots(self) -> AsyncIterator[Sequence[Pod]]:
        """All pods of the path, when they changed."""
        before: list[str] | None = None
        while True:
            # Watched before it is read: what happens in between is not missed. A new watch each
            # time costs three system calls and follows a folder that was replaced.
            with self._watching() as watch:
                try:
                    texts = await asyncio.to_thread(self._read)
                except OSError as error:
                    self._complaints.tell(str(self._path), str(error))
                else:
                    self._complaints.mended(str(self._path))
                    self._complaints.forget_others(frozenset(texts))
                    pods = self._kept.take(texts)
                    uids = sorted(pod.metadata.uid for pod in pods)
                    if uids != before:
                        before = uids
                        yield pods
                await self._wait(watch)

    @contextlib.contextmanager
    def _watching(self) -> Iterator[FolderWatch | None]:
        """A watch on the folder, or on what there is of the way to it."""
        folder = self._path
        while not folder.is_dir() and folder != folder.parent:
            folder = folder.parent
        try:
            watch = FolderWatch(folder)
        except OSError as error:  # the kernel's limit of watches, mostly
            log.debug("manifests not watched", path=str(folder), error=str(error))
            yield None
            return
        with watch:
            yield watch

    async def _wait(self, watch: FolderWatch | None) -> None:
        if watch is None:
            await self._clock.sleep(self._period_s)
            return
        async with Tasks("manifests", self._clock) as tasks:
            ways = (
                tasks.spawn("watch", watch.wait()),
                tasks.spawn("period", self._clock.sleep(self._period_s)),
            )
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)

    def _read(self) -> dict[str, Text]:
        return {str(path): _text(path) for path in self._files()}

    def _files(self) -> list[Path]:
        if not self._path.exists():
            return []
        if self._path.is_file():
            return [self._path]
        return sorted(
            p
            for p in self._path.iterdir()
            if p.is_file() and not p.name.startswith(".") and not p.name.endswith("~")
        )


def _text(path: Path) -> Text:
    try:
        with path.open("rb") as file:
            text = file.read(SIZE_MAX + 1)
    except OSError as error:
        return error
    # Whoever writes a file in place empties it first.
    return text if text.strip() else ManifestFault("the file is empty")
