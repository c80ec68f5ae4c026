"""A second version of the guestbook's frontend, and a name that no engine has."""

import asyncio

from appliance.kit.clock import SystemClock
from appliance.node.runtimes.detect import open_runtime
from examples.guestbook.images.build import build_frontend

SECOND = "appliance.local/guestbook-frontend:2"
MISSING = "appliance.local/no-such-image:1"


def load_second(kind: str) -> str:
    """Another image for the engine, and its name."""

    async def load() -> None:
        runtime = await open_runtime(kind, "", SystemClock())
        if await runtime.image(SECOND) is None:
            await runtime.load(await build_frontend(SECOND))
        await runtime.close()

    asyncio.run(load())
    return SECOND
