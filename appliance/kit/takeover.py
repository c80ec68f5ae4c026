"""uvicorn's HTTP protocol, whose connections a handler can take over after an upgrade request.

Both HTTPS servers (API server, node) build on it. A request with `Connection: Upgrade` runs
through the app like any other, so it is authenticated, authorised and refused in the same way;
the handler that wants the raw connection calls `scope["extensions"]["take_over"]()`, writes
"101 Switching Protocols" itself and closes the connection when it is done. A refused upgrade ends
its connection after the answer. When the server stops, taken connections are closed.
"""

import asyncio
import sys
from collections.abc import Callable, Mapping
from typing import Any, cast

from typing_extensions import override
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from appliance.kit.duplex import CHUNK_BYTES, Duplex

_GOODBYE_S = 0.05  # enough to get our half of TLS' goodbye out; idle peers never answer it


class UpgradableProtocol(HttpToolsProtocol):
    """One connection."""

    @override
    def connection_made(  # type: ignore[override]  # as the class above has it
        self, transport: asyncio.Transport
    ) -> None:
        super().connection_made(transport)
        self._upgrading = self._taken = False
        self._early = self._latest = b""
        self._extensions: dict[str, Any] = {"take_over": self._take_over}

    @override
    def on_message_begin(self) -> None:
        super().on_message_begin()
        cast("dict[str, Any]", self.scope)["extensions"] = self._extensions

    @override
    def data_received(self, data: bytes) -> None:
        if self._upgrading:  # no HTTP any more; who takes the connection over gets it
            self._early += data
            self.transport.pause_reading()
            return
        self._latest = data
        super().data_received(data)
        self._latest = b""  # idle connections hold nothing

    @override
    def _unsupported_upgrade_warning(self) -> None:
        """An upgrade request is complete; what follows it in the same read is not HTTP."""
        raised = sys.exception()
        end = raised.args[0] if raised is not None and raised.args else len(self._latest)
        self._early = self._latest[end:]
        self._upgrading = True
        self.cycle.keep_alive = False

    @override
    def shutdown(self) -> None:
        super().shutdown()
        if self._taken:
            self.transport.close()
            self.loop.call_later(_GOODBYE_S, self.transport.abort)

    def _take_over(self) -> Duplex:
        if not self._upgrading or self._taken or self.cycle.response_started:
            raise RuntimeError("this request's connection can't be taken over")
        self._taken = True
        self.cycle.disconnected = True  # uvicorn writes nothing more
        reader = asyncio.StreamReader(CHUNK_BYTES, self.loop)
        protocol = _Taken(reader, self.loop, self.connection_lost)
        self.transport.set_protocol(protocol)
        protocol.connection_made(self.transport)
        if self._early:
            reader.feed_data(self._early)
            self.transport.resume_reading()
        return Duplex(reader, asyncio.StreamWriter(self.transport, protocol, reader, self.loop))


class _Taken(asyncio.StreamReaderProtocol):
    """asyncio's streams, which also tell uvicorn when the connection ends."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        loop: asyncio.AbstractEventLoop,
        lost: Callable[[Exception | None], None],
    ) -> None:
        super().__init__(reader, loop=loop)
        self._lost = lost

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._lost(exc)


def take_over(scope: Mapping[str, Any]) -> Duplex:
    """The raw connection of an upgrade request.

    Raises:
        RuntimeError: it is no such request, or an answer has been started.
    """
    taken: Duplex = scope["extensions"]["take_over"]()
    return taken
