"""A client that speaks SPDY with the node's API."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from appliance.kit.duplex import Duplex, connect
from appliance.kit.spdy import Data, Event, FrameReader, FrameWriter
from appliance.kit.upgrading import Answer, ask, request_bytes


@dataclass
class Spdy:
    """A client."""

    send: Callable[[bytes], Any]
    receive: Callable[[], Any]
    reader: FrameReader = field(default_factory=FrameReader)
    writer: FrameWriter = field(default_factory=FrameWriter)
    heard: list[Event] = field(default_factory=list)

    async def open(self, stream: int, kind: str, port: int | str, *, fin: bool = False) -> None:
        headers = {"streamType": kind, "port": str(port), "requestID": str(stream // 4)}
        await self.send(self.writer.open(stream, headers, fin=fin))

    async def until(self, done: Callable[[], bool]) -> None:
        async with asyncio.timeout(5):
            while not done():
                self.heard += self.reader.feed(await self.receive())

    def said(self, stream: int) -> bytes:
        parts = [e for e in self.heard if isinstance(e, Data)]
        return b"".join(e.data for e in parts if e.stream == stream)

    def ended(self, *streams: int) -> bool:
        fins = {e.stream for e in self.heard if isinstance(e, Data) and e.fin}
        return fins >= set(streams)


@asynccontextmanager
async def upgraded(
    node: Any, method: str, path: str, *headers: tuple[str, str]
) -> AsyncIterator[tuple[Duplex, Answer]]:
    connection = await connect("127.0.0.1", node.server.port, node.tls)
    head = [("Host", "x"), ("Connection", "Upgrade"), *headers]
    try:
        yield connection, await ask(connection, request_bytes(method, path, head))
    finally:
        await connection.close()
