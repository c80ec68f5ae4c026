"""Fetch an image: from the mirrors of `registries.yaml`, then from its registry, with every login
that fits, until one gives it.

The file is read again when it changed; one that can't be read leaves the last good one in force
and is said once. What came from a mirror gets its own name and loses the mirror's. Logins go to
the engine in a header, never into a message.
"""

from pathlib import Path

import structlog

from appliance.node.images.credentials import Keyring
from appliance.node.images.names import Reference
from appliance.node.images.registries import Registries, Try, parse
from appliance.node.runtimes.base import Image, PullFailed, Runtime

log = structlog.get_logger(__name__)


class Puller:
    """Pulls for one node."""

    def __init__(
        self, runtime: Runtime, registries: Path | None = None, *, ask_registry: bool = True
    ) -> None:
        self._runtime = runtime
        self._path = registries
        self._ask_registry = ask_registry
        self._known = Registries(ask_registry=ask_registry)
        self._read_at: tuple[int, int] | None = None

    async def pull(self, name: str, ref: Reference, ring: Keyring) -> Image:
        """Fetch it.

        Raises:
            PullFailed: no way led there; says what each one said.
        """
        said: list[str] = []
        for way in self._registries().ways(name, ref, ring):
            try:
                return await self._by(way, name)
            except PullFailed as error:
                text = str(error) if way.name == name else f"{way.name}: {error}"
                if text not in said:
                    said.append(text)
        raise PullFailed("; ".join(said))

    async def _by(self, way: Try, name: str) -> Image:
        auth = way.login.header(way.host) if way.login is not None else ""
        image = await self._runtime.pull(way.name, auth=auth, insecure=way.insecure)
        if way.name == name:
            return image
        await self._runtime.tag(way.name, name)
        await self._runtime.remove_image(way.name)
        log.info("image from a mirror", image=name, mirror=way.host)
        return await self._runtime.image(name) or image

    def _registries(self) -> Registries:
        if self._path is None:
            return self._known
        try:
            seen = self._path.stat()
            stamp = (seen.st_mtime_ns, seen.st_size)
        except FileNotFoundError:
            self._known, self._read_at = Registries(ask_registry=self._ask_registry), None
            return self._known
        if stamp != self._read_at:
            self._read_at = stamp
            try:
                self._known = parse(self._path.read_text(), ask_registry=self._ask_registry)
            except (OSError, ValueError) as error:
                log.warning("registries not read", path=str(self._path), error=str(error))
        return self._known
