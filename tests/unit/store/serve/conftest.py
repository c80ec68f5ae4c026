"""An endpoint without sockets: what a client writes goes straight in, what is sent is kept."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import TypeVar

import pytest
from typing_extensions import override

from appliance.kit.clock import FakeClock
from appliance.kit.tasks import Tasks
from appliance.store.memory import MemoryStore
from appliance.store.serve.alarms import Alarms
from appliance.store.serve.auth.book import AuthBook
from appliance.store.serve.auth.checks import guarded
from appliance.store.serve.auth.guard import Guard
from appliance.store.serve.auth.tokens import SimpleTokens
from appliance.store.serve.calls import Methods
from appliance.store.serve.framing import framed
from appliance.store.serve.grpc import GrpcConnection, GrpcOptions
from appliance.store.serve.identity import Identity
from appliance.store.serve.parts import Parts
from appliance.store.serve.quota import Quota
from appliance.store.serve.server import all_methods
from appliance.store.serve.wire import Message
from tests.unit.store.serve import h2client
from tests.unit.store.serve.h2client import Answers

ME = Identity(cluster_id=11, member_id=22, peer_urls=("http://127.0.0.1:2380",))
M = TypeVar("M", bound=Message)


class _Socket(asyncio.Transport):
    def __init__(self, answers: Answers) -> None:
        super().__init__()
        self._answers = answers
        self.closed = False

    @override
    def write(self, data: bytes | bytearray | memoryview) -> None:
        self._answers.take(bytes(data))

    @override
    def close(self) -> None:
        self.closed = True


class Client:
    """One connection; calls are numbered by their streams."""

    def __init__(self, options: GrpcOptions) -> None:
        self.answers = Answers()
        self.socket = _Socket(self.answers)
        self.server = GrpcConnection(options)
        self.server.connection_made(self.socket)
        self.server.data_received(h2client.HELLO)
        self._next = 1

    def begin(self, path: str, **more: str) -> int:
        """Open a stream."""
        stream_id, self._next = self._next, self._next + 2
        self.server.data_received(
            h2client.headers(stream_id, h2client.request_headers(path, **more))
        )
        return stream_id

    def send(self, stream_id: int, *messages: Message) -> None:
        for message in messages:
            self.server.data_received(h2client.data(stream_id, framed(message.encode())))

    def end(self, stream_id: int) -> None:
        self.server.data_received(h2client.data(stream_id, b"", end=True))

    async def settle(self) -> None:
        """Let everything run that can."""
        for _ in range(30):
            await asyncio.sleep(0)

    async def call(self, path: str, message: Message, answer: type[M], **more: str) -> M:
        """A unary call that must succeed."""
        stream_id = self.begin(path, **more)
        self.send(stream_id, message)
        self.end(stream_id)
        await self.settle()
        assert self.answers.status(stream_id) == (0, "")
        (got,) = self.answers.messages(stream_id)
        return answer.decode(got)

    async def refused(self, path: str, message: Message, **more: str) -> tuple[int, str]:
        """A unary call that must fail."""
        stream_id = self.begin(path, **more)
        self.send(stream_id, message)
        self.end(stream_id)
        await self.settle()
        return self.answers.status(stream_id)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
async def store(clock: FakeClock) -> AsyncIterator[MemoryStore]:
    made = MemoryStore(clock)
    yield made
    await made.close()


@pytest.fixture
def guard(store: MemoryStore, clock: FakeClock) -> Guard:
    return Guard(store, AuthBook(store), SimpleTokens(clock), by_certificate=True)


@pytest.fixture
def methods(store: MemoryStore, clock: FakeClock, guard: Guard) -> Methods:
    parts = Parts(store, ME, Quota(store, Alarms(store), ME.member_id), guard, clock)
    return guarded(all_methods(parts), guard, store)


@pytest.fixture
async def connect(methods: Methods, clock: FakeClock) -> AsyncIterator[Callable[[], Client]]:
    async with Tasks("test", clock) as tasks:
        yield lambda: Client(GrpcOptions(methods, tasks))


@pytest.fixture
async def client(connect: Callable[[], Client]) -> Client:
    return connect()
