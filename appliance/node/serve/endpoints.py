"""The node API's streams: exec, attach and port-forward, as ASGI endpoints.

    GET /exec/<namespace>/<pod>/<container>?command=…&stdin=&stdout=&stderr=&tty=
    GET /attach/<namespace>/<pod>/<container>?stdin=&stdout=&stderr=&tty=
    GET or POST /portForward/<namespace>/<pod>?port=…

`app` routes here. What is wrong before the upgrade is answered as plain text, which the API
server turns into a Status; the connection is taken over once the engine has begun.
"""

from collections.abc import Mapping
from functools import partial
from typing import Any

from starlette.datastructures import QueryParams
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send
from typing_extensions import override

from appliance.kit.clock import Clock
from appliance.kit.duplex import first_of
from appliance.kit.takeover import take_over
from appliance.kit.tasks import Tasks
from appliance.kit.upgrading import wants_upgrade
from appliance.node.pods.logs import LogFault
from appliance.node.pods.workers import Workers
from appliance.node.runtimes.base import ExecStream, NotThere, Runtime, RuntimeFault
from appliance.node.serve import commands, spdy_channels
from appliance.node.serve.channels import COMMAND_PROTOCOLS, V4, WebSocketChannels, choose
from appliance.node.serve.places import pod_pid, running_id
from appliance.node.serve.portforward import (
    CHANNEL_PORTS_MAX,
    Dial,
    dial_inside,
    serve_channels,
    serve_spdy,
)
from appliance.node.serve.spdy_session import (
    RawWire,
    SpdySession,
    TunnelWire,
    Wire,
    switching_to_spdy,
)
from appliance.node.serve.websocket import WebSocket, handshake, offered

PORT_FORWARD = "portforward.k8s.io"
TUNNEL = f"SPDY/3.1+{PORT_FORWARD}"


class StreamEndpoint:
    """What all streams have in common: refusals before the upgrade."""

    def __init__(self, workers: Workers, runtime: Runtime) -> None:
        self.workers = workers
        self.runtime = runtime

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        headers = dict(scope["headers"])
        try:
            _must_upgrade(headers)
            await self.serve(scope, headers, QueryParams(scope["query_string"]))
        except LogFault as fault:
            refused = PlainTextResponse(str(fault), status_code=fault.code)
            await refused(scope, receive, send)
        except RuntimeFault as fault:
            code = 404 if isinstance(fault, NotThere) else 500
            await PlainTextResponse(str(fault), status_code=code)(scope, receive, send)

    async def serve(self, scope: Scope, headers: Mapping[bytes, bytes], query: QueryParams) -> None:
        """Take the connection over and use it; until then raise what is wrong."""
        raise NotImplementedError


class Command(StreamEndpoint):
    """Exec, or attach where `attach` is set."""

    def __init__(self, workers: Workers, runtime: Runtime, clock: Clock, *, attach: bool) -> None:
        super().__init__(workers, runtime)
        self._clock = clock
        self._attach = attach

    @override
    async def serve(self, scope: Scope, headers: Mapping[bytes, bytes], query: QueryParams) -> None:
        """See `StreamEndpoint`."""
        path = scope["path_params"]
        wanted = wanted_streams(query)
        container_id = running_id(self.workers, path["namespace"], path["pod"], path["container"])
        protocol = choose_protocol(headers)
        session = await self._begin(container_id, query, wanted)
        try:
            connection = take_over(scope)
            if protocol == spdy_channels.SPDY_UPGRADE:
                try:
                    await spdy_channels.serve(connection, session, wanted)
                finally:
                    await connection.close()
                return
            await connection.write(handshake(_key(headers), protocol))
            websocket = WebSocket(connection)
            channels = WebSocketChannels(websocket, protocol)
            try:
                working = commands.run(channels, session, wanted)
                await first_of(working, websocket.keep_alive(self._clock))
            finally:
                await channels.close()
        finally:
            await session.close()

    async def _begin(
        self, container_id: str, query: QueryParams, wanted: commands.Wanted
    ) -> ExecStream:
        if self._attach:
            return await self.runtime.attach_stream(container_id, stdin=wanted.stdin)
        argv = query.getlist("command")
        if not argv:
            raise LogFault(400, "you must specify at least one command for the container")
        return await self.runtime.exec_stream(
            container_id, argv, stdin=wanted.stdin, tty=wanted.tty
        )


