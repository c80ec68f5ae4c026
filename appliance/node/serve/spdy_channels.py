"""A command's streams over SPDY, for clients from before WebSocket: kubectl up to 1.29, Helm.

The client opens one stream for each of error, stdin, stdout, stderr and resize, as its query
asks for. `Gathering` waits for them, `SpdyChannels` makes them look like WebSocket's channels;
`endpoints` calls `serve`.
Bound: five streams; one part of input waits for the command.

Source: kubernetes `pkg/kubelet/cri/streaming/remotecommand/httpstream.go`.
"""

import asyncio
import contextlib
from collections.abc import Mapping

import structlog

from appliance.kit.duplex import Duplex, first_of
from appliance.kit.tasks import Tasks
from appliance.node.runtimes.base import ExecStream
from appliance.node.serve.channels import CLOSE, ERROR, RESIZE, STDERR, STDIN, STDOUT
from appliance.node.serve.commands import Wanted, run
from appliance.node.serve.spdy_session import RawWire, SpdySession, Stream, switching_to_spdy
from appliance.node.serve.websocket import GOODBYE_S

log = structlog.get_logger(__name__)

SPDY_PROTOCOL = "v4.channel.k8s.io"
"""The only one we offer: it has exit codes and sizes; all clients since 1.5 know it."""
SPDY_UPGRADE = "spdy/3.1"
_GATHER_S = 30.0  # upstream's patience, too
_NAMES = {"stdin": STDIN, "stdout": STDOUT, "stderr": STDERR, "error": ERROR, "resize": RESIZE}


async def serve(connection: Duplex, session: ExecStream, wanted: Wanted) -> None:
    """Say that the protocol is switched, and carry the command's streams until either end goes."""
    await connection.write(switching_to_spdy(SPDY_PROTOCOL))
    spdy = SpdySession(RawWire(connection))
    gathering = Gathering(spdy, wanted)
    await first_of(spdy.run(gathering.opened), _talk(gathering, session, wanted))


async def _talk(gathering: "Gathering", session: ExecStream, wanted: Wanted) -> None:
    streams = await gathering.streams()
    if streams is None:
        log.warning("a client did not open all of its streams", asked=sorted(expected(wanted)))
        return
    async with Tasks("command") as tasks:
        channels = SpdyChannels(streams, tasks)
        await run(channels, session, wanted)
        await channels.close()
    # Closing under bytes that nobody read would take back what the client has not read yet; it
    # goes by itself, which ends `spdy.run`.
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(GOODBYE_S):
            await asyncio.Event().wait()


class SpdyChannels:
    """See `channels.Channels`."""

    def __init__(self, streams: Mapping[int, Stream], tasks: Tasks) -> None:
        self._streams = streams
        self._heard: asyncio.Queue[tuple[int, bytes]] = asyncio.Queue(1)
        for channel in (STDIN, RESIZE):
            if channel in streams:
                _ = tasks.spawn(f"channel/{channel}", self._listen(channel, streams[channel]))

    async def receive(self) -> tuple[int, bytes] | None:
        """See `channels.Channels`."""
        return await self._heard.get()

    async def send(self, channel: int, data: bytes) -> None:
        """See `channels.Channels`; the empty message at the start is WebSocket's only."""
        if data and channel in self._streams:
            await self._streams[channel].write(data)

    async def close(self) -> None:
        """See `channels.Channels`."""
        for stream in self._streams.values():
            await stream.close()

    async def _listen(self, channel: int, stream: Stream) -> None:
        while data := await stream.read():
            await self._heard.put((channel, data))
        if channel == STDIN:
            await self._heard.put((CLOSE, bytes([STDIN])))


def expected(wanted: Wanted) -> set[int]:
    """The channels whose streams the client is going to open."""
    asked = {
        STDIN: wanted.stdin,
        STDOUT: wanted.stdout,
        STDERR: wanted.stderr and not wanted.tty,
        RESIZE: wanted.tty,
    }
    return {ERROR, *(channel for channel, wished in asked.items() if wished)}


class Gathering:
    """The streams of one client, as it opens them."""

    def __init__(self, session: SpdySession, wanted: Wanted) -> None:
        self._session = session
        self._missing = expected(wanted)
        self._found: dict[int, Stream] = {}
        self._complete = asyncio.Event()

    async def opened(self, stream: Stream) -> None:
        """The client opened a stream."""
        channel = _NAMES.get(stream.headers.get("streamtype", ""))
        if channel is None or channel not in self._missing:
            await self._session.refuse(stream)
            return
        self._missing.discard(channel)
        self._found[channel] = stream
        if not self._missing:
            self._complete.set()

    async def streams(self) -> Mapping[int, Stream] | None:
        """Wait for all of them; None: they don't come."""
        try:
            async with asyncio.timeout(_GATHER_S):
                await self._complete.wait()
        except TimeoutError:
            return None
        return self._found
