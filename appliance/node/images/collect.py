"""Throw away images that nobody needs, when their disk fills up.

Only images that this node pulled are ever removed: what a person loaded, what came in an archive
of `agent/images` and our own sandbox image can't be fetched again, and engines are shared with
others here. Kept too: what any container of the engine was made of (other clusters' and people's
as well), what a pod of this node names, and what came less than `minimum_age_s` ago. The longest
unused goes first, until the disk is `low_percent` full.

`pulled.json` remembers names and times; written when an image comes or goes, so an idle node
writes nothing. Bounded by the number of images that are here.

Source: Kubernetes documentation, "Garbage collection of unused containers and images".
"""

from collections.abc import Callable, Collection
from pathlib import Path

import msgspec
import structlog

from appliance.kit import jsonio
from appliance.kit.atomicfile import write_atomic
from appliance.kit.clock import Clock
from appliance.node.runtimes.base import NotThere, Runtime, RuntimeFault
from appliance.node.stats.meter import Disk

log = structlog.get_logger(__name__)

EVERY_S = 300.0


class Pulled(msgspec.Struct):
    """An image that came from a registry: its id, and seconds since 1970."""

    id: str
    at: float
    used: float


class ImageCollector:
    """The images that came, and their end."""

    def __init__(
        self,
        runtime: Runtime,
        clock: Clock,
        data_dir: Path,
        *,
        disk: Callable[[], Disk],
        wanted: Callable[[], Collection[str]],
        high_percent: int,
        low_percent: int,
        minimum_age_s: float,
    ) -> None:
        self._runtime = runtime
        self._clock = clock
        self._path = data_dir / "pulled.json"
        self._disk = disk
        self._wanted = wanted
        self._high_percent = high_percent
        self._low_percent = low_percent
        self._minimum_age_s = minimum_age_s
        self._pulled = _load(self._path)

    def came(self, name: str, image_id: str) -> None:
        """An image was pulled."""
        now = self._clock.wall()
        self._pulled[name] = Pulled(image_id, now, now)
        self._save()

    async def run(self) -> None:
        """Look at the disk now and then."""
        while True:
            await self._clock.sleep(EVERY_S)
            try:
                await self.look()
            except RuntimeFault as error:
                log.warning("images not collected", error=str(error))

    async def look(self) -> None:
        """Remove what is over the high mark, down to the low one."""
        self._note_used()
        disk = self._disk()
        used = disk.capacity_bytes - disk.free_bytes
        if used * 100 < disk.capacity_bytes * self._high_percent:
            return
        await self.free(used - disk.capacity_bytes * self._low_percent // 100)

    async def free(self, wanted_bytes: int | None = None) -> int:
        """Remove unused images, all of them or until so many bytes are free; gives the bytes."""
        self._note_used()
        here = {image.id: image for image in await self._runtime.images()}
        in_use = {container.image_id for container in await self._runtime.list({})}
        freed = 0
        for name, pulled in sorted(self._pulled.items(), key=lambda item: item[1].used):
            if wanted_bytes is not None and freed >= wanted_bytes:
                break
            image = here.get(pulled.id)
            if image is None:
                del self._pulled[name]
            elif pulled.id not in in_use and self._may_go(name, pulled):
                freed += await self._remove(name, image.size_bytes)
        self._save()
        return freed

    def _may_go(self, name: str, pulled: Pulled) -> bool:
        old = self._clock.wall() - pulled.at >= self._minimum_age_s
        return old and name not in self._wanted()

    async def _remove(self, name: str, size: int) -> int:
        try:
            await self._runtime.remove_image(name)
        except NotThere:
            size = 0
        except RuntimeFault as error:  # in use by somebody after all
            log.info("image stays", image=name, why=str(error))
            return 0
        log.info("image removed", image=name, bytes=size)
        del self._pulled[name]
        return size

    def _note_used(self) -> None:
        now = self._clock.wall()
        for name in self._wanted():
            if name in self._pulled:
                self._pulled[name].used = now

    def _save(self) -> None:
        try:
            write_atomic(self._path, jsonio.dumps(self._pulled))
        except OSError as error:  # a full disk is when this is needed most
            log.warning("pulled images not kept", path=str(self._path), error=str(error))


def _load(path: Path) -> dict[str, Pulled]:
    try:
        return msgspec.json.decode(path.read_bytes(), type=dict[str, Pulled])
    except FileNotFoundError:
        return {}
    except (OSError, msgspec.MsgspecError) as error:
        log.warning("pulled images not read", path=str(path), error=str(error))
        return {}
