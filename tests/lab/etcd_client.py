"""A small gRPC client over a socket, to ask any etcd the same questions."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import NamedTuple, TypeVar

from appliance.store.serve import frames
from appliance.store.serve.framing import framed
from appliance.store.serve.wire import Message
from tests.unit.store.serve import h2client
from tests.unit.store.serve.h2client import Answers

M = TypeVar("M", bound=Message)
_WINDOW = 1 << 30


class Ended(NamedTuple):
    """How a call ended: gRPC's code and text, and the answer if there was one."""

    code: int
    text: str
    answer: Message | None


class EtcdClient:
    """One connection; calls may run side by side."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._answers = Answers()
        self._next = 1
        self._news = asyncio.Condition()
        self._over = asyncio.Event()

    async def call(self, path: str, message: Message, answer: type[M], **more: str) -> Ended:
        """A unary call, however it ends; `more` is sent as metadata."""
        stream_id = self.open(path, **more)
        self.send(stream_id, message, end=True)
        async with self._news:
            await self._news.wait_for(lambda: stream_id in self._answers.ended)
        code, text = self._answers.status(stream_id)
        found = self._answers.messages(stream_id)
        return Ended(code, text, answer.decode(found[0]) if found else None)

    def open(self, path: str, **more: str) -> int:
        """Begin a stream."""
        stream_id, self._next = self._next, self._next + 2
        self._writer.write(h2client.headers(stream_id, h2client.request_headers(path, **more)))
        return stream_id

    def send(self, stream_id: int, message: Message, *, end: bool = False) -> None:
        """Send on a stream."""
        body = framed(message.encode())
        for place in range(0, len(body), 16_384):
            last = place + 16_384 >= len(body)
            part = h2client.data(stream_id, body[place : place + 16_384], end=end and last)
            self._writer.write(part)

    def reset(self, stream_id: int) -> None:
        """Give a stream up."""
        self._writer.write(frames.rst_stream(stream_id, frames.Code.CANCEL))

    async def received(self, stream_id: int, wanted: int) -> list[bytes]:
        """The messages of a stream, once there are so many."""
        async with self._news:
            await self._news.wait_for(lambda: len(self._answers.messages(stream_id)) >= wanted)
        return self._answers.messages(stream_id)

    async def read_forever(self) -> None:
        """Take what comes, answer pings, keep windows open."""
        while data := await self._read():
            async with self._news:
                for one in self._answers.take(data):
                    self._react(one)
                self._news.notify_all()
        self._over.set()

    async def _read(self) -> bytes:
        try:
            return await self._reader.read(1 << 16)
        except ConnectionError:  # reset or broken pipe: the server was killed
            return b""

    async def over(self) -> None:
        """Wait until the server has closed the connection and all it sent has been read."""
        await self._over.wait()

    def _react(self, one: h2client.Frame) -> None:
        if one.kind == frames.SETTINGS and not one.flags & frames.ACK:
            self._writer.write(frames.frame(frames.SETTINGS, frames.ACK, 0))
        elif one.kind == frames.PING and not one.flags & frames.ACK:
            self._writer.write(frames.frame(frames.PING, frames.ACK, 0, one.payload))


@asynccontextmanager
async def etcd_client(url: str) -> AsyncIterator[EtcdClient]:
    """Connect for as long as the block lasts."""
    host, port = url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    client = EtcdClient(reader, writer)
    window = frames.settings({frames.INITIAL_WINDOW_SIZE: _WINDOW})
    writer.write(frames.PREFACE + window + frames.window_update(0, _WINDOW))
    task = asyncio.create_task(client.read_forever())
    try:
        yield client
    finally:
        task.cancel()
        writer.close()
        await asyncio.wait([task])
