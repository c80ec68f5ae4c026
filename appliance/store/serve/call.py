"""One gRPC call: what its connection tells it, and for its handler the `Stream` or the `Reply`.

`grpc.GrpcConnection` makes one for each stream. Requests wait here until the handler reads them,
bounded by the stream's window; a handler that answers too fast waits until its client reads.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any, Protocol, Self

import structlog

from appliance.kit.tasks import Tasks
from appliance.store.serve.calls import AtOnce, Caller, Method, Streaming, Unary
from appliance.store.serve.framing import Assembler
from appliance.store.serve.status import Refused, Status, ending, trailers
from appliance.store.serve.tally import Tally
from appliance.store.serve.wire import Message

log = structlog.get_logger(__name__)

OK = trailers(Status.OK)
_UNCOUNTED = Tally()


class Connection(Protocol):
    """What a call needs of its connection."""

    @property
    def max_message_bytes(self) -> int:
        """The largest request."""
        ...

    def run(self, call: "Call", method: Unary, data: bytes) -> None:
        """Run a unary call."""
        ...

    def used(self, call: "Call", size: int) -> None:
        """A stream's reader has taken a message."""
        ...

    def begin(self, call: "Call") -> None:
        """Send the answer's headers."""
        ...

    def send(self, call: "Call", data: bytes) -> bool:
        """Send a message; True: too much is queued, wait for `drained`."""
        ...

    async def room(self) -> None:
        """Return when the client has read enough of earlier answers."""
        ...

    def answer(self, call: "Call", data: bytes) -> None:
        """Answer a unary call."""
        ...

    def end(self, call: "Call", block: bytes, *, begun: bool) -> None:
        """Send the status."""
        ...


class Call:
    """One call, and for its handler the `Stream`."""

    __slots__ = (
        "_begun",
        "_connection",
        "_ended",
        "_method",
        "_over",
        "_requests",
        "_room",
        "_task",
        "_wake",
        "assembler",
        "caller",
        "stream_id",
        "streams",
        "tally",
        "timer",
    )

    def __init__(
        self, connection: Connection, stream_id: int, method: Method, caller: Caller
    ) -> None:
        self.caller = caller
        self.stream_id = stream_id
        self.assembler = Assembler(connection.max_message_bytes)
        self.timer: asyncio.TimerHandle | None = None
        self.streams = isinstance(method, Streaming)
        self.tally = _UNCOUNTED
        self._connection = connection
        self._method = method
        self._requests: deque[bytes] = deque()
        self._ended = False
        self._begun = False
        self._over = False
        self._wake: asyncio.Future[None] | None = None
        self._room: asyncio.Future[None] | None = None
        self._task: asyncio.Task[Any] | None = None

    # What the connection tells

    def start(self, tasks: Tasks, work: Callable[[], Awaitable[None]]) -> None:
        """Run the handler."""
        self._task = tasks.spawn("call", self._guarded(work))

    def take(self, messages: list[bytes], *, ended: bool) -> None:
        """Requests have come; `ended`: the last ones."""
        self._requests.extend(messages)
        self._ended = ended
        if isinstance(self._method, Streaming):
            self.tally.received += len(messages)
            if self._wake is not None and not self._wake.done():
                self._wake.set_result(None)
        elif len(self._requests) > 1 or (ended and not self._requests):
            self.fail(Refused(Status.INTERNAL, "a unary call has one request"))
        elif ended:
            self._connection.run(self, self._method, self._requests.popleft())

    def drained(self) -> None:
        """The client has caught up."""
        if self._room is not None and not self._room.done():
            self._room.set_result(None)

    def abandon(self) -> None:
        """Nobody waits for the answer any more."""
        self._close()
        if self._task is not None:
            self._task.cancel()

    def expire(self) -> None:
        """The client's deadline has come."""
        self.fail(Refused(Status.DEADLINE_EXCEEDED, "context deadline exceeded"))

    def fail(self, refused: Refused) -> None:
        """End the call from outside its handler."""
        if not self._over:
            self.tally.failed[refused.status] += 1
            self._end(trailers(refused.status, str(refused)))
            if self._task is not None:
                self._task.cancel()

    # What the handler does

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Any:
        while not self._requests:
            if self._ended:
                raise StopAsyncIteration
            self._wake = asyncio.get_running_loop().create_future()
            await self._wake
        data = self._requests.popleft()
        self._connection.used(self, len(data))
        return self._method.request.decode(data)

    async def send(self, message: Message) -> None:
        """Send an answer."""
        if self._over:
            return
        self._begin()
        self.tally.sent += 1
        if self._connection.send(self, message.encode()):
            self._room = asyncio.get_running_loop().create_future()
            await self._room

    def send_now(self, data: bytes) -> bool:
        """Send an answer's bytes without waiting."""
        if self._over:
            return True
        self._begin()
        self.tally.sent += 1
        return not self._connection.send(self, data)

    async def unary(self, method: Unary, data: bytes) -> None:
        """Answer the one request."""
        await self._connection.room()
        answer = await method.handle(method.request.decode(data), self.caller)
        self.finish(answer.encode())

    def attempt(self, at_once: AtOnce, data: bytes) -> bool:
        """Begin, and perhaps end, a unary call without a task."""
        try:
            return at_once(data, self.caller, self)
        except Exception as error:  # noqa: BLE001 - told to the client, and logged if it is ours
            self.refuse(error)
            return True

    def finish(self, data: bytes) -> None:
        """Answer a unary call."""
        if not self._over:
            self._close()
            self.tally.ok += 1
            self._connection.answer(self, data)

    def refuse(self, error: Exception) -> None:
        """End the call without an answer."""
        refused = ending(error)
        if refused is None:
            path = self.caller.metadata.get(b":path", b"").decode()
            log.error("call failed", path=path, exc_info=error)
            refused = Refused(Status.UNKNOWN, str(error))
        if not self._over:
            self.tally.failed[refused.status] += 1
            self._end(trailers(refused.status, str(refused)))

    async def _guarded(self, work: Callable[[], Awaitable[None]]) -> None:
        try:
            await work()
        except Exception as error:  # noqa: BLE001 - as above
            self.refuse(error)
        else:
            if not self._over:
                self.tally.ok += 1
                self._end(OK)

    def _begin(self) -> None:
        if not self._begun:
            self._begun = True
            self._connection.begin(self)

    def _end(self, block: bytes) -> None:
        self._close()
        self._connection.end(self, block, begun=self._begun)

    def _close(self) -> None:
        self._over = True
        if self.timer is not None:
            self.timer.cancel()
