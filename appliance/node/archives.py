"""Image archives that the user put into `<the agent's data dir>/images`: loaded at start.

For hosts without a registry: docker-archive tars (also .tar.gz). An archive whose names the
engine has already is left alone. Called by the agent once, before the first pod; an archive that
can't be loaded is logged and skipped, pods that need it say ErrImagePull.
"""

import asyncio
import tarfile
from pathlib import Path

import structlog

from appliance.kit import jsonio
from appliance.node.runtimes.base import Runtime, RuntimeFault

log = structlog.get_logger(__name__)

PATTERNS = ("*.tar", "*.tar.gz", "*.tgz")


async def load_archives(folder: Path, runtime: Runtime) -> list[str]:
    """Load what is missing; gives the names that were loaded."""
    loaded: list[str] = []
    for path in archives_in(folder):
        try:
            names = await asyncio.to_thread(names_in, path)
            if names and all([await runtime.image(name) is not None for name in names]):
                continue
            await runtime.load(await asyncio.to_thread(path.read_bytes))
        except (RuntimeFault, OSError, tarfile.TarError, jsonio.JsonError, KeyError) as error:
            log.warning("image archive not loaded", path=str(path), error=str(error))
        else:
            log.info("image archive loaded", path=str(path), names=names)
            loaded.extend(names)
    return loaded


def archives_in(folder: Path) -> list[Path]:
    """All archives of a folder, in order."""
    return sorted(path for pattern in PATTERNS for path in folder.glob(pattern))


def names_in(path: Path) -> list[str]:
    """The image names that an archive's manifest.json tells."""
    with tarfile.open(path) as tar:
        manifest = tar.extractfile("manifest.json")
        entries = jsonio.loads(manifest.read() if manifest is not None else b"[]")
    return [name for entry in entries for name in entry["RepoTags"] or []]
