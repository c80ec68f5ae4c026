"""Image archives that the user puts into `<the agent's data dir>/images`.

They are loaded at start, and as soon as one is dropped there.

For hosts without a registry: docker-archive tars, plain or packed (.tar.gz, .tgz, .tar.zst). The
folder is watched; a file counts once it was written to its end, and again when it changed. An
archive whose names the engine has already is left alone at start. One that can't be loaded is
logged and skipped; pods that need it say ErrImageNeverPull or ErrImagePull. Loaded images are never
collected (`images/collect.py`). Archives are read in parts: they may be larger than the memory.
"""

import asyncio
import tarfile
import tempfile
from pathlib import Path

import structlog

from appliance.kit import jsonio, subproc
from appliance.kit.clock import Clock
from appliance.kit.inotify import FolderWatch
from appliance.node.runtimes.base import Runtime, RuntimeFault

log = structlog.get_logger(__name__)

PATTERNS = ("*.tar", "*.tar.gz", "*.tgz", "*.tar.zst")
UNPACK_S = 600.0
AGAIN_S = 60.0
"""Between two looks where the kernel can't watch the folder."""


class ImageFolder:
    """The folder of one agent."""

    def __init__(self, folder: Path, runtime: Runtime, clock: Clock) -> None:
        self._folder = folder
        self._runtime = runtime
        self._clock = clock
        self._seen: dict[Path, tuple[int, int]] = {}

    async def load(self) -> list[str]:
        """Load what is new or changed; gives the names that were loaded."""
        loaded: list[str] = []
        stamps = await asyncio.to_thread(_stamps, self._folder)
        for path, stamp in stamps.items():
            if self._seen.get(path) == stamp:
                continue
            first = path not in self._seen
            self._seen[path] = stamp
            loaded += await self._load_one(path, only_missing=first)
        self._seen = {path: stamp for path, stamp in self._seen.items() if path in stamps}
        return loaded

    async def follow(self) -> None:
        """Load whatever is dropped, until cancelled."""
        self._folder.mkdir(parents=True, exist_ok=True)
        while True:
            try:
                # Watched before it is looked at: what happens in between is not missed.
                with FolderWatch(self._folder) as watch:
                    await self.load()
                    await watch.wait()
            except OSError as error:
                log.warning("image folder not watched", path=str(self._folder), error=str(error))
                await self._clock.sleep(AGAIN_S)
                await self.load()

    async def _load_one(self, path: Path, *, only_missing: bool) -> list[str]:
        try:
            if path.suffix != ".zst":
                return await self._load_tar(path, path, only_missing=only_missing)
            with tempfile.TemporaryDirectory(dir=path.parent, prefix=".unpacked-") as name:
                tar = Path(name) / "image.tar"
                await _unpack(path, tar)
                return await self._load_tar(path, tar, only_missing=only_missing)
        except (RuntimeFault, OSError, tarfile.TarError, jsonio.JsonError, KeyError) as error:
            log.warning("image archive not loaded", path=str(path), error=str(error))
            return []

    async def _load_tar(self, path: Path, tar: Path, *, only_missing: bool) -> list[str]:
        names = await asyncio.to_thread(names_in, tar)
        there = [await self._runtime.image(name) is not None for name in names]
        if only_missing and names and all(there):
            return []
        await self._runtime.load(tar)
        log.info("image archive loaded", path=str(path), names=names)
        return names


async def _unpack(path: Path, tar: Path) -> None:
    """Python 3.11 knows gzip, but not Zstandard.

    Raises:
        OSError: there is no program for it, or it fails.
    """
    try:
        done = await subproc.run(["zstd", "-dqf", str(path), "-o", str(tar)], timeout_s=UNPACK_S)
    except FileNotFoundError as error:
        raise OSError("the program zstd is needed for .zst: apt install zstd") from error
    if done.code != 0:
        raise OSError(f"zstd: {done.stderr.decode(errors='replace').strip()}")


def _stamps(folder: Path) -> dict[Path, tuple[int, int]]:
    found = {}
    for path in archives_in(folder):
        try:
            seen = path.stat()
        except FileNotFoundError:
            continue
        found[path] = (seen.st_mtime_ns, seen.st_size)
    return found


def archives_in(folder: Path) -> list[Path]:
    """All archives of a folder, in order."""
    return sorted(path for pattern in PATTERNS for path in folder.glob(pattern))


def names_in(path: Path) -> list[str]:
    """The image names that an archive's manifest.json tells."""
    with tarfile.open(path) as tar:
        manifest = tar.extractfile("manifest.json")
        entries = jsonio.loads(manifest.read() if manifest is not None else b"[]")
    return [name for entry in entries for name in entry["RepoTags"] or []]
