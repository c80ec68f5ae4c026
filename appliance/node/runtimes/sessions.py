"""Commands and terminals in containers: an engine's connection, hijacked from HTTP.

Both engines answer exec and attach requests with "101 UPGRADED", after which the connection is
the process' standard streams: raw with a terminal, framed (`streams.Frames`) without. Half of it
closed is the end of standard input.
Used by the Docker and Podman drivers, which give the few calls that differ. A session lives as
long as its user; closing it kills a command that still runs. Memory: one read and the buffers.

Source: the Docker Engine API's "Hijacking"; libpod does the same.
"""

import contextlib
import json
import os
import signal
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from appliance.kit.clock import Clock
from appliance.kit.duplex import Duplex, connect, connect_unix
from appliance.kit.upgrading import NotHttp, ask, refusal, request_bytes
from appliance.node.runtimes.base import LogChunk, NotThere, RuntimeFault, Unreachable
from appliance.node.runtimes.streams import Frames, refused

_PID_LOOKS, _PID_PAUSE_S = 50, 0.02  # a second, for an engine under load

_FIRST_LOOK_S, _SLOWEST_LOOK_S = 0.01, 1.0  # pauses between looks for an exit code
_RESIZE_LOOKS = 5  # a terminal may be resized before its process runs


async def hijack(endpoint: str, path: str, body: Any = None) -> Duplex:
    """POST, and take the connection over.

    Raises:
        NotThere: the engine says 404.
        RuntimeFault: it says another error.
        Unreachable: it does not answer.
    """
    headers = [("Host", "engine"), ("Connection", "Upgrade"), ("Upgrade", "tcp")]
    content = b""
    if body is not None:
        headers.append(("Content-Type", "application/json"))
        content = json.dumps(body).encode()
    try:
        connection = await _connect(endpoint)
    except OSError as error:
        raise Unreachable(f"{endpoint}: {error}") from error
    try:
        await _switch(connection, request_bytes("POST", path, headers, content))
    except NotHttp as error:
        await connection.close()
        raise Unreachable(f"{endpoint}: {error}") from error
    except BaseException:
        await connection.close()
        raise
    return connection


async def _switch(connection: Duplex, request: bytes) -> None:
    answer = await ask(connection, request)
    if answer.status not in {101, 200}:
        text = (await refusal(connection, answer)).decode(errors="replace")
        raise refused(answer.status, text)


async def _connect(endpoint: str) -> Duplex:
    if endpoint.startswith("unix://"):
        return await connect_unix(endpoint.removeprefix("unix://"))
    host, _, port = endpoint.removeprefix("tcp://").rpartition(":")
    return await connect(host, int(port))


@dataclass(frozen=True, slots=True, kw_only=True)
class Control:
    """What a session asks of its engine besides the connection."""

    resize: Callable[[int, int], Awaitable[None]]
    look: Callable[[], Awaitable[Mapping[str, Any]]] | None = None
    """The engine's record of a command: Running, Pid, ExitCode; None when attached."""


class Session:
    """See `base.ExecStream`."""

    def __init__(self, connection: Duplex, control: Control, clock: Clock, *, tty: bool) -> None:
        self._connection = connection
        self._control = control
        self._clock = clock
        self._frames = None if tty else Frames()
        self._ready: deque[LogChunk] = deque()

    async def read(self) -> LogChunk | None:
        """See `base.ExecStream`."""
        while not self._ready:
            data = await self._connection.read()
            if not data:
                return None
            if self._frames is None:
                return LogChunk("stdout", data)
            self._ready.extend(self._frames.feed(data))
        return self._ready.popleft()

    async def write(self, data: bytes) -> None:
        """See `base.ExecStream`."""
        await self._connection.write(data)

    def close_stdin(self) -> None:
        """See `base.ExecStream`."""
        self._connection.end_writing()

    async def resize(self, width: int, height: int) -> None:
        """See `base.ExecStream`."""
        for _ in range(_RESIZE_LOOKS):
            try:
                await self._control.resize(width, height)
            except NotThere:  # it has ended
                return
            except RuntimeFault:  # it does not run yet, or no longer
                await self._clock.sleep(_FIRST_LOOK_S * 5)
            else:
                return

    async def exit_code(self) -> int:
        """See `base.ExecStream`."""
        if self._control.look is None:
            return 0
        pause_s = _FIRST_LOOK_S
        while (seen := await self._control.look())["Running"]:
            await self._clock.sleep(pause_s)
            pause_s = min(pause_s * 2, _SLOWEST_LOOK_S)
        return int(seen["ExitCode"] or 0)

    async def close(self) -> None:
        """See `base.ExecStream`."""
        await self._connection.close()
        if self._control.look is None:
            return
        try:
            seen = await self._control.look()
            for _ in range(_PID_LOOKS):
                if seen["Pid"] or not seen["Running"]:
                    break
                # Output may come before the engine has written down whose it is.
                await self._clock.sleep(_PID_PAUSE_S)
                seen = await self._control.look()
        except NotThere:  # the container is gone, and the command with it
            return
        if seen["Running"] and seen["Pid"]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(seen["Pid"], signal.SIGKILL)
