"""What a service is to the wire: a table of methods, each with its request type and its function.

Services (`kv.py`, `watch.py`, …) make such tables, `server.py` joins them, `grpc.py` (and any
other way in) runs them. No frame, header or socket is known here.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, Self, runtime_checkable

from appliance.store.serve.wire import Message


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls, and what came with the call."""

    peer: str = ""
    metadata: Mapping[bytes, bytes] = field(default_factory=dict)
    common_name: str = ""
    """The name in the certificate that the client's connection was let in with."""


class Stream(Protocol):
    """A call with any number of messages in both directions."""

    @property
    def caller(self) -> Caller:
        """Who calls."""
        ...

    def __aiter__(self) -> Self: ...

    async def __anext__(self) -> Any:
        """The next request; ends when the client has sent its last."""
        ...

    async def send(self, message: Message) -> None:
        """Send an answer; returns when the client keeps up (it is on its way at once)."""
        ...


class Reply(Protocol):
    """Where the one answer of a call goes; only the first counts."""

    def finish(self, data: bytes) -> None:
        """Answer with a message's bytes."""
        ...

    def refuse(self, error: Exception) -> None:
        """End the call without an answer."""
        ...


AtOnce = Callable[[bytes, Caller, Reply], bool]
"""A request's bytes, and where the answer goes, now or later; False: `handle` has to do it."""


@runtime_checkable
class PromptStream(Stream, Protocol):
    """A stream on which an answer can be sent without waiting."""

    def send_now(self, data: bytes) -> bool:
        """Send a message's bytes; False: the client does not keep up, wait before the next."""
        ...


@dataclass(frozen=True, slots=True)
class Unary:
    """One request, one answer."""

    request: type[Message]
    handle: Callable[[Any, Caller], Awaitable[Message]]
    at_once: AtOnce | None = None
    """The same without a task of its own, for calls that come by the ten thousand."""


@dataclass(frozen=True, slots=True)
class Streaming:
    """A stream; the call ends well when `handle` returns."""

    request: type[Message]
    handle: Callable[[Stream], Awaitable[None]]


Method = Unary | Streaming
Methods = Mapping[str, Method]
"""By path: `/etcdserverpb.KV/Put`."""
