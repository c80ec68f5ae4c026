"""How the agent speaks with the relay process; see `relays/wire.py` for the words."""

import asyncio
import contextlib
import json
from typing import Any

from typing_extensions import override

from appliance.proxy.relays.wire import HEAD, VERSION, Plan, meeting_point, pack

_ANSWER_S = 30.0


class RelayGone(Exception):
    """The relay process ended, or does not answer."""


class RelayClient(asyncio.Protocol):
    """An open line; `fronts` and `routes` are what the process had when we came."""

    def __init__(self) -> None:
        self._transport: asyncio.BaseTransport | None = None
        self._asking = asyncio.Lock()
        self._heard = bytearray()
        self._answer: asyncio.Future[dict[str, Any]] | None = None
        self._ended = asyncio.Event()
        self.fronts: dict[str, Plan] = {}
        self.routes: list[str] = []
        self.same_version = False

    @classmethod
    async def connect(cls, cluster_id: str) -> "RelayClient | None":
        """Meet the relay process of this cluster; None if there is none."""
        loop = asyncio.get_running_loop()
        try:
            _, made = await loop.create_unix_connection(cls, meeting_point(cluster_id))
            hello = await made.ask({"version": VERSION})
        except (OSError, RelayGone):
            return None
        made.same_version = hello.get("version") == VERSION
        made.fronts = hello.get("fronts", {})
        made.routes = hello.get("routes", [])
        return made

    @property
    def closed(self) -> bool:
        """Whether the line is cut."""
        return self._ended.is_set()

    async def wait_closed(self) -> None:
        """Return when the process has ended."""
        await self._ended.wait()

    async def ask(self, message: dict[str, Any]) -> dict[str, Any]:
        """Say something and wait for the answer.

        Raises:
            RelayGone: there is none.
        """
        async with self._asking:
            if self.closed or not isinstance(self._transport, asyncio.WriteTransport):
                raise RelayGone("the line is cut")
            self._answer = asyncio.get_running_loop().create_future()
            self._transport.write(pack(message))
            try:
                async with asyncio.timeout(_ANSWER_S):
                    return await self._answer
            except TimeoutError as late:
                self._transport.abort()
                raise RelayGone("it does not answer") from late

    async def stop(self) -> None:
        """End the process, and wait until it has closed the line."""
        with contextlib.suppress(RelayGone, TimeoutError):
            await self.ask({"stop": True})
            async with asyncio.timeout(_ANSWER_S):
                await self.wait_closed()

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    @override
    def data_received(self, data: bytes) -> None:
        self._heard += data
        if len(self._heard) < HEAD.size:
            return
        end = HEAD.size + HEAD.unpack_from(self._heard)[0]
        if len(self._heard) >= end and self._answer is not None and not self._answer.done():
            self._answer.set_result(json.loads(bytes(self._heard[HEAD.size : end])))
            del self._heard[:end]

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        self._ended.set()
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(RelayGone("it has ended"))
