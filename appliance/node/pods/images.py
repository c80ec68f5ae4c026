"""See that an image is here, by pull policy; one pull per image at a time.

Called by `execute`; node-wide. At most PULLS_MAX images are fetched at once: a small host's
uplink and disk get slower, not faster, with more.
"""

import asyncio
from collections.abc import Awaitable, Callable
from weakref import WeakValueDictionary

from appliance.node.images.credentials import Keyring
from appliance.node.images.names import reference
from appliance.node.images.pull import Puller
from appliance.node.runtimes.base import Image, PullFailed, Runtime

PULLS_MAX = 2

ALWAYS = "Always"
IF_NOT_PRESENT = "IfNotPresent"
NEVER = "Never"
Ring = Callable[[], Awaitable[Keyring]]
"""Asks for the logins of a pod."""


class ImageFault(Exception):
    """The image is not to be had; `reason` is the waiting reason of the container."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class Images:
    """The images of this node."""

    def __init__(
        self,
        runtime: Runtime,
        puller: Puller | None = None,
        came: Callable[[str, str], None] = lambda _name, _id: None,
    ) -> None:
        self._runtime = runtime
        self._puller = puller or Puller(runtime)
        self._came = came
        """Is told name and id of what was pulled."""
        self._slots = asyncio.Semaphore(PULLS_MAX)
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def at_hand(self, name: str, policy: str) -> Image | None:
        """The image if it is here and need not be asked for anywhere: no waiting for pulls."""
        if (policy or default_policy(name)) == ALWAYS or _fault(name):
            return None
        return await self._runtime.image(name)

    async def fetch(
        self, name: str, policy: str, ring: Ring, *, on_pull: Callable[[], None]
    ) -> tuple[Image, bool]:
        """The image, and whether it had to be pulled; before a pull `on_pull` is called and the
        logins are asked for.

        Raises:
            ImageFault: it is not here and may not or can't be fetched.
        """
        wanted = policy or default_policy(name)
        if fault := _fault(name):
            raise ImageFault("InvalidImageName", fault)
        lock = self._locks.setdefault(name, asyncio.Lock())
        async with lock:
            found = await self._runtime.image(name)
            if found is not None and wanted != ALWAYS:
                return found, False
            if wanted == NEVER:
                text = f'Container image "{name}" is not present with pull policy of Never'
                raise ImageFault("ErrImageNeverPull", text)
            logins = await ring()
            async with self._slots:
                on_pull()
                try:
                    image = await self._puller.pull(name, reference(name), logins)
                except PullFailed as error:
                    raise ImageFault("ErrImagePull", str(error)) from error
            self._came(name, image.id)
            return image, True


def _fault(name: str) -> str:
    """What is wrong with a name, as kubelets say it."""
    try:
        reference(name)
    except ValueError as error:
        where = f'Failed to apply default image tag "{name}": couldn\'t parse image name "{name}"'
        return f"{where}: {error}"
    return ""


def default_policy(name: str) -> str:
    """Always for no tag or `latest`, IfNotPresent for any other tag or a digest."""
    if "@" in name:
        return IF_NOT_PRESENT
    tag = name.rpartition("/")[2].partition(":")[2]
    return ALWAYS if tag in {"", "latest"} else IF_NOT_PRESENT
