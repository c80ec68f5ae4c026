"""Kubernetes' channels: several streams in the messages of one WebSocket.

The first byte of a message says which stream it belongs to. Commands use fixed numbers (`STDIN`
to `RESIZE`); v5 adds "this stream ends". Commands end with a Status on the error channel.
Pure, but for `WebSocketChannels`, which `commands` talks to.

Source: kubernetes `apimachinery/pkg/util/remotecommand/constants.go` and `pkg/kubelet/cri/
streaming/remotecommand`.
"""

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from appliance.kit import jsonio
from appliance.node.serve.websocket import WebSocket

STDIN, STDOUT, STDERR, ERROR, RESIZE = range(5)
CLOSE = 255
"""v5: the next byte names the stream that has ended."""
OUTPUTS = {"stdout": STDOUT, "stderr": STDERR}

V5, V4 = "v5.channel.k8s.io", "v4.channel.k8s.io"
V4_BASE64 = "v4.base64.channel.k8s.io"
COMMAND_PROTOCOLS = (V5, V4, V4_BASE64)


class Channels(Protocol):
    """The streams of one command, however they travel."""

    async def receive(self) -> tuple[int, bytes] | None:
        """What the client sends next: (channel, data), (CLOSE, b"\\0"); None: it has gone."""
        ...

    async def send(self, channel: int, data: bytes) -> None:
        """Send; waits while the client is slow."""
        ...

    async def close(self) -> None:
        """Tell the client that all is said, and close."""
        ...


class WebSocketChannels:
    """See `Channels`; `base64` is for clients that can't send bytes."""

    def __init__(self, socket: WebSocket, protocol: str) -> None:
        self._socket = socket
        self._base64 = "base64" in protocol

    async def receive(self) -> tuple[int, bytes] | None:
        """See `Channels`."""
        message = await self._socket.receive()
        while message == b"":  # keeps proxies awake, means nothing
            message = await self._socket.receive()
        if message is None:
            return None
        if not self._base64:
            return message[0], message[1:]
        try:
            return message[0] - ord("0"), base64.b64decode(message[1:])
        except binascii.Error:
            return None

    async def send(self, channel: int, data: bytes) -> None:
        """See `Channels`."""
        if self._base64:
            await self._socket.send(b"%d" % channel + base64.b64encode(data), text=True)
        else:
            await self._socket.send(bytes([channel]) + data)

    async def close(self) -> None:
        """See `Channels`."""
        await self._socket.close()


@dataclass(frozen=True, slots=True)
class Size:
    """Of a terminal, in characters."""

    width: int
    height: int


def choose(offered: Sequence[str], known: Sequence[str]) -> str | None:
    """The first of the client's protocols that we know, too."""
    return next((name for name in offered if name in known), None)


def size_of(data: bytes) -> Size | None:
    """Read a resize message; None: it is none.

    >>> size_of(b'{"Width":80,"Height":24}')
    Size(width=80, height=24)
    """
    try:
        said = jsonio.loads(data)
        width, height = int(said["Width"]), int(said["Height"])
    except (ValueError, KeyError, TypeError):
        return None
    return Size(width, height) if 0 < width < 65536 and 0 < height < 65536 else None


def ended_with(exit_code: int) -> bytes:
    """The Status of a command that has ended."""
    if exit_code == 0:
        return jsonio.dumps({"metadata": {}, "status": "Success"})
    return jsonio.dumps(
        {
            "metadata": {},
            "status": "Failure",
            "message": f"command terminated with non-zero exit code: exit code {exit_code}",
            "reason": "NonZeroExitCode",
            "details": {"causes": [{"reason": "ExitCode", "message": str(exit_code)}]},
        }
    )


def failed_with(message: str) -> bytes:
    """The Status of a command whose engine failed."""
    status = {"metadata": {}, "status": "Failure", "message": message}
    return jsonio.dumps(status | {"reason": "InternalError", "code": 500})