class PortForward(StreamEndpoint):
    """Connections into a pod: SPDY, SPDY inside a WebSocket, or WebSocket channels."""

    @override
    async def serve(self, scope: Scope, headers: Mapping[bytes, bytes], query: QueryParams) -> None:
        """See `StreamEndpoint`."""
        path = scope["path_params"]
        way = choose_way(headers)
        ports = wanted_ports(query) if way == V4 else []
        pid = await pod_pid(self.workers, self.runtime, path["namespace"], path["pod"])
        dial = partial(dial_inside, pid)
        connection = take_over(scope)
        if way == PORT_FORWARD:
            await connection.write(switching_to_spdy(PORT_FORWARD))
            try:
                await _forward(RawWire(connection), dial)
            finally:
                await connection.close()
            return
        subprotocol = way if way in offered(headers) else ""
        await connection.write(handshake(_key(headers), subprotocol))
        websocket = WebSocket(connection)
        try:
            if way == V4:
                await serve_channels(websocket, ports, dial)
            else:
                await _forward(TunnelWire(websocket), dial)
        finally:
            await websocket.close()


async def _forward(wire: Wire, dial: Dial) -> None:
    async with Tasks("forward") as tasks:
        await serve_spdy(SpdySession(wire), dial, tasks)


def choose_way(headers: Mapping[bytes, bytes]) -> str:
    """How ports are forwarded: `PORT_FORWARD` (plain SPDY), `TUNNEL` or `V4`.

    Raises:
        LogFault: in no way that we know.
    """
    upgrade = headers.get(b"upgrade", b"").lower()
    if upgrade.decode("latin-1") == spdy_channels.SPDY_UPGRADE:
        return PORT_FORWARD
    names = offered(headers)
    way = choose(names, (TUNNEL, V4)) if names else V4
    if upgrade != b"websocket" or way is None:
        raise LogFault(400, f"ports can't be forwarded by {upgrade.decode('latin-1')} {names}")
    return way


def wanted_ports(query: QueryParams) -> list[int]:
    """The ports that a URL names.

    Raises:
        LogFault: none, too many, or no numbers.
    """
    texts = query.getlist("port")
    if not texts or len(texts) > CHANNEL_PORTS_MAX:
        raise LogFault(400, f'query parameter "port" is required, {CHANNEL_PORTS_MAX} at most')
    if not all(text.isdecimal() and 0 < int(text) < 65536 for text in texts):
        raise LogFault(400, f"invalid ports: {texts}")
    return [int(text) for text in texts]


def _key(headers: Mapping[bytes, bytes]) -> str:
    return headers.get(b"sec-websocket-key", b"").decode("latin-1")


def _must_upgrade(headers: Mapping[bytes, bytes]) -> None:
    if not wants_upgrade(headers):
        raise LogFault(400, "Upgrade request required")


_TRUE = frozenset({"1", "t", "T", "true", "TRUE", "True"})
"""What Go reads as true: clients in Python write `stdout=True`."""


def wanted_streams(query: QueryParams) -> commands.Wanted:
    """Read which streams are asked for.

    Raises:
        LogFault: none.
    """
    flags: dict[str, Any] = {
        name: query.get(name) in _TRUE for name in ("stdin", "stdout", "stderr", "tty")
    }
    if not (flags["stdin"] or flags["stdout"] or flags["stderr"]):
        raise LogFault(400, "you must specify at least 1 of stdin, stdout, stderr")
    return commands.Wanted(**flags)


def choose_protocol(headers: Mapping[bytes, bytes]) -> str:
    """The WebSocket subprotocol to speak, or `SPDY_UPGRADE`.

    Raises:
        LogFault: nothing that we speak.
    """
    upgrade = headers.get(b"upgrade", b"").decode("latin-1")
    if upgrade.lower() == spdy_channels.SPDY_UPGRADE:
        return spdy_channels.SPDY_UPGRADE
    if upgrade.lower() != "websocket":
        raise LogFault(400, f"commands can't be carried by {upgrade}")
    names = offered(headers)
    protocol = choose(names, COMMAND_PROTOCOLS)
    if protocol is None:
        known = ", ".join(COMMAND_PROTOCOLS)
        raise LogFault(400, f"none of the subprotocols {list(names)} is known here: {known}")
    return protocol
