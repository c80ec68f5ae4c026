"""Static pods of a file or a folder of manifests.

Read again every `period_s`: the 20 s that users know from `--file-check-frequency`. A file that
can't be understood is logged and left out, the others stand; while the folder can't be read at
all the last snapshot stands.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import structlog

from appliance.api.kinds.core.pod.kind import Pod
from appliance.kit.clock import Clock
from appliance.node.sources.manifest import ManifestFault, pods_of

log = structlog.get_logger(__name__)

SUFFIXES = frozenset({".yaml", ".yml", ".json"})
SIZE_MAX = 1 << 20
"""Bytes; a larger file is no manifest."""


class FileSource:
    """A path as a source."""

    name = "file"

    def __init__(self, path: Path, *, node_name: str, period_s: float, clock: Clock) -> None:
        self._path = path
        self._node_name = node_name
        self._period_s = period_s
        self._clock = clock
        self._complained: dict[str, str] = {}

    async def snapshots(self) -> AsyncIterator[Sequence[Pod]]:
        """All pods of the path, when they changed."""
        before: list[str] | None = None
        while True:
            try:
                pods = await asyncio.to_thread(self._read)
            except OSError as error:
                log.warning("manifests not read", path=str(self._path), error=str(error))
            else:
                uids = sorted(pod.metadata.uid for pod in pods)
                if uids != before:
                    before = uids
                    yield pods
            await self._clock.sleep(self._period_s)

    def _read(self) -> list[Pod]:
        made: list[Pod] = []
        for path in self._files():
            if path.stat().st_size > SIZE_MAX:
                self._complain(path, f"larger than {SIZE_MAX} bytes")
                continue
            try:
                text = path.read_text()
                made.extend(
                    pods_of(text, node_name=self._node_name, source="file", place=str(path))
                )
            except (ManifestFault, UnicodeDecodeError) as fault:
                self._complain(path, str(fault))
            else:
                self._complained.pop(str(path), None)
        return made

    def _files(self) -> list[Path]:
        if not self._path.exists():
            return []
        if self._path.is_file():
            return [self._path]
        return sorted(
            p
            for p in self._path.iterdir()
            if p.is_file() and p.suffix in SUFFIXES and not p.name.startswith(".")
        )

    def _complain(self, path: Path, why: str) -> None:
        """Once per fault, not every 20 s."""
        if self._complained.get(str(path)) != why:
            self._complained[str(path)] = why
            log.warning("manifest refused", path=str(path), why=why)
